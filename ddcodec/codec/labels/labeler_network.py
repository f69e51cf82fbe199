"""The labeler in float32, for augmented views at training time."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ddcodec.codec.labels.labeler import PIXEL_ZERO
from ddcodec.codec.parameters import NetworkTensors
from ddcodec.format.labeler_layers import LabelerShape

NUM_STAGES = 3
"""Feature maps that are handed out at most: the smallest ones."""


class LabelerNetwork(nn.Module):
    """A labeler as a network; what `ExactLabeler` computes, without its rounding.

    Args:
        shape: the architecture.
        tensors: quantised tensors of `LabelerShape.tensor_shapes`.
    """

    def __init__(self, shape: LabelerShape, tensors: NetworkTensors) -> None:
        super().__init__()
        self._shape = shape
        for name, tensor in tensors.items():
            self.register_buffer(name.replace(".", "_"), torch.from_numpy(tensor.values).float())

    def forward(self, pixels: Tensor) -> Tensor:
        """Return logits N × classes for N × C × H × W in units of grey levels, 0 … 255."""
        return self.stages(pixels)[0]

    def stages(self, pixels: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return logits, and the last feature map N × C × H × W of each size below the image's.

        Maps come largest first, the smallest `NUM_STAGES` of them.
        """
        # Bytes would wrap around at 128.
        pixels = pixels if pixels.is_floating_point() else pixels.float()
        values = (pixels - PIXEL_ZERO) / PIXEL_ZERO
        outputs: list[Tensor] = []
        for number, layer in enumerate(self._shape.layers):
            weight, gain, bias = self._layer(str(number))
            values = F.conv2d(values, weight.to(values.dtype), padding=layer.kernel // 2)
            if layer.pooled:
                values = F.max_pool2d(values, 2)
            values = values * gain[:, None, None] + bias[:, None, None]
            if layer.skip:
                values = values + outputs[-layer.skip]
            values = F.relu(values)
            outputs.append(values)
        weight, gain, bias = self._layer("out")
        logits = F.linear(values.mean((2, 3)).float(), weight) * gain + bias
        last = {output.shape[-2:]: output for output in outputs}
        last.pop(pixels.shape[-2:], None)
        return logits, tuple(last.values())[-NUM_STAGES:]

    def _layer(self, name: str) -> tuple[Tensor, Tensor, Tensor]:
        parts = (f"labeler_{name}_{part}" for part in ("weight", "gain", "bias"))
        weight, gain, bias = (self.get_buffer(part) for part in parts)
        return weight, gain, bias
