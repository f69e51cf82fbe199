"""Pixels as latents: the exact identity, whatever the image."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddcodec.codec.pixels import PixelSynthesis


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 3]), st.integers(1, 6), st.integers(1, 6))
def test_images_come_back(seed: int, channels: int, height: int, width: int) -> None:
    """Latents of uint8 images decode to these images, in integers and in floating point."""
    synthesis = PixelSynthesis(channels, height, width)
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (3, channels, height, width)).astype(np.uint8)
    rows = synthesis.latents_of(images)
    planes = [
        part.reshape(3, height, width).astype(np.int16) for part in np.split(rows, channels, axis=1)
    ]
    assert np.array_equal(synthesis.exact({}).decode(planes), images)
    rendered = 256 * synthesis.render({}, torch.from_numpy(rows)).numpy() - 0.5
    assert np.array_equal(rendered, images)


def test_channels_are_planes_in_reverse() -> None:
    """The first channel is the last plane, which is coded first; 0 stands for 128."""
    synthesis = PixelSynthesis(3, 1, 2)
    image = np.array([[[[128, 0]], [[255, 127]], [[1, 2]]]], dtype=np.uint8)
    assert synthesis.latents_of(image).tolist() == [[-127, -126, 127, -1, 0, -128]]
    assert [plane.colour for plane in synthesis.planes] == [2, 1, 0]
    assert synthesis.tensor_shapes() == {}


def test_values_beyond_pixels_are_clamped() -> None:
    """Symbols a hostile file may hold end at black and white."""
    planes = [np.array([[[-32768, 32767, -129, 128]]], dtype=np.int16)]
    assert PixelSynthesis(1, 1, 4).decode(planes).tolist() == [[[[0, 255, 0, 255]]]]
