"""Train by the labeler in a .ddc: python examples/train_with_labeler.py FILE.ddc [DATASET [PATH]].

Every view of an image, mirrored, shifted and cut together with another, is labelled anew.
"""

import sys

import torch
from torch.nn.functional import cross_entropy, pad

import ddcodec
from ddcodec.networks import build

train = ddcodec.load(sys.argv[1], renditions=None)  # every image as often as the file advises
recipe, labeler, pixels = train.recipe, train.labeler, train.normalize()
assert labeler is not None, "this file has no labeler; see examples/decode_and_train.py"
network = build("convnet", tuple(pixels.shape[1:]), train.num_classes, seed=0)
updates, size = recipe.updates or 2500, recipe.batch_size or 128
optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.adamw_rate or 1e-3)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.adamw_rate or 1e-3, updates)
for update in range(updates):
    views = pixels[torch.randint(len(pixels), (size,))]
    views = views.flip(3) if torch.rand(()) < 0.5 else views
    top, left = torch.randint(9, (2,)).tolist()
    height, width = views.shape[2:]
    views = pad(views, (4, 4, 4, 4))[:, :, top : top + height, left : left + width]
    if torch.rand(()) < (recipe.cutmix or 0):
        column = int(torch.randint(1, width, ()))
        views = torch.cat([views[..., :column], views.flip(0)[..., column:]], dim=3)
    loss = cross_entropy(network(views), labeler(views).softmax(1))
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    schedule.step()
    if (update + 1) % max(1, updates // 20) == 0:
        print(f"update {update + 1}/{updates}  loss {loss.item():.3f}", flush=True)
if len(sys.argv) > 2:
    test = ddcodec.load_dataset(*sys.argv[2:4]).test
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (train.mean, train.std))
    parts = ((part / 255 - mean) / std for part in torch.tensor(test.images).split(256))
    with torch.no_grad():
        right = torch.cat([network(p).argmax(1) for p in parts]) == torch.tensor(test.labels)
    print(f"test accuracy {100 * right.float().mean():.1f} %")
