"""Muon: singular values near one, and the scale of AdamW."""

import pytest
import torch
from torch import nn

from ddcodec.networks.muon import MATCHED_RMS, MOMENTUM, Muon, orthogonalised


@pytest.mark.parametrize("shape", [(8, 8), (5, 12), (12, 5)])
def test_singular_values_come_near_one_and_vectors_stay(shape: tuple[int, int]) -> None:
    """Singular values a hundred times apart end between 0.68 and 1.2, with the same vectors."""
    torch.manual_seed(0)
    left, _, right = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    matrix = left @ torch.diag(torch.logspace(0, -1.8, min(shape))) @ right
    result = orthogonalised(matrix)
    assert result.shape == shape
    values = torch.diagonal(left.T @ result @ right.T)
    assert float(values.min()) >= 0.68 and float(values.max()) <= 1.2
    assert torch.allclose(left @ torch.diag(values) @ right, result, atol=1e-4)


@pytest.mark.parametrize("shape", [(64, 576), (27, 64), (40, 40)])
@pytest.mark.parametrize("decades", [0, 1, 7])
def test_iterations_of_the_gram_matrix_are_those_of_the_matrix(
    shape: tuple[int, int], decades: int
) -> None:
    """As published, X ← a X + b (X Xᵀ) X + c (X Xᵀ)² X in float64, also of ill-conditioned X."""
    torch.manual_seed(0)
    left, _, right = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    matrix = left @ torch.diag(torch.logspace(0, -decades, min(shape))) @ right
    values = matrix.double() / matrix.double().norm()
    for _ in range(5):
        gram = values @ values.T
        values = 3.4445 * values - 4.7750 * gram @ values + 2.0315 * gram @ gram @ values
    error = orthogonalised(matrix) - values
    assert float(error.square().mean().sqrt()) < 2e-3 * float(values.square().mean().sqrt())


def test_a_zero_gradient_moves_nothing() -> None:
    """Without momentum and decay a parameter stays where it is, and stays finite."""
    weight = nn.Parameter(torch.ones(3, 4))
    weight.grad = torch.zeros(3, 4)
    Muon([weight], lr=0.1, weight_decay=0.0).step()
    assert torch.equal(weight.detach(), torch.ones(3, 4))


def test_steps_by_hand() -> None:
    """A rank-one gradient: decay, then the direction at a root mean square like AdamW's."""
    weight = nn.Parameter(torch.ones(1, 2, 2, 1))
    optimiser = Muon([weight], lr=0.1, weight_decay=0.5)
    weight.grad = torch.tensor([3.0, 0.0, 4.0, 0.0]).reshape(1, 2, 2, 1)
    optimiser.step()
    # The singular value is 1 after division by the norm, and five quintics leave it at `end`.
    end = 1.0
    for _ in range(5):
        end = 3.4445 * end - 4.7750 * end**3 + 2.0315 * end**5
    length = 0.1 * 0.2 * 2 * end  # rate × matched RMS × √4
    expected = 0.95 - length * torch.tensor([0.6, 0.0, 0.8, 0.0])
    assert torch.allclose(weight.detach().flatten(), expected, atol=1e-5)
    # Nesterov: the second direction is g₂ + 0.95 (0.95 g₁ + g₂).
    weight.grad = torch.tensor([0.0, 1.0, 0.0, 0.0]).reshape(1, 2, 2, 1)
    before = weight.detach().flatten().clone()
    optimiser.step()
    direction = torch.tensor([MOMENTUM**2 * 3, 1 + MOMENTUM, MOMENTUM**2 * 4, 0.0])
    direction /= direction.norm()
    length = 0.1 * MATCHED_RMS * 2 * end
    assert torch.allclose(weight.detach().flatten(), 0.95 * before - length * direction, atol=1e-5)
