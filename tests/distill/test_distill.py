"""Whole runs on a tiny dataset: budget, estimate, quality, determinism."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from distill.tiny_dataset import tiny_dataset
from torch import Tensor

from ddcodec.budget import Budget
from ddcodec.codec.decode import decode_bytes
from ddcodec.distill.distill import distill
from ddcodec.distill.joint.joint import first_speed
from ddcodec.distill.losses import LOSSES
from ddcodec.distill.losses.base import DistillationLoss
from ddcodec.distill.recipe.recipe import Recipe
from ddcodec.distill.running.distilled import Distilled
from ddcodec.distill.running.progress import Progress, Supervision
from ddcodec.distill.start import recipe_parts
from ddcodec.errors import BudgetError, BudgetMissedError, RecipeError

pytestmark = pytest.mark.long


def _run(**settings: object) -> Distilled:
    defaults: dict[str, object] = {
        "bytes_per_class": 500.0,
        "loss": "none",
        "images_per_class": 8,
        "synthesis": "wavelet-4",
        "fit_steps": 80,
        "joint_steps": 12,
        "pool": "random",
    }
    recipe = Recipe.from_mapping(defaults | settings)
    return distill(tiny_dataset(), recipe)


def _cases() -> list[tuple[str, str]]:
    losses = ("none", *(name for name in LOSSES if name != "tm"))
    return [
        *((loss, "wavelet-4") for loss in losses),
        ("none", "wavelet"),
        ("none", "8"),
        ("dm", "8"),
    ]


@pytest.mark.parametrize(("loss", "synthesis"), _cases())
def test_budget_is_met_and_estimated(loss: str, synthesis: str) -> None:
    """The file fills 97 to 100 % of the budget; the float estimate is within 0.5 % + 30 bytes."""
    budget = 500.0 if synthesis.startswith("wavelet") else 450.0
    result = _run(loss=loss, synthesis=synthesis, bytes_per_class=budget)
    assert Budget(budget, 2).holds(result.size_bytes)
    assert abs(result.estimated_bytes - result.size_bytes) < 0.005 * result.size_bytes + 30
    decoded = decode_bytes(result.encoded.data)
    assert decoded.images.shape == (16, 3, 8, 12)
    assert decoded.class_names == ("across", "down")


@pytest.mark.parametrize("share", ["class", "groups", "all"])
def test_decoded_images_resemble_the_real_ones(share: str) -> None:
    """Coded real images are far closer to their originals than grey ones, however shared."""
    result = _run(share=share, bytes_per_class=900.0)
    decoded = decode_bytes(result.encoded.data).images.astype(float)
    error = np.mean((decoded - result.real_images) ** 2)
    assert error < 0.35 * np.var(result.real_images.astype(float), axis=0).mean() * 4
    assert error < 0.5 * np.var(result.real_images.astype(float))


def test_same_seed_same_bytes() -> None:
    """A run is repeatable to the byte on one machine, and another seed changes it."""
    first, again, other = _run(seed=3), _run(seed=3), _run(seed=4)
    assert first.encoded.data == again.encoded.data
    assert first.encoded.data != other.encoded.data


def test_unfillable_budget_is_left_unfilled() -> None:
    """One 8×12 image cannot use 20 kB: the file stays below its floor instead of padding."""
    result = _run(images_per_class=1, bytes_per_class=20_000.0)
    assert result.size_bytes < Budget(20_000.0, 2).floor_bytes


def test_budget_too_small_for_the_images() -> None:
    """A budget that holds the networks but not what is left of the images is one error."""
    with pytest.raises(BudgetError):
        _run(bytes_per_class=100.0)


def test_a_fit_that_was_too_short_is_not_blamed_on_the_decoder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where networks would fit but images do not come down, the size reached and a way are said."""
    monkeypatch.setattr("ddcodec.distill.landing.landing.land_on_budget", lambda *_: 1234)
    with pytest.raises(
        BudgetMissedError, match=r"down to 1234 bytes, not to .* 1000; .*--fit-steps"
    ):
        _run(fit_steps=1)


def test_unknown_loss_and_device() -> None:
    """Both are refused before any work."""
    with pytest.raises(RecipeError, match="unknown loss"):
        _run(loss="magic")
    with pytest.raises(RecipeError, match="not a device"):
        _run(device="abacus")


def test_automatic_pool_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a word on pools, dm makes one in the cache; the second run finds it."""
    monkeypatch.setenv("DDC_CACHE", str(tmp_path))
    phases: list[list[str]] = []
    for _ in range(2):
        seen: list[str] = []
        recipe = Recipe(500.0, images_per_class=4, synthesis="wavelet", fit_steps=24, joint_steps=4)
        watch = Supervision(lambda progress, seen=seen: seen.append(progress.phase))
        distill(tiny_dataset(), recipe, watch)
        phases.append(seen)
    assert {"pool training 1/2", "pool statistics 2/2", "joint"} <= set(phases[0])
    assert not any(phase.startswith("pool") for phase in phases[1]) and "joint" in phases[1]
    assert len(list((tmp_path / "pools").iterdir())) == 1


def test_random_networks_need_no_pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--pool random` leaves the cache empty."""
    monkeypatch.setenv("DDC_CACHE", str(tmp_path))
    _run(loss="dm", pool="random", joint_steps=2)
    assert not list(tmp_path.rglob("*"))


def test_grey_images_and_progress() -> None:
    """One channel works, and every phase reports rising steps."""
    seen: list[Progress] = []
    recipe = Recipe(300.0, loss="none", images_per_class=4, synthesis="wavelet", fit_steps=60)
    distill(tiny_dataset(channels=1, height=7, width=5), recipe, Supervision(seen.append))
    assert {progress.phase for progress in seen} == {"start", "fit", "settle"}
    assert all(1 <= progress.step <= progress.steps for progress in seen)
    assert all(
        np.isfinite(progress.rate_bytes or 0.0) and (progress.loss or 0.0) >= 0 for progress in seen
    )


class CountingLoss(DistillationLoss):
    """Remembers how many images every step hands in."""

    seen: ClassVar[list[int]] = []

    def __init__(self, *_: object) -> None:
        pass

    def __call__(self, images: Tensor, labels: Tensor, step: int) -> Tensor:
        """Return the mean of all pixels."""
        self.seen.append(len(labels))
        return images.mean()


@pytest.mark.parametrize(("sees_all", "images"), [(False, 6), (True, 16)])
def test_steps_take_all_images_for_losses_that_ask(
    sees_all: bool, images: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six images may be in a step, of sixteen, unless more cost the loss nothing."""
    monkeypatch.setattr(recipe_parts, "JOINT_IMAGES", 6)
    monkeypatch.setattr(CountingLoss, "sees_all_images", sees_all)
    monkeypatch.setattr(CountingLoss, "seen", [])
    _run(loss=f"{__name__}:CountingLoss", joint_steps=2)
    assert CountingLoss.seen == [images, images]


@pytest.mark.parametrize("sees_all", [False, True])
def test_few_visits_are_faster_ones(sees_all: bool) -> None:
    """A short phase begins faster, up to three times as fast."""
    speeds = [first_speed(0.01, visits, sees_all) for visits in (0.5, 30, 50, 100, 800)]
    assert speeds == pytest.approx([0.03, 0.03, 0.02, 0.01, 0.01])


def test_many_visits_are_slower_ones() -> None:
    """Where every step moves all images, a long phase begins more slowly."""
    assert first_speed(0.01, 1200, sees_all_images=False) == 0.01
    assert first_speed(0.01, 800, sees_all_images=True) == 0.01
    assert first_speed(0.01, 1600, sees_all_images=True) == pytest.approx(0.005)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("loss", ["none", *(name for name in LOSSES if name != "tm")])
def test_on_a_gpu(loss: str) -> None:
    """Files made on a GPU fill their budget and decode like any other."""
    result = _run(loss=loss, device="cuda")
    assert Budget(500.0, 2).holds(result.size_bytes)
    decoded = decode_bytes(result.encoded.data)
    assert decoded.images.shape == (16, 3, 8, 12)
    error = np.mean((decoded.images.astype(float) - result.real_images) ** 2)
    assert error < np.mean((result.real_images - result.real_images.mean()) ** 2)
