"""Losses by name: the package's, the example's, and what can go wrong with one's own."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from distill.loss_inputs import SETTINGS, real_data, synthetic

from ddcodec.distill.losses import LOSSES, build_loss, find_loss
from ddcodec.errors import DataError, RecipeError

EXAMPLES = Path(__file__).parents[3] / "examples"

OWN = """
from ddcodec.distill.losses import DistillationLoss

class Zero(DistillationLoss):
    def __init__(self, real_images, real_labels, settings):
        self.settings = settings
    def __call__(self, images, labels, step):
        return 0 * images.sum()

class Alien:
    def __init__(self, real_images, real_labels, settings):
        pass

class Narrow(DistillationLoss):
    def __init__(self, real_images):
        pass

number = 3
"""


@pytest.fixture(autouse=True)
def _own_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in a folder with modules of a user's, and forget them afterwards."""
    (tmp_path / "own_losses.py").write_text(OWN)
    (tmp_path / "own_broken.py").write_text("x = 1 / 0")
    (tmp_path / "own_needs.py").write_text("import a_package_that_is_nowhere")
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    yield
    assert sys.path == before
    for name in ("own_losses", "own_broken", "own_needs", "custom_loss"):
        sys.modules.pop(name, None)


def test_own_names_are_found() -> None:
    """Every key leads to its class, and a user's class is found in the current folder."""
    for name, builder in LOSSES.items():
        assert find_loss(name, LOSSES) is builder
    loss = build_loss(find_loss("own_losses:Zero", LOSSES), *real_data(), SETTINGS)
    images, labels = synthetic()
    assert loss(images, labels, 0).item() == 0
    assert loss.classes_for_step(0) is None
    assert (loss.state_dict(), loss.parameters()) == ({}, ())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("magic", "unknown loss 'magic'.*none, dm.*module:Class"),
        (":Zero", "names no class"),
        ("own_losses:", "names no class"),
        ("nowhere_at_all:Zero", "no module 'nowhere_at_all'"),
        ("own_losses:Missing", "no class 'Missing'"),
        ("own_losses:number", "no class 'number'"),
        ("own_broken:Loss", "cannot be imported: ZeroDivisionError"),
        ("own_needs:Loss", "needs 'a_package_that_is_nowhere'"),
        ("own_losses:Alien", "lacks methods"),
        ("own_losses:Narrow", "cannot be built.*real_labels and settings"),
    ],
)
def test_names_that_lead_nowhere(name: str, said: str) -> None:
    """Each gets one sentence that says what to do."""
    with pytest.raises(RecipeError, match=said):
        build_loss(find_loss(name, LOSSES), *real_data(), SETTINGS)


def test_what_a_loss_finds_wrong_is_passed_on() -> None:
    """A loss's own errors are not mistaken for errors in its constructor."""
    images, labels = real_data()
    with pytest.raises(DataError):
        build_loss(LOSSES["dm"], images[1:], labels, SETTINGS)


def test_the_example_can_be_descended(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example is a loss; it is zero on the real images and falls when it is descended."""
    monkeypatch.chdir(EXAMPLES)
    real, real_labels = real_data()
    builder = find_loss("custom_loss:PixelMoments", LOSSES)
    loss = build_loss(builder, real, real_labels, SETTINGS)
    shown = (torch.from_numpy(real) / 255 - 0.5) / 0.25
    assert loss(shown, torch.from_numpy(real_labels), 0).item() < 1e-8
    images, labels = synthetic()
    before = loss(images, labels, 0).item()
    optimizer = torch.optim.Adam([images], lr=0.05)
    for step in range(20):
        optimizer.zero_grad()
        loss(images, labels, step).backward()
        optimizer.step()
    assert loss(images, labels, 20).item() < 0.5 * before
