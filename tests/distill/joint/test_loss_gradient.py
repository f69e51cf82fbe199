"""The gradient of a loss by latents, of images drawn at once or part by part."""

from collections.abc import Sequence

import pytest
import torch
from distill.small_descent import small_start
from torch import Tensor

from ddcodec.distill.joint import loss_gradient as loss_gradients
from ddcodec.distill.joint.loss_gradient import LossGradient, loss_gradient
from ddcodec.distill.latents import representation as representations
from ddcodec.distill.losses import DistillationLoss
from ddcodec.distill.rate.utilities import Distillation


class _Contrast(DistillationLoss):
    """A loss in which every image depends on all others, and one that has a parameter."""

    def __init__(self) -> None:
        self._weight = torch.tensor(0.5, requires_grad=True)

    def __call__(self, images: Tensor, labels: Tensor, step: int) -> Tensor:
        """Weigh the variance over images by their classes and the parameter."""
        away = (images - images.mean(0)).square().flatten(1).sum(1)
        return self._weight * (away * (labels + 1)).sum() ** 1.5

    def parameters(self) -> Sequence[Tensor]:
        """Return the weight."""
        return (self._weight,)


def _found(with_details: bool) -> LossGradient:
    representation, _, _ = small_start()
    utility = Distillation(_Contrast(), representation, (0.5,) * 3, (0.25,) * 3, 100, 0)
    indices = torch.tensor([1, 2, 5, 6, 7, 9, 15])
    details = None
    if with_details:
        shape = len(indices), representation.latents.shape[1]
        details = torch.rand(shape, generator=torch.Generator().manual_seed(1)) - 0.5
    return loss_gradient(representation, utility, indices, details, 0)


@pytest.mark.parametrize("with_details", [False, True])
def test_parts_have_the_gradient_of_the_whole(
    with_details: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loss of all images together has one gradient, in however many parts they are drawn."""
    whole = _found(with_details)
    monkeypatch.setattr(loss_gradients, "HELD_LATENTS", 0)
    monkeypatch.setattr(representations, "PART_IMAGES", 3)
    parts = _found(with_details)
    assert parts.loss == pytest.approx(whole.loss, rel=1e-6)
    assert parts.images.tolist() == whole.images.tolist() == [1, 2, 5, 6, 7, 9, 15]
    assert float(whole.rows.abs().amax(1).min()) > 0
    scale = float(whole.rows.abs().max())
    torch.testing.assert_close(parts.rows / scale, whole.rows / scale)
    torch.testing.assert_close(parts.own, whole.own)
    assert float(whole.own[0]) == pytest.approx(2 * whole.loss, rel=1e-5)
