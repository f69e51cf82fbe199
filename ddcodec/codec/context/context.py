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

from ddcodec.codec.context.exact import ExactContext
from ddcodec.codec.context.neighbours import COARSER_LEVEL, OWN_LEVEL, PIXEL_COLOURS, WAVELET_BANDS
from ddcodec.codec.parameters import NetworkTensors
from ddcodec.format.planes import Plane

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from ddcodec.codec.context.flat_estimate import FlatEstimate


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
        from ddcodec.codec.context.flat_estimate import flat_estimate
        from ddcodec.codec.context.inputs import context_inputs

        inputs = context_inputs(self.context_id, self.width, self.planes, latents.device)
        stack = [parameters[name] for name in self.tensor_shapes() if name != "context.out.bias"]
        biases = parameters["context.out.bias"]
        return flat_estimate(latents.t().contiguous(), inputs, stack, biases)

    def exact(self, tensors: NetworkTensors) -> ExactContext:
        """Build the integer network of quantised tensors.

        Raises:
            FormatError: if its arithmetic cannot be proven exact.
        """
        return ExactContext(tensors, self.depth, len(self.planes))


CONTEXT_MODELS: dict[str, int] = {
    "own": OWN_LEVEL,
    "coarser": COARSER_LEVEL,
    "bands": WAVELET_BANDS,
    "pixels": PIXEL_COLOURS,
}
"""Names of the context models and their numbers in a file."""
