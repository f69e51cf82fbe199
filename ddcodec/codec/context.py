"""Context models: already coded neighbours → location and scale of the next latent.

A small residual network sees the causal neighbours of a latent in its own level and, in one
variant, the four nearest latents of the next coarser level. It is trained in floating point
(`estimate`) and runs in exact integers when files are written and read (`exact`). The structure is
that of Cool-chic's and of arXiv 2507.17221, section "entropy coding": C → C linear layers with
residual connection and ReLU, then C → 2; added here: the output bias is one pair per level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

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

if TYPE_CHECKING:
    from torch import Generator, Tensor

CAUSAL_NEIGHBOURS: tuple[tuple[int, int], ...] = (
    (0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-1, -2), (-1, 2),
    (-2, -1), (-2, 1), (0, -3), (-3, 0), (-2, -2), (-2, 2), (-3, -1), (-3, 1),
    (-1, -3), (-2, -3), (-3, -2), (-3, 2), (0, -4), (-4, 0), (-1, -4), (-4, -1),
    (-4, 1), (-3, -3), (-2, -4), (-4, -2), (-4, 2), (-3, -4), (-4, -3), (-4, -4),
)  # fmt: skip
"""(row, column) offsets, nearest first; a model of n inputs uses the first n."""

WAVE_SLOPE = 3
"""Every neighbour (r, c) satisfies c + 3 r < 0, so positions of equal x + 3 y are independent."""

CONTEXT_MARGIN = 4
"""Rows and columns of zeros around a level."""

NUM_COARSER = 4
_MEAN_SHIFT = FRACTION_BITS - 4
_SCALE_SHIFT = FRACTION_BITS - 3


@dataclass(frozen=True)
class ContextModel:
    """Architecture of a context model.

    Attributes:
        width: inputs and hidden units, 8, 16, 24 or 32.
        depth: hidden layers, 1 … 8.
        num_levels: latent levels; each has its own output bias.
        sees_coarser: whether four of the inputs come from the next coarser level.
    """

    width: int
    depth: int
    num_levels: int
    sees_coarser: bool

    @property
    def context_id(self) -> int:
        """Number of this family in a file (docs/format.md)."""
        return 2 if self.sees_coarser else 1

    @property
    def neighbours(self) -> tuple[tuple[int, int], ...]:
        """Offsets of the inputs taken from the same level."""
        return CAUSAL_NEIGHBOURS[: self.width - NUM_COARSER * self.sees_coarser]

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every tensor in the order of the file."""
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in range(self.depth):
            shapes[f"context.{layer}.weight"] = (self.width, self.width)
            shapes[f"context.{layer}.bias"] = (self.width,)
        shapes["context.out.weight"] = (2, self.width)
        shapes["context.out.bias"] = (self.num_levels, 2)
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
            latents: per level N × h × w, finest first.

        Returns:
            Per level two tensors of the shape of its latents.
        """
        predictions = []
        for level, plane in enumerate(latents):
            coarser = latents[level + 1] if level + 1 < len(latents) else None
            hidden = self._float_inputs(plane, coarser)
            for layer in range(self.depth):
                weight = parameters[f"context.{layer}.weight"]
                bias = parameters[f"context.{layer}.bias"]
                hidden = (hidden + weight @ hidden + bias[:, None]).relu()
            bias = parameters["context.out.bias"][level]
            loc, log2_scale = parameters["context.out.weight"] @ hidden + bias[:, None]
            predictions.append((loc.view(plane.shape), log2_scale.view(plane.shape)))
        return predictions

    def _float_inputs(self, plane: Tensor, coarser: Tensor | None) -> Tensor:
        import torch
        from torch.nn.functional import pad

        margin = CONTEXT_MARGIN
        _, rows, columns = plane.shape
        padded = pad(plane, (margin, margin, margin, margin))
        inputs = [
            padded[:, margin + dy : margin + dy + rows, margin + dx : margin + dx + columns]
            for dy, dx in self.neighbours
        ]
        if self.sees_coarser:
            inputs += self._float_coarser(plane, coarser)
        return torch.stack(inputs).reshape(self.width, -1)

    def _float_coarser(self, plane: Tensor, coarser: Tensor | None) -> list[Tensor]:
        import torch

        if coarser is None:
            return [torch.zeros_like(plane)] * NUM_COARSER
        _, rows, columns = plane.shape
        return [
            _spread(_spread(coarser, 1, rows, beside_row), 2, columns, beside_column)
            for beside_row in (False, True)
            for beside_column in (False, True)
        ]

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
            _head_layer(tensors["context.out.weight"], tensors["context.out.bias"], level)
            for level in range(self.num_levels)
        ]
        for head in heads:
            head.check_exact(ACTIVATION_LIMIT)
        return ExactContext(layers, heads)


def _spread(plane: Tensor, dim: int, count: int, beside: bool) -> Tensor:
    """Give each child its parent along one axis, or the parent's neighbour on the child's side."""
    import torch

    left, right = plane, plane
    if beside:
        size = plane.shape[dim]
        edge = torch.zeros_like(plane.narrow(dim, 0, 1))
        padded = torch.cat([edge, plane, edge], dim)
        left, right = padded.narrow(dim, 0, size), padded.narrow(dim, 2, size)
    return torch.stack([left, right], dim + 1).flatten(dim, dim + 1).narrow(dim, 0, count)


CONTEXT_MODELS: dict[str, int] = {"own": 1, "coarser": 2}
"""Names of the context models and their numbers in a file."""


def coarser_indices(
    rows: int, columns: int
) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]]:
    """Return for each row (column) its parent and the parent's neighbour on its own side."""

    def parents(count: int) -> list[NDArray[np.int64]]:
        index = np.arange(count, dtype=np.int64)
        return [index // 2, index // 2 + np.where(index % 2, 1, -1)]

    return parents(rows), parents(columns)


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


def _head_layer(weight: QuantizedTensor, bias: QuantizedTensor, level: int) -> IntegerLayer:
    """Return the last layer of one level without a shift; its outputs are rounded separately."""
    row = QuantizedTensor(bias.integers[level], bias.step_exponent)
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

    def predict(
        self, inputs: Floats, level: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return locations in 1/16 and scale indices for symbol inputs, width × n, in 2^−12."""
        hidden = inputs
        for layer in self._layers:
            hidden = layer(hidden)
        outputs = self._heads[level](hidden)
        loc = np.floor((outputs[0] + 2 ** (_MEAN_SHIFT - 1)) * 2.0**-_MEAN_SHIFT)
        scale = np.floor((outputs[1] + 2 ** (_SCALE_SHIFT - 1)) * 2.0**-_SCALE_SHIFT)
        scale += tables.UNIT_SCALE_INDEX
        loc_limit = (1 << 15) * tables.MEAN_STEPS
        np.clip(loc, -loc_limit, loc_limit, out=loc)
        np.clip(scale, 0, tables.NUM_SCALES - 1, out=scale)
        return loc.astype(np.int64), scale.astype(np.int64)
