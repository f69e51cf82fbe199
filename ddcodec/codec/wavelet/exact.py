"""The wavelet decoder in integers: the same pixels on every machine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ddcodec.codec.layers import dense_layer, pixel_layer
from ddcodec.codec.parameters import NetworkTensors
from ddcodec.codec.raster import Raster
from ddcodec.codec.surroundings import Latents, in_chunks, product
from ddcodec.codec.wavelet.inverse import InverseTransform
from ddcodec.codec.wavelet.refinement import ExactRefinement
from ddcodec.codec.wavelet.shape import WaveletShape
from ddcodec.entropy.exact import ACTIVATION_LIMIT
from ddcodec.entropy.rooms import Rooms


class ExactWavelet:
    """A wavelet decoder in integers.

    Args:
        shape: the architecture.
        tensors: quantised tensors of `WaveletShape.tensor_shapes`.

    Raises:
        FormatError: if the arithmetic cannot be proven exact.
    """

    def __init__(self, shape: WaveletShape, tensors: NetworkTensors) -> None:
        self._shape = shape
        self._inverse = InverseTransform(
            shape, tensors["transform.gains"], tensors["transform.taps"]
        )
        weight, bias = tensors["synthesis.colour.weight"], tensors["synthesis.colour.bias"]
        colour = dense_layer(weight, bias, False, low=-ACTIVATION_LIMIT)
        self._colour = colour if shape.widths else pixel_layer(colour)
        self._colour.check_exact(ACTIVATION_LIMIT)
        self._refine = ExactRefinement(tensors, shape.widths) if shape.widths else None

    def decode(self, latents: Latents) -> NDArray[np.uint8]:
        """Return images, N × C × H × W uint8, of latents given per plane as N × h × w.

        They are int16, or float64 multiples of 1/16.
        """
        shape, rooms = self._shape, Rooms()

        def decode_chunk(part: Latents) -> NDArray[np.uint8]:
            return self._decode_chunk(part, rooms)

        return in_chunks(decode_chunk, latents, (shape.channels, shape.height, shape.width))

    def _decode_chunk(self, latents: Latents, rooms: Rooms) -> NDArray[np.uint8]:
        shape = self._shape
        raster = Raster(shape.height, len(latents[0]), shape.width)
        components = rooms("components", (shape.channels + 1, raster.length))
        components[-1] = 1
        self._inverse(latents, raster, components[:-1], rooms)
        images = rooms("images", (shape.channels, raster.length))
        product(self._colour.affine, components, images)
        np.floor(images, out=images)
        np.clip(images, self._colour.low, self._colour.high, out=images)
        pixels: NDArray[np.uint8] = rooms("pixels", images.shape, np.uint8)
        if self._refine is None:
            pixels[...] = images
        else:
            refined = self._refine(images, raster, rooms)
            # What is cut off is what rounding down takes.
            pixels[...] = np.clip(refined, 0, 255)
        return raster.pixels(pixels).transpose(2, 0, 1, 3)
