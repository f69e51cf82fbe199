"""A dataset small enough to distill in seconds: coloured gradients, one direction per class."""

import numpy as np

from ddcodec.datasets import Dataset, ImageSplit


def tiny_dataset(
    per_class: int = 12, channels: int = 3, height: int = 8, width: int = 12
) -> Dataset:
    """Return two classes of noisy gradients, horizontal and vertical."""
    random = np.random.default_rng(5)
    across = np.broadcast_to(np.linspace(0, 1, width), (height, width))
    down = np.broadcast_to(np.linspace(0, 1, height)[:, None], (height, width))
    images, labels = [], []
    for label, pattern in enumerate((across, down)):
        for _ in range(per_class):
            colour = random.uniform(60, 200, (channels, 1, 1))
            noise = random.normal(0, 6, (channels, height, width))
            images.append(np.clip(colour * pattern + 25 + noise, 0, 255).astype(np.uint8))
            labels.append(label)
    split = ImageSplit(np.stack(images), np.array(labels, dtype=np.int64))
    return Dataset("tiny", ("across", "down"), split, split, fingerprint="tiny")
