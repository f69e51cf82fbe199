"""Images as pixels in a .ddc against PNG and WebP, all without loss.

python benchmarks/lossless.py cifar10 --data cifar10.tar.xz --images 160
"""

import argparse
import io
from typing import Any

import numpy as np
import torch
from PIL import Image

from ddcodec.codec.context.context import CONTEXT_MODELS, ContextModel
from ddcodec.codec.decode import decode_bytes
from ddcodec.codec.encode import encode_content
from ddcodec.codec.pixels import PixelSynthesis
from ddcodec.datasets import load_dataset
from ddcodec.distill.comparison.image_counts import spread_evenly
from ddcodec.distill.comparison.pixel_context import ContextFit, fit_pixel_context
from ddcodec.distill.latents.representation import Representation
from ddcodec.distill.rate.post_quantisation import quantise_networks
from ddcodec.distill.start.initial_images import at_random, no_look


def ddc_file(images: np.ndarray, counts: np.ndarray, steps: int) -> bytes:
    """Return the file of images sorted by class, the context model fitted to them."""
    synthesis = PixelSynthesis(*images.shape[1:])
    context = ContextModel(CONTEXT_MODELS["pixels"], 24, 2, synthesis.planes)
    device = torch.device("cpu")
    sets = np.zeros(len(counts), dtype=np.int64)
    representation = Representation(counts, sets, context, synthesis, 0, device)
    representation.latents.data.copy_(torch.from_numpy(synthesis.latents_of(images)))
    fit_pixel_context(representation, ContextFit(steps=steps), 0, lambda *progress: None)
    networks = quantise_networks(representation, 0.0)
    channels = images.shape[1]
    header = representation.header((128,) * channels, (64,) * channels)
    content = representation.to_content(representation.latents.detach(), networks, None)
    encoded = encode_content(header, content)
    for name, bits in encoded.section_bits.items():
        print(f"  {name}: {bits / 8:,.0f} bytes")
    return encoded.data


def coded_by(kind: str, pictures: list[Image.Image]) -> int:
    """Return the bytes of pictures in a format of Pillow at its greatest effort."""
    options: dict[str, dict[str, Any]] = {
        "PNG": {"optimize": True},
        "WEBP": {"lossless": True, "quality": 100, "method": 6},
    }
    total = 0
    for picture in pictures:
        stream = io.BytesIO()
        picture.save(stream, kind, **options[kind])
        total += stream.tell()
    return total


def main() -> None:
    """Print bytes an image."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("--data")
    parser.add_argument("--images", type=int, default=160)
    parser.add_argument("--steps", type=int, default=500)
    arguments = parser.parse_args()
    train = load_dataset(arguments.dataset, arguments.data).train
    counts = spread_evenly(arguments.images, np.bincount(train.labels).astype(np.int64))
    rows = np.concatenate(
        [
            at_random(np.flatnonzero(train.labels == label), label, int(count), 0, no_look)
            for label, count in enumerate(counts)
        ]
    )
    images = np.ascontiguousarray(train.images[rows])
    data = ddc_file(images, counts, arguments.steps)
    assert np.array_equal(decode_bytes(data).images, images)
    count, channels, height, width = images.shape
    grey = channels == 1
    pixels = images[:, 0] if grey else images.transpose(0, 2, 3, 1)
    pictures = [Image.fromarray(image) for image in pixels]
    sheet = [Image.fromarray(np.concatenate(pixels))] if count * height < 16384 else []
    print(f"uint8: {channels * height * width} bytes an image")
    print(f".ddc: {len(data) / count:,.0f}")
    for kind in ("PNG", "WEBP"):
        print(f"{kind}, a file each: {coded_by(kind, pictures) / count:,.0f}")
        print(f"{kind}, one file of all: {coded_by(kind, sheet) / count:,.0f}" if sheet else "")


if __name__ == "__main__":
    main()
