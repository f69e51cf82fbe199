"""Context models: already coded neighbours → location and scale of the next latent.

A small residual network sees already coded latents: the causal neighbours of its own plane and,
depending on the variant, the next coarser level, the other bands and colours of a wavelet or the
other channels of pixels. It is
trained in floating point (`estimate`) and runs in exact integers when files are written and read
(`exact`). The structure is that of Cool-chic's and of arXiv 2507.17221, section "entropy coding":
C → C linear layers with residual connection and ReLU, then C → 2; added here: the output bias is
one pair per plane. Which latents are seen is in `neighbours.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ddcodec.codec.context.neighbours import COARSER_LEVEL, OWN_LEVEL, PIXEL_COLOURS, WAVELET_BANDS
from ddcodec.codec.parameters import NetworkTensors, QuantizedTensor
from ddcodec.entropy import tables
from ddcodec.entropy.exact import (
    ACTIVATION_LIMIT,
    FRACTION_BITS,
    SYMBOL_INPUT_LIMIT,
    Floats,
    IntegerLayer,
)
from ddcodec.errors import FormatError
from ddcodec.format.planes import Plane

if TYPE_CHECKING:
    from torch import Generator, Tensor

_MEAN_SHIFT = FRACTION_BITS - 4
_SCALE_SHIFT = FRACTION_BITS - 3


@dataclass(frozen=True)
class ContextModel:
    """Architecture of a context model.

    Attributes:
        context_id: which latents it sees, a value of `CONTEXT_MODELS`.
        width: inputs and hidden units, 8, 16, 24 or 32.
        depth: hidden layers, 1 … 8.
        planes: latent planes, finest first; each has its own output bias.
    """

    context_id: int
    width: int
    depth: int
    planes: tuple[Plane, ...]

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every tensor in the order of the file."""
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in range(self.depth):
            shapes[f"context.{layer}.weight"] = (self.width, self.width)
            shapes[f"context.{layer}.bias"] = (self.width,)
        shapes["context.out.weight"] = (2, self.width)
        shapes["context.out.bias"] = (len(self.planes), 2)
        return shapes

    def initial_parameters(self, generator: Generator) -> dict[str, Tensor]:
        """Return small random weights; the first prediction is location 0, scale 1."""
        import torch

        return {
            name: torch.randn(shape, generator=generator) * (0.3 / self.width)
            if name.endswith("weight")
            else torch.zeros(shape)
            for name, shape in self.tensor_shapes().items()
        }

    def estimate(
        self, parameters: dict[str, Tensor], latents: list[Tensor]
    ) -> list[tuple[Tensor, Tensor]]:
        """Predict (location, log2 scale) of every latent in floating point, differentiably.

        Args:
            parameters: tensors of `tensor_shapes`.
            latents: per plane N × h × w, finest first.

        Returns:
            Per plane two tensors of the shape of its latents.
        """
        import torch

        values = torch.cat([plane.flatten(1) for plane in latents], 1)
        flat = self.estimate_flat(parameters, values)
        sizes = [plane.size for plane in self.planes]
        parts = zip(
            latents, torch.split(flat.loc, sizes), torch.split(flat.log2_scale, sizes), strict=True
        )
        return [
            (loc.t().reshape(plane.shape), log2_scale.t().reshape(plane.shape))
            for plane, loc, log2_scale in parts
        ]

    def estimate_flat(self, parameters: dict[str, Tensor], latents: Tensor) -> FlatEstimate:
        """Predict all planes at once.

        Args:
            parameters: tensors of `tensor_shapes`.
            latents: N × P, the planes of an image one after another, finest first.
        """
        import torch

        from ddcodec.codec.context.context_stack import context_stack, input_rows

        device = latents.device
        values = latents.t().contiguous()
        rows = input_rows(self.context_id, self.width, self.planes, device)
        stack = [parameters[name] for name in self.tensor_shapes() if name != "context.out.bias"]
        plane = torch.repeat_interleave(
            torch.tensor([plane.size for plane in self.planes], device=device)
        )
        biases = parameters["context.out.bias"][plane]
        loc, log2_scale = context_stack(values, rows, stack) + biases.t()[:, :, None]
        return FlatEstimate(values, loc, log2_scale)

    def exact(self, tensors: NetworkTensors) -> ExactContext:
        """Build the integer network of quantised tensors.

        Raises:
            FormatError: if its arithmetic cannot be proven exact.
        """
        layers = [
            dense_layer(tensors[f"context.{layer}.weight"], tensors[f"context.{layer}.bias"], True)
            for layer in range(self.depth)
        ]
        for index, layer in enumerate(layers):
            layer.check_exact(SYMBOL_INPUT_LIMIT if index == 0 else ACTIVATION_LIMIT)
        heads = [
            _head_layer(tensors["context.out.weight"], tensors["context.out.bias"], plane)
            for plane in range(len(self.planes))
        ]
        for head in heads:
            head.check_exact(ACTIVATION_LIMIT)
        return ExactContext(layers, heads)


@dataclass(frozen=True)
class FlatEstimate:
    """Latents and their predictions, each positions × images, planes finest first.

    Attributes:
        values: the latents.
        loc: predicted locations.
        log2_scale: base-2 logarithms of predicted scales.
    """

    values: Tensor
    loc: Tensor
    log2_scale: Tensor


CONTEXT_MODELS: dict[str, int] = {
    "own": OWN_LEVEL,
    "coarser": COARSER_LEVEL,
    "bands": WAVELET_BANDS,
    "pixels": PIXEL_COLOURS,
}
"""Names of the context models and their numbers in a file."""


def dense_layer(
    weight: QuantizedTensor, bias: QuantizedTensor, residual: bool, low: int = 0
) -> IntegerLayer:
    """Turn quantised weights into an integer layer followed by ReLU (`low` = 0) or a clamp.

    A residual connection is the identity added to the weights.

    Raises:
        FormatError: if the bias is finer than the accumulator.
    """
    matrix = weight.integers.astype(np.float64)
    if residual:
        matrix = matrix + np.eye(len(matrix)) * 2.0**weight.step_exponent
    return IntegerLayer(
        matrix, _aligned_bias(bias, weight.step_exponent), shift=weight.step_exponent, low=low
    )


def _aligned_bias(bias: QuantizedTensor, weight_exponent: int) -> Floats:
    lift = FRACTION_BITS + weight_exponent - bias.step_exponent
    if lift < 0 or (bias.integers.size and int(np.abs(bias.integers).max()) << lift >= 1 << 52):
        raise FormatError("A bias does not fit exact arithmetic; the file is refused.")
    aligned: Floats = bias.integers.astype(np.float64)[:, None] * 2.0**lift
    return aligned


def _head_layer(weight: QuantizedTensor, bias: QuantizedTensor, plane: int) -> IntegerLayer:
    """Return the last layer of one plane without a shift; its outputs are rounded separately."""
    row = QuantizedTensor(bias.integers[plane], bias.step_exponent)
    limit = 1 << 53
    return IntegerLayer(
        weight.integers.astype(np.float64),
        _aligned_bias(row, weight.step_exponent),
        shift=weight.step_exponent,
        low=-limit,
        high=limit,
    )


class ExactContext:
    """A context model in integers."""

    def __init__(self, layers: list[IntegerLayer], heads: list[IntegerLayer]) -> None:
        self._layers = layers
        self._heads = heads

    def predict(self, inputs: Floats, plane: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return locations in 1/16 and scale indices for symbol inputs, width × n, in 2^−12."""
        hidden = inputs
        for layer in self._layers:
            hidden = layer(hidden)
        outputs = self._heads[plane](hidden)
        loc = np.floor((outputs[0] + 2 ** (_MEAN_SHIFT - 1)) * 2.0**-_MEAN_SHIFT)
        scale = np.floor((outputs[1] + 2 ** (_SCALE_SHIFT - 1)) * 2.0**-_SCALE_SHIFT)
        scale += tables.UNIT_SCALE_INDEX
        loc_limit = (1 << 15) * tables.MEAN_STEPS
        np.clip(loc, -loc_limit, loc_limit, out=loc)
        np.clip(scale, 0, tables.NUM_SCALES - 1, out=scale)
        return loc.astype(np.int64), scale.astype(np.int64)
