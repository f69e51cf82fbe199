"""Train on a .ddc: python examples/decode_and_train.py FILE.ddc [DATASET [PATH]] to test, too."""

import sys

import torch
from torch import nn
from torch.utils.data import DataLoader

import ddcodec

train, features, layers = ddcodec.load(sys.argv[1]), 64, []
for _ in range(3):
    layers += [nn.LazyConv2d(features, 3, padding=1), nn.GroupNorm(features, features)]
    layers += [nn.ReLU(), nn.MaxPool2d(2)]
network = nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(train.num_classes))
network(train[0][0][None])  # tells lazy layers their sizes
optimiser = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
for epoch in range(20):
    for images, labels in DataLoader(train, batch_size=64, shuffle=True):
        loss = nn.functional.cross_entropy(network(images), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    print(f"epoch {epoch + 1:2}  loss {loss.item():.3f}")
if len(sys.argv) > 2:
    test = ddcodec.load_dataset(*sys.argv[2:4]).test
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (train.mean, train.std))
    parts = ((part / 255 - mean) / std for part in torch.tensor(test.images).split(256))
    right = torch.cat([network(p).argmax(1) for p in parts]) == torch.tensor(test.labels)
    print(f"test accuracy {100 * right.float().mean():.1f} %")
