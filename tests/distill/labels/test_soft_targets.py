"""Soft labels cost what the coder spends, and lose what they say they lose."""

import numpy as np
import pytest

from ddcodec.codec.labels.soft_labels import code_soft_labels
from ddcodec.distill.labels.soft_targets import (
    SoftSettings,
    divergence,
    soft_label_bits,
    soft_labels_of,
    truncated,
    with_class,
)
from ddcodec.entropy.range_coder import RangeEncoder

LABELS = np.repeat(np.arange(5), 40)


def _logits(spread: float = 2.0) -> np.ndarray:
    logits = np.random.default_rng(0).normal(0, spread, (200, 5))
    logits[np.arange(200), LABELS] += 5
    return logits


def _wanted() -> np.ndarray:
    return with_class(_logits(), LABELS, SoftSettings().teacher_weight)


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_labels_say_the_class_as_surely_as_asked(weight: float) -> None:
    """The teacher has its part of each label, and the class the rest."""
    logits = np.log(np.array([[0.2, 0.7, 0.1], [0.2, 0.3, 0.5]]))
    mixed = np.exp(with_class(logits, np.array([0, 2]), weight))
    classes = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    assert np.allclose(mixed, weight * np.exp(logits) + (1 - weight) * classes)


@pytest.mark.parametrize("kept", [1, 2, 5, None])
def test_bits_are_those_of_the_coder(kept: int | None) -> None:
    """The planned bits are within a few of what is really coded."""
    soft, bits = soft_labels_of(_logits(), LABELS, SoftSettings(kept=kept))
    coder = RangeEncoder()
    code_soft_labels(coder, soft, LABELS, 5)
    assert abs(coder.bits - bits) < 8
    assert bits == soft_label_bits(soft, LABELS)


def test_finer_steps_lose_less_and_cost_more() -> None:
    """Rate and divergence are traded by the step."""
    found = [
        soft_labels_of(_logits(), LABELS, SoftSettings(step_exponent=exponent, kept=5))
        for exponent in (0, 1, 2, 3)
    ]
    losses = [divergence(_wanted(), soft) for soft, _ in found]
    bits = [cost for _, cost in found]
    assert losses == sorted(losses, reverse=True)
    assert bits == sorted(bits)


def test_dear_divergence_buys_bits() -> None:
    """What a nat is worth decides what is chosen."""
    cheap, few = soft_labels_of(_logits(), LABELS, SoftSettings(bits_per_nat=1.0))
    dear, many = soft_labels_of(_logits(), LABELS, SoftSettings(bits_per_nat=1000.0))
    assert few < many
    assert divergence(_wanted(), dear) < divergence(_wanted(), cheap)


def test_truncation_keeps_the_largest() -> None:
    """The kept logits stay as they were below the largest, the others share one floor."""
    below = truncated(np.array([[3.0, 1.0, -1.0], [0.0, 5.0, 4.0]]), kept=2)
    floor = below[0, 2]
    assert below.tolist() == [[0.0, -2.0, floor], [floor, 0.0, -1.0]]
    assert -5.0 < floor < -4.0


def test_sure_labels_cost_next_to_nothing() -> None:
    """A teacher that always says the class costs the tables, and nothing for each image."""

    def bits(repeats: int) -> float:
        labels = np.repeat(np.arange(5), 40 * repeats)
        logits = np.full((len(labels), 5), -12.0)
        logits[np.arange(len(labels)), labels] = 12.0
        return soft_labels_of(logits, labels, SoftSettings())[1]

    assert bits(1) < 500
    assert bits(10) - bits(1) < 20
