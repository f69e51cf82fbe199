"""References: which real images, which accuracies are kept, and the scores made of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddcodec.datasets.base import Dataset, ImageSplit, split_validation
from ddcodec.errors import DataError
from ddcodec.evaluation import AccuracyReport, EvaluationSettings, Judgement, Protocol, references
from ddcodec.evaluation.random_real import draw_random_real
from ddcodec.evaluation.references import References, cost
from ddcodec.evaluation.report import label_robust_score
from ddcodec.kept.notices import KeptWarning

PROTOCOL = Protocol("short", updates=2, batch_size=4, network_width=4)
SETTINGS = EvaluationSettings(PROTOCOL, (3, 4), 2)


def _dataset() -> Dataset:
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(2), 20)
    split = ImageSplit(random.integers(0, 256, (40, 3, 8, 8)).astype(np.uint8), labels)
    return Dataset("noise", ("a", "b"), split, split, "fingerprint")


@given(st.lists(st.integers(0, 9), min_size=3, max_size=3), st.integers(0, 2**32))
def test_random_real_images_are_as_many_of_each_class(counts: list[int], seed: int) -> None:
    """Every class has its number, no image comes twice, and the seed decides."""
    labels = np.array([2, 0, 1] * 9)
    rows = draw_random_real(labels, np.array(counts), seed)
    assert np.bincount(labels[rows], minlength=3).tolist() == counts
    assert len(set(rows.tolist())) == len(rows)
    assert np.array_equal(rows, draw_random_real(labels, np.array(counts), seed))


def test_draws_differ_and_grow() -> None:
    """Other seeds draw others; more of a class contain the fewer; too many are refused."""
    labels = np.zeros(50, np.int64)
    five, same, other = (
        draw_random_real(labels, np.array([n]), s) for n, s in ((5, 0), (9, 0), (5, 1))
    )
    assert same[:5].tolist() == five.tolist() and other.tolist() != five.tolist()
    with pytest.raises(DataError, match="50 real images, which cannot stand for 51"):
        draw_random_real(labels, np.array([51]), 0)


def test_accuracies_are_kept_by_all_they_depend_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second report trains nothing; another seed, network, protocol, count or split does."""
    trained = []
    original = references.evaluate_labelled

    def counted(*arguments: object) -> AccuracyReport:
        trained.append(arguments[0])
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(references, "evaluate_labelled", counted)
    real = _dataset()
    assert real.test is not None
    made = References(real, real.test, "test", tmp_path)
    some = made.random_real(np.array([0, 1, 1]))
    first = made.report(some, SETTINGS)
    assert len(trained) == 2 and first.num_images == 3
    assert first.seeds == (3, 4) and first.label_mode == "hard"
    assert not np.array_equal(trained[0].images, trained[1].images)
    assert made.report(some, SETTINGS).accuracies == first.accuracies
    assert made.missing(some, SETTINGS) == () and len(trained) == 2
    others = [
        (made, some, replace(SETTINGS, seeds=(5,))),
        (made, some, replace(SETTINGS, seeds=(3,), arch="convnet-none")),
        (made, some, replace(SETTINGS, seeds=(3,), protocol=replace(PROTOCOL, updates=3))),
        (made, made.random_real(np.array([0, 1])), replace(SETTINGS, seeds=(3,))),
        (made, made.full_data(), replace(SETTINGS, seeds=(3,))),
        (References(real, real.test, "val", tmp_path), some, replace(SETTINGS, seeds=(3,))),
        (
            References(replace(real, fingerprint="x"), real.test, "test", tmp_path),
            some,
            replace(SETTINGS, seeds=(3,)),
        ),
    ]
    for which, reference, settings in others:
        assert which.missing(reference, settings) == settings.seeds


def test_what_is_kept_may_be_damaged_or_impossible(tmp_path: Path) -> None:
    """A damaged entry is trained again; without a writable cache all goes on."""
    real = _dataset()
    assert real.test is not None
    made = References(real, real.test, "test", tmp_path)
    one = replace(SETTINGS, seeds=(3,))
    accuracy = made.report(made.full_data(), one).accuracies
    (kept,) = (tmp_path / "references").iterdir()
    text = kept.read_text()
    digit = text[text.index('"accuracy"') :].split(".")[0][-1]
    changed = text.replace(f"{digit}.", f"{9 - int(digit)}.", 1)
    assert changed != text
    for damage in (changed, "", "[]", '{"accuracy": 101}', '{"accuracy": null}'):
        kept.write_text(damage)
        with pytest.warns(KeptWarning, match="is damaged; the reference is trained again"):
            assert made.missing(made.full_data(), one) == (3,)
    assert made.report(made.full_data(), one).accuracies == accuracy
    (tmp_path / "file").touch()
    nowhere = References(real, real.test, "test", tmp_path / "file")
    assert nowhere.report(nowhere.full_data(), one).accuracies == accuracy


def test_validation_images_are_no_references_for_themselves(tmp_path: Path) -> None:
    """Where the validation part is tested on, references come from the rest."""
    real = _dataset()
    training, validation = split_validation(real.train.labels)
    test = ImageSplit(real.train.images[validation], real.train.labels[validation])
    made = References(real, test, "val", tmp_path)
    assert made.full_data().counts == (18, 18)
    assert np.array_equal(made._training(made.full_data(), 0).images, real.train.images[training])


def test_cost_is_said_in_updates() -> None:
    """The full data under 1000 epochs takes as many updates as it has batches."""
    standard = replace(SETTINGS, protocol=Protocol("standard", epochs=1000))
    assert cost(references.Reference("full data", (5000,) * 10), standard, 5) == (
        "5 networks of 196,000 updates of 256 images"
    )
    assert cost(references.Reference("random real", (1, 1)), SETTINGS, 1) == (
        "1 network of 2 updates of 2 images"
    )


def _report(accuracy: float) -> AccuracyReport:
    return AccuracyReport("quick", "convnet", (0,), (accuracy,), "hard", 1, 1.0, 1, 1.0)


def test_scores_by_hand() -> None:
    """HLR is measured on hard labels, IOR on all of them; the score has its ends at ±1."""
    judged = Judgement(_report(60.0), _report(70.0), _report(85.0), _report(50.0))
    assert judged.hard_label_recovery == 25.0
    assert judged.improvement_over_random == 20.0
    # α = (0.20 − 0.25) / 2 = −0.025: (0.975310 − 0.367879) / 2.350402.
    assert judged.label_robust_score == pytest.approx(0.258437, abs=1e-6)
    assert replace(judged, all_labels=None).improvement_over_random == 10.0
    assert replace(judged, full_data=None).label_robust_score is None
    assert replace(judged, random_real=None).label_robust_score is None
    assert label_robust_score(-100.0, 100.0) == pytest.approx(1.0)
    assert label_robust_score(100.0, -100.0) == pytest.approx(0.0)
    assert judged.to_json()["hard"]["mean"] == 60.0
