"""What tests of every decoder family ask of floats and integers."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sample_content import IntegerSource, sample_content, sample_networks

from ddcodec.codec.parameters import QuantizedTensor
from ddcodec.codec.stream import synthesis_of
from ddcodec.errors import FormatError
from ddcodec.format.header import Header


def check_floats_agree_with_integers(header: Header) -> NDArray[np.uint8]:
    """Check that every rendered pixel is within one level of the decoded ones, and return these."""
    content = sample_content(header, 21)
    synthesis = synthesis_of(header)
    tensors, latents = content.networks[0], content.latents[0]
    images = synthesis.exact(tensors).decode(latents)
    parameters = {name: torch.tensor(tensor.values) for name, tensor in tensors.items()}
    flat = np.concatenate([plane.reshape(3, -1) for plane in latents], axis=1)
    rendered = synthesis.render(parameters, torch.tensor(flat, dtype=torch.float64))
    size = (3, header.channels, header.height, header.width)
    assert images.shape == tuple(rendered.shape) == size
    pixels = np.clip(np.floor(rendered.numpy() * 256), 0, 255)
    assert np.abs(pixels - images).max() <= 1
    return images


def check_refused_with_weights(header: Header, name: str, weight: int) -> None:
    """Check that a tensor full of one weight, in units of 2^−12, makes the decoder refuse."""
    tensors = sample_networks(header, IntegerSource(1))
    shape = tensors[name].integers.shape
    tensors[name] = QuantizedTensor(np.full(shape, weight), 12)
    with pytest.raises(FormatError, match="exact"):
        synthesis_of(header).exact(tensors)
