"""Train a small classifier on a .ddc file, with nothing but the file.

ddc distill glyphs --bpc 500 --loss none -o glyphs.ddc
python examples/train_on_file.py glyphs.ddc
"""

import sys

import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

import ddcodec
from ddcodec.networks import build


def main(path: str) -> None:
    """Train for twenty epochs and print the loss."""
    training_set = ddcodec.load(path)
    channels, height, width = training_set.images.shape[1:]
    network = build(
        "convnet",
        (channels, height, width),
        len(training_set.class_names),
        seed=0,
        network_width=32,
    )
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    batches = DataLoader(training_set, batch_size=64, shuffle=True)
    for epoch in range(20):
        for images, labels in batches:
            loss = cross_entropy(network(images), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        print(f"epoch {epoch + 1:2}  loss {loss.item():.3f}")


if __name__ == "__main__":
    main(sys.argv[1])
