"""`ddc distill` on sets of few images and at budgets of few bytes: whatever fits is made."""

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from ddcodec.cli import ddc
from ddcodec.codec.decode import decode_bytes


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder with a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DDC_CACHE", str(tmp_path / "cache"))


def make_set(images_per_class: int, classes: int = 2, side: int = 12) -> None:
    """Write smooth pictures of noise to `set`."""
    random = np.random.default_rng(0)
    for label in range(classes):
        Path(f"set/class{label}").mkdir(parents=True)
        for number in range(images_per_class):
            coarse = random.integers(0, 256, (3, 3, 3), dtype=np.uint8)
            picture = Image.fromarray(coarse).resize((side, side))
            picture.save(f"set/class{label}/{number}.png")


def distill(*arguments: str) -> Result:
    """Run `ddc distill set` with the shortest of fits."""
    return CliRunner().invoke(
        ddc, ["distill", "set", "--fit-steps", "3", "--force", "-o", "x.ddc", *arguments]
    )


@pytest.mark.parametrize("images_per_class", [2, 40])
@pytest.mark.parametrize("classes", [3])
def test_the_smallest_budget_is_one_that_is_met(images_per_class: int, classes: int) -> None:
    """A refusal names the smallest budget, and there a file is made, with as many images as fit."""
    make_set(images_per_class, classes)
    result = distill("--bpc", "9", "--loss", "none")
    found = re.search(r"smallest possible is about (\d+) bytes per class\.$", result.output.strip())
    assert result.exit_code == 1 and found is not None
    budget = int(found[1])
    assert budget * classes < 300
    for bytes_per_class in (budget,) if images_per_class == 2 else (budget, budget + 40):
        result = distill("--bpc", str(bytes_per_class), "--loss", "none")
        assert result.exit_code == 0, result.output
        data = Path("x.ddc").read_bytes()
        assert len(data) <= classes * bytes_per_class
        counts = np.bincount(decode_bytes(data).labels, minlength=classes)
        assert counts.min() >= 1 and counts.max() <= images_per_class


def test_one_image_a_class() -> None:
    """Nothing can be held back, so nothing is validated, which is said; labels are not chosen."""
    make_set(1)
    result = distill("--bpc", "300", "--steps", "2", "--pool", "random")
    assert result.exit_code == 0, result.output
    assert "No class has a second image to hold back: nothing is validated." in result.output
    result = distill("--bpc", "300", "--steps", "2", "--labels", "auto")
    assert result.exit_code == 2
    assert "Labels can be chosen only where some class has a second image" in result.output
    result = CliRunner().invoke(ddc, ["eval", "x.ddc", "--data", "set", "--split", "val"])
    assert result.exit_code == 1
    assert "'set' has one image of each class, so that none can be held back" in result.output
