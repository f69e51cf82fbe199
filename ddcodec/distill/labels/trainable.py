"""A labeler while it is trained: whole-number weights straight through, batch norm as gain."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ddcodec.codec.labels.labeler import PIXEL_ZERO
from ddcodec.codec.parameters import NetworkTensors, QuantizedTensor, quantize
from ddcodec.entropy.laplace import continuous_bits
from ddcodec.format.labeler_layers import LabelerLayer, LabelerShape

GAIN_EXPONENT = 10
BIAS_EXPONENT = 6
"""Steps 2^−10 and 2^−6 of gains and biases; activations are of the size of 1."""

_SMALLEST_MEAN = 0.005
_NORM_MOMENTUM = 0.05


class TrainableLabeler(nn.Module):
    """A labeler whose weights are trained in units of their quantisation step.

    The step is 1: batch normalisation takes away what scale there is, and becomes the gain of the
    file. Weights are rounded in the forward pass and differentiated as if they were not
    (Courbariaux et al., "BinaryConnect", NeurIPS 2015, section 2.3). A teacher is the same network
    unrounded.

    Args:
        shape: the architecture.
        seed: of the initial weights.
        quantised: whether weights are rounded.
        deviation: of the initial weights, in steps.
    """

    def __init__(
        self, shape: LabelerShape, seed: int, quantised: bool = True, deviation: float = 1.0
    ) -> None:
        super().__init__()
        self.shape = shape
        self.quantised = quantised
        generator = torch.Generator().manual_seed(seed)
        inputs = shape.image_shape[0]
        layers = []
        for layer in shape.layers:
            layers.append(_Convolution(inputs, layer, generator, deviation))
            inputs = layer.channels
        self.layers = nn.ModuleList(layers)
        weight = torch.randn(shape.num_classes, inputs, generator=generator) * deviation
        self.out_weight = nn.Parameter(weight)
        self.out_gain = nn.Parameter(torch.full((shape.num_classes,), 1 / 16 / deviation))
        self.out_bias = nn.Parameter(torch.zeros(shape.num_classes))

    def forward(self, pixels: Tensor) -> Tensor:
        """Return logits N × classes for N × C × H × W in grey levels, 0 … 255."""
        values = ((pixels - PIXEL_ZERO) / PIXEL_ZERO).contiguous(memory_format=torch.channels_last)
        outputs: list[Tensor] = []
        for layer in self.layers:
            assert isinstance(layer, _Convolution)
            earlier = outputs[-layer.skip] if layer.skip else None
            values = layer(values, earlier, self.quantised)
            outputs.append(values)
        weight = _rounded(self.out_weight, self.quantised)
        means = values.float().mean((2, 3))
        return F.linear(means, weight) * self.out_gain + self.out_bias

    def integer_weights(self) -> Iterator[nn.Parameter]:
        """Yield the weights that are coded under the rate."""
        for layer in self.layers:
            assert isinstance(layer, _Convolution)
            yield layer.weight
        yield self.out_weight

    def other_parameters(self) -> Iterator[nn.Parameter]:
        """Yield gains and biases."""
        coded = {id(weight) for weight in self.integer_weights()}
        yield from (part for part in self.parameters() if id(part) not in coded)

    def rate_bits(self) -> Tensor:
        """Estimate what the weights cost in bits, each tensor at the scale that fits it.

        The value is that of rounded weights, the gradient that of weights as they are, so that
        those on their way to another integer are pulled, too.
        """
        total = self.out_weight.new_zeros(())
        for weight in self.integer_weights():
            flat = weight.reshape(-1)
            rounded = flat.detach().round()
            scale = fitting_log2_scale(rounded)
            smooth = continuous_bits(flat, scale).sum()
            total = total + smooth + (continuous_bits(rounded, scale).sum() - smooth).detach()
        return total

    @torch.no_grad()
    def tensors(self) -> NetworkTensors:
        """Return the integers of the file, batch normalisation folded into gains and biases."""
        tensors: NetworkTensors = {}
        for number, layer in enumerate(self.layers):
            assert isinstance(layer, _Convolution)
            gain, bias = layer.folded()
            tensors |= _affine(f"labeler.{number}", layer.weight, gain, bias)
        return tensors | _affine("labeler.out", self.out_weight, self.out_gain, self.out_bias)


class _Convolution(nn.Module):
    """One layer; see `LabelerLayer`."""

    def __init__(
        self, inputs: int, layer: LabelerLayer, generator: torch.Generator, deviation: float
    ) -> None:
        super().__init__()
        size = (layer.channels, inputs, layer.kernel, layer.kernel)
        self.weight = nn.Parameter(torch.randn(size, generator=generator) * deviation)
        self.norm = nn.BatchNorm2d(layer.channels, momentum=_NORM_MOMENTUM)
        # Sums of the size of 1, so that bfloat16 and the norm's ε are of no consequence.
        self.factor = (deviation**2 * inputs * layer.kernel**2) ** -0.5
        self.pooled, self.skip = layer.pooled, layer.skip

    def forward(self, values: Tensor, earlier: Tensor | None, quantised: bool) -> Tensor:
        weight = _rounded(self.weight, quantised) * self.factor
        values = F.conv2d(values, weight, padding=weight.shape[-1] // 2)
        if self.pooled:
            values = F.max_pool2d(values, 2)
        values = self.norm(values)
        return F.relu(values if earlier is None else values + earlier)

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return the gain of the plain sums, and the bias."""
        mean, variance = self.norm.running_mean, self.norm.running_var
        assert mean is not None and variance is not None
        scale = self.norm.weight / (variance + self.norm.eps).sqrt()
        return scale * self.factor, self.norm.bias - scale * mean


def fitting_log2_scale(integers: Tensor) -> Tensor:
    """Return log2 of the Laplace scale at which integers are about cheapest.

    The bins of a Laplace distribution of scale b have the mean magnitude m = x / (1 − x²) with
    x = exp(−1 / 2b).
    """
    mean = integers.abs().mean().clamp(min=_SMALLEST_MEAN)
    root = ((1 + 4 * mean.square()).sqrt() - 1) / (2 * mean)
    return (-0.5 / root.log()).log2()


def _rounded(weight: Tensor, quantised: bool) -> Tensor:
    return weight + (weight.round() - weight).detach() if quantised else weight


def _affine(name: str, weight: Tensor, gain: Tensor, bias: Tensor) -> NetworkTensors:
    integers = np.rint(weight.detach().cpu().numpy()).astype(np.int64)
    return {
        f"{name}.weight": QuantizedTensor(integers, 0),
        f"{name}.gain": quantize(gain.detach().cpu().numpy(), GAIN_EXPONENT),
        f"{name}.bias": quantize(bias.detach().cpu().numpy(), BIAS_EXPONENT),
    }
