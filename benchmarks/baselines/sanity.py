"""Overfit decoder `v4-480` to one real image without a rate term: PSNR after coding and decoding.

    python benchmarks/baselines/sanity.py cifar10.tar.xz
    python benchmarks/baselines/sanity.py imagenette128.tar.xz --steps 1000

The path is anything `ddc distill --data` takes. The aim is 40 dB at 32×32, 32 dB at 128×128.
"""

import argparse

import numpy as np
import torch
from overfit import overfit_image

from ddcodec.datasets import load_dataset


def main() -> None:
    """Print PSNR before quantisation and after decoding, and the file's size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--image", type=int, default=0)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    dataset = load_dataset("images", arguments.data)
    image = np.ascontiguousarray(dataset.train.images[arguments.image])
    result = overfit_image(image, (480,), arguments.steps)
    print(
        f"{image.shape[2]}x{image.shape[1]}: {result.psnr_float:.2f} dB before quantisation, "
        f"{result.psnr_decoded:.2f} dB decoded from {result.size_bytes} bytes"
    )


if __name__ == "__main__":
    main()
