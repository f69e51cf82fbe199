"""Context models: already coded neighbours → location and scale of the next latent.

A small residual network sees the causal neighbours of a latent in its own level and, in one
variant, the four nearest latents of the next coarser level. It is trained in floating point
(`estimate`) and runs in exact integers when files are written and read (`exact`). The structure is
that of Cool-chic's and of arXiv 2507.17221, section "entropy coding": C → C linear layers with
residual connection and ReLU, then C → 2; added here: the output bias is one pair per level.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
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
        import torch

        flat = self.estimate_flat(parameters, latents)
        sizes = [plane[0].numel() for plane in latents]
        parts = zip(
            latents, torch.split(flat.loc, sizes), torch.split(flat.log2_scale, sizes), strict=True
        )
        return [
            (loc.t().reshape(plane.shape), log2_scale.t().reshape(plane.shape))
            for plane, loc, log2_scale in parts
        ]

    def estimate_flat(self, parameters: dict[str, Tensor], latents: list[Tensor]) -> FlatEstimate:
        """Predict all levels at once, positions × images as the coder lays them out."""
        import torch
        from torch.nn.functional import embedding

        device = latents[0].device
        values = torch.cat([plane.flatten(1) for plane in latents], 1).t()
        # Row 0 stands for everything outside the image.
        table = torch.cat([values.new_zeros(1, values.shape[1]), values])
        shapes = tuple((plane.shape[1], plane.shape[2]) for plane in latents)
        index, level_of = _neighbour_table(self, shapes)
        hidden = embedding(torch.from_numpy(index).to(device), table).flatten(1)
        for layer in range(self.depth):
            weight = parameters[f"context.{layer}.weight"]
            bias = parameters[f"context.{layer}.bias"]
            hidden = (torch.addmm(bias[:, None], weight, hidden) + hidden).relu()
        biases = parameters["context.out.bias"][torch.from_numpy(level_of).to(device)]
        outputs = (parameters["context.out.weight"] @ hidden).view(2, *values.shape)
        loc, log2_scale = outputs + biases.t()[:, :, None]
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
            _head_layer(tensors["context.out.weight"], tensors["context.out.bias"], level)
            for level in range(self.num_levels)
        ]
        for head in heads:
            head.check_exact(ACTIVATION_LIMIT)
        return ExactContext(layers, heads)


@dataclass(frozen=True)
class FlatEstimate:
    """Latents and their predictions, each positions × images, levels finest first.

    Attributes:
        values: the latents.
        loc: predicted locations.
        log2_scale: base-2 logarithms of predicted scales.
    """

    values: Tensor
    loc: Tensor
    log2_scale: Tensor


@lru_cache(maxsize=16)
def _neighbour_table(
    model: ContextModel, shapes: tuple[tuple[int, int], ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where every input lies, width × positions, counted from 1, and each one's level."""
    starts = np.cumsum([1, *(rows * columns for rows, columns in shapes)])
    index, level_of = [], []
    for level, (rows, columns) in enumerate(shapes):
        y, x = np.divmod(np.arange(rows * columns), columns)
        inputs = [
            _locate(y + dy, x + dx, shapes[level], starts[level]) for dy, dx in model.neighbours
        ]
        if model.sees_coarser and level + 1 < len(shapes):
            parents = coarser_indices(rows, columns)
            inputs += [
                _locate(row[y], column[x], shapes[level + 1], starts[level + 1])
                for row in parents[0]
                for column in parents[1]
            ]
        inputs += [np.zeros_like(y)] * (model.width - len(inputs))
        index.append(np.stack(inputs))
        level_of.append(np.full(rows * columns, level))
    return np.concatenate(index, axis=1), np.concatenate(level_of)


def _locate(
    y: NDArray[np.int64], x: NDArray[np.int64], shape: tuple[int, int], start: int
) -> NDArray[np.int64]:
    inside = (y >= 0) & (y < shape[0]) & (x >= 0) & (x < shape[1])
    return np.where(inside, start + y * shape[1] + x, 0)


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

    def predict(self, inputs: Floats, level: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
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
