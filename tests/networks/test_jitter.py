"""Jitter: every image its own, constants by hand, nothing from outside an image."""

import pytest
import torch
from torch import Tensor

from ddcodec.networks import jitter as module
from ddcodec.networks.jitter import jitter


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _without(monkeypatch: pytest.MonkeyPatch, *kept: str) -> None:
    """Switch all changes off but those that are kept."""
    neutral = {"MAX_SCALE": 1.0, "MAX_ASPECT": 1.0}
    names = ("MAX_ROTATION_DEGREES", "MAX_SHIFT", "SATURATION", "CONTRAST", "BRIGHTNESS", "TINT")
    for name, value in (neutral | dict.fromkeys(names, 0.0)).items():
        if name not in kept:
            monkeypatch.setattr(module, name, value)


def test_mirrors_half_of_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """With everything else off an image is itself or its mirror image."""
    _without(monkeypatch)
    images = torch.randn(1, 3, 6, 10).expand(64, -1, -1, -1)
    changed = jitter(images, _generator())
    same = torch.isclose(changed, images, atol=1e-5).flatten(1).all(1)
    mirrored = torch.isclose(changed, images.flip(3), atol=1e-5).flatten(1).all(1)
    assert (same ^ mirrored).all() and 20 < same.sum() < 44


def test_whole_shifts(monkeypatch: pytest.MonkeyPatch) -> None:
    """An eighth of 16 pixels to either side at most, and the edge is mirrored in."""
    _without(monkeypatch, "MAX_SHIFT")
    ramp = torch.arange(16.0).expand(200, 1, 16, 16).contiguous()
    changed = jitter(ramp, _generator())
    centre = changed[:, 0, 8, 8]
    steps = torch.where(centre > changed[:, 0, 8, 7], centre - 8, 7 - centre)
    assert 1.8 < float(steps.max()) <= 2 and -2 <= float(steps.min()) < -1.8
    assert float(changed.min()) >= 0 and float(changed.max()) <= 15


@pytest.mark.parametrize(
    ("kept", "low", "high"), [("BRIGHTNESS", -0.16, 0.16), ("TINT", -0.08, 0.08)]
)
def test_grey_images_move_within_bounds(
    monkeypatch: pytest.MonkeyPatch, kept: str, low: float, high: float
) -> None:
    """What is added to an image is constant over it and no larger than the constant."""
    _without(monkeypatch, kept)
    changed = jitter(torch.zeros(300, 3, 4, 4), _generator())
    levels = changed[:, :, 0, 0]
    assert torch.equal(changed, levels[:, :, None, None].expand_as(changed))
    assert low <= float(levels.min()) < 0.9 * low and 0.9 * high < float(levels.max()) <= high
    assert bool((levels[:, 0] == levels[:, 1]).all()) == (kept == "BRIGHTNESS")


def test_saturation_and_contrast_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Differences between channels are scaled by 0.6 to 1.4, those to the mean by e^±0.28."""
    images = torch.tensor([1.0, -1.0])[:, None, None].expand(300, 2, 4, 4)
    _without(monkeypatch, "SATURATION")
    factors = jitter(images, _generator())[:, 0, 0, 0]
    assert 0.6 <= float(factors.min()) < 0.65 and 1.35 < float(factors.max()) <= 1.4
    monkeypatch.undo()
    _without(monkeypatch, "CONTRAST")
    factors = jitter(images, _generator())[:, 0, 0, 0]
    assert 0.755 < float(factors.min()) < 0.78 and 1.29 < float(factors.max()) < 1.324


@pytest.mark.parametrize("shape", [(5, 1, 8, 8), (3, 3, 32, 32), (2, 4, 7, 12)])
def test_every_image_is_another_and_the_seed_decides(shape: tuple[int, ...]) -> None:
    """Copies of one image differ afterwards; the same generator gives the same again."""
    images = torch.randn(1, *shape[1:]).expand(shape)
    first: Tensor = jitter(images, _generator(1))
    assert first.shape == images.shape and torch.isfinite(first).all()
    assert len({tuple(image.flatten().tolist()) for image in first}) == shape[0]
    assert torch.equal(first, jitter(images, _generator(1)))
    assert not torch.equal(first, jitter(images, _generator(2)))
