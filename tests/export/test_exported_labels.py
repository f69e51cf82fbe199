"""Arrays carry what a file says about its images beyond classes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from export.golden_files import golden

from ddcodec.codec.labels.labeler import ExactLabeler
from ddcodec.codec.labels.soft_labels import probabilities_of
from ddcodec.errors import FormatError
from ddcodec.export import source as source_module
from ddcodec.export.npz import NpzFile
from ddcodec.export.pt import PtFile
from ddcodec.export.source import ExportSource
from ddcodec.format.limits import DecodeLimits


def _written(name: str, kind: str, tmp_path: Path, rows: list[int] | None) -> np.ndarray | None:
    numbers = None if rows is None else np.array(rows)
    source, target = ExportSource.of(golden(name), numbers), tmp_path / f"x.{kind}"
    if kind == "npz":
        NpzFile().write(source, target)
        loaded = np.load(target)
        return loaded.get("soft_labels")
    PtFile().write(source, target)
    found = torch.load(target, weights_only=True).get("soft_labels")
    return None if found is None else found.numpy()


@pytest.mark.parametrize("kind", ["npz", "pt"])
@pytest.mark.parametrize("rows", [None, [0, 2]])
def test_listed_labels(kind: str, rows: list[int] | None, tmp_path: Path) -> None:
    """Soft labels of the selected images are written as probabilities."""
    soft = golden("soft").content.soft_labels
    assert soft is not None
    expected = soft.probabilities if rows is None else soft.probabilities[rows]
    written = _written("soft", kind, tmp_path, rows)
    assert written is not None and np.array_equal(written, expected)
    assert np.allclose(written.sum(axis=1), 1)


@pytest.mark.parametrize("kind", ["npz", "pt"])
def test_labels_by_the_labeler(kind: str, tmp_path: Path) -> None:
    """A labeler is asked about every selected image."""
    decoded = golden("labeler")
    assert decoded.header.labeler is not None and decoded.content.labeler is not None
    labeler = ExactLabeler(decoded.header.labeler, decoded.content.labeler)
    expected = probabilities_of(labeler.logits(decoded.images[[1, 5, 7]]) / 4096)
    written = _written("labeler", kind, tmp_path, [1, 5, 7])
    assert written is not None and np.array_equal(written, expected)


def test_labels_of_renditions(tmp_path: Path) -> None:
    """Soft labels go along with every rendition; a labeler sees each by itself."""
    soft = golden("soft").content.soft_labels
    assert soft is not None
    NpzFile().write(ExportSource(golden("soft"), np.array([0, 2]), 2), tmp_path / "soft.npz")
    written = np.load(tmp_path / "soft.npz")["soft_labels"]
    assert np.array_equal(written, soft.probabilities[[0, 0, 2, 2]])
    decoded = golden("labeler")
    NpzFile().write(ExportSource(decoded, np.array([3]), 2), tmp_path / "labeler.npz")
    arrays = np.load(tmp_path / "labeler.npz")
    assert decoded.header.labeler is not None and decoded.content.labeler is not None
    labeler = ExactLabeler(decoded.header.labeler, decoded.content.labeler)
    expected = probabilities_of(labeler.logits(arrays["images"]) / 4096)
    assert np.array_equal(arrays["soft_labels"], expected) and len(expected) == 2


def test_hard_labels_bring_none(tmp_path: Path) -> None:
    """A file of hard labels has no further array."""
    assert _written("grey", "npz", tmp_path, None) is None


def test_endless_labelling_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What decoding is not bounded for is bounded here."""
    monkeypatch.setattr(source_module, "DecodeLimits", lambda: DecodeLimits(max_seconds=1e-6))
    with pytest.raises(FormatError, match=r"--max-seconds .* or ask for less"):
        _written("labeler", "npz", tmp_path, None)
