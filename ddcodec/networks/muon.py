"""Muon: the momentum of a weight matrix with all its singular values brought near one."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from ddcodec.networks.classifier import Classifier

MOMENTUM = 0.95
"""As Jordan et al. 2024 have it, applied as Nesterov does."""

MATCHED_RMS = 0.2
"""Root mean square of an AdamW update in training (Liu et al. 2025, section 2.2)."""

# Coefficients of x ↦ a x + b x³ + c x⁵, which five times over brings 0.01 … 1 to 0.68 … 1.2.
_QUINTIC = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5


class Muon(torch.optim.Optimizer):
    """Update weight matrices by orthogonalised momentum (Jordan et al. 2024).

    Convolution kernels are matrices of output channels by everything else. Updates are scaled so
    that their root mean square is that of AdamW's (Liu et al. 2025, equation 4): learning rates
    found for AdamW stay what they are, and decay is decoupled likewise. torch has its own from
    2.9 on, for matrices of two dimensions only.

    Args:
        matrices: Parameters of at least two dimensions.
        lr: Learning rate, as for AdamW; groups may hold a tensor in its place.
        weight_decay: Decoupled decay, as of AdamW.
    """

    def __init__(self, matrices: Iterable[Tensor], lr: float, weight_decay: float) -> None:
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Make one step; a closure is not supported and must be None."""
        assert closure is None
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._step(parameter, group["lr"], group["weight_decay"])

    def _step(self, parameter: Tensor, rate: float | Tensor, decay: float) -> None:
        assert parameter.grad is not None
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum = state["momentum"]
        momentum.mul_(MOMENTUM).add_(parameter.grad)
        matrix = parameter.grad.add(momentum, alpha=MOMENTUM).flatten(1)
        update = orthogonalised(matrix).reshape(parameter.shape)
        parameter.mul_(1 - rate * decay)
        matched = -rate * MATCHED_RMS * max(matrix.shape) ** 0.5
        if isinstance(matched, Tensor):
            parameter.add_(update * matched)
        else:
            parameter.add_(update, alpha=matched)


def hidden_and_others(
    network: Classifier, parameters: Iterable[Tensor]
) -> tuple[list[Tensor], list[Tensor]]:
    """Return what Muon updates and what AdamW does, as Muon's authors advise.

    Muon's are the kernels of all layers but the last.

    Args:
        network: Tells which is which.
        parameters: Its own, or others in their place and order.
    """
    names: set[str] = set()
    for prefix, module in network.named_modules():
        if isinstance(module, (nn.Linear, nn.Conv2d)) and module is not network.classifier:
            kernels = module.named_parameters(prefix, recurse=False)
            names |= {name for name, parameter in kernels if parameter.ndim > 1}
    hidden: list[Tensor] = []
    others: list[Tensor] = []
    for (name, _), parameter in zip(network.named_parameters(), parameters, strict=True):
        (hidden if name in names else others).append(parameter)
    return hidden, others


def orthogonalised(matrix: Tensor) -> Tensor:
    """Return the matrix with its singular values near one, its singular vectors as they are.

    Five Newton–Schulz iterations (Jordan et al. 2024); singular values from a hundredth of the
    Frobenius norm on end between 0.68 and 1.2, smaller ones are raised 485-fold at most.

    Each iteration multiplies by a polynomial of the Gram matrix of the one before. All of these
    commute, so that the small Gram matrix is iterated and the large matrix multiplied once.

    Args:
        matrix: float M×N; a matrix of zeros stays one.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    values = matrix.mT if tall else matrix
    values = values / (values.norm() + 1e-7)
    gram = values @ values.mT
    factor = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    a, b, c = _QUINTIC
    for _ in range(_ITERATIONS):
        polynomial = b * gram + c * gram @ gram
        polynomial.diagonal().add_(a)
        factor = polynomial @ factor
        gram = polynomial @ gram @ polynomial
    values = factor @ values
    result: Tensor = values.mT if tall else values
    return result
