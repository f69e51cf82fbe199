"""A small image folder: two classes of noise, 8 × 8, in two splits."""

from pathlib import Path

import numpy as np
from PIL import Image


def write_pets(root: Path, per_class: int) -> None:
    """Write `per_class` pictures of each class into each split below a folder."""
    random = np.random.default_rng(0)
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            folder = root / split / name
            folder.mkdir(parents=True)
            for index in range(per_class):
                pixels = random.integers(0, 256, (8, 8, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{index}.png")
