"""Soft labels from a teacher's logits: what of them is worth its bits, and tables that fit it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ddcodec.codec.labels.soft_labels import UNIT_SCALE, SoftLabels
from ddcodec.codec.parameters import QuantizedTensor, coded_bits
from ddcodec.entropy import tables
from ddcodec.entropy.laplace import escape_raw_bits, table_rows

Logits = NDArray[np.float64]

STEP_EXPONENTS = (0, 1, 2, 3)
DEEPEST = 8.0
"""Logits further below the largest are as good as that: e^−8 of its probability."""


@dataclass(frozen=True)
class SoftSettings:
    """How soft labels are made.

    Attributes:
        temperature: by which logits are divided.
        teacher_weight: part of a label that is the teacher's, in 0 … 1; the rest says the class,
            which a teacher often does not recognise in a coarsely coded image.
        bits_per_nat: what a nat of divergence from the teacher is worth, in bits.
        step_exponent: steps are 2^−step_exponent; None chooses by rate and divergence.
        kept: logits of each image that are kept, the largest; None chooses likewise.
    """

    temperature: float = 1.0
    teacher_weight: float = 0.5
    bits_per_nat: float = 40.0
    step_exponent: int | None = None
    kept: int | None = None


def soft_labels_of(
    logits: Logits, labels: NDArray[np.int64], settings: SoftSettings
) -> tuple[SoftLabels, float]:
    """Return the soft labels of the least rate and divergence, and their bits.

    Args:
        logits: a teacher's, N × classes.
        labels: class of each image, rising.
        settings: see there.
    """
    num_classes = logits.shape[1]
    wanted = with_class(logits / settings.temperature, labels, settings.teacher_weight)
    exponents = STEP_EXPONENTS if settings.step_exponent is None else (settings.step_exponent,)
    kept = sorted({min(count, num_classes) for count in (1, 2, 3, 5, num_classes)})
    if settings.kept is not None:
        kept = [min(settings.kept, num_classes)]
    best: tuple[float, SoftLabels, float] | None = None
    for exponent, count in product(exponents, kept):
        soft = _fitted(truncated(wanted, count), labels, exponent)
        bits = soft_label_bits(soft, labels)
        cost = bits + settings.bits_per_nat * divergence(wanted, soft)
        if best is None or cost < best[0]:
            best = cost, soft, bits
    assert best is not None
    return best[1], best[2]


def with_class(logits: Logits, labels: NDArray[np.int64], teacher_weight: float) -> Logits:
    """Return logits of a mixture of a teacher's probabilities and the class of each image."""
    probabilities = teacher_weight * np.exp(_log_softmax(logits))
    probabilities[np.arange(len(labels)), labels] += 1 - teacher_weight
    mixed: Logits = np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
    return mixed


def truncated(logits: Logits, kept: int) -> Logits:
    """Return logits below 0, the largest being 0, and all but the `kept` largest at the floor.

    The floor is the same for all images, or each would have to tell its own: it gives the classes
    left out what they have on average.
    """
    below = logits - logits.max(axis=1, keepdims=True)
    num_classes = logits.shape[1]
    if kept < num_classes:
        order = np.argsort(-below, axis=1, kind="stable")
        rest = np.take_along_axis(below, order[:, kept:], axis=1)
        floor = np.log(np.exp(rest).mean() + np.exp(-DEEPEST))
        below = np.maximum(below, floor)
        np.put_along_axis(below, order[:, kept:], np.broadcast_to(floor, rest.shape), axis=1)
    floored: Logits = np.maximum(below, -DEEPEST)
    return floored


def divergence(logits: Logits, soft: SoftLabels) -> float:
    """Return the sum over images of KL(what labels should be ‖ soft labels) in nats."""
    log_wanted = _log_softmax(logits)
    log_soft: Logits = np.log(soft.probabilities.astype(np.float64))
    return float((np.exp(log_wanted) * (log_wanted - log_soft)).sum())


def soft_label_bits(soft: SoftLabels, labels: NDArray[np.int64]) -> float:
    """Return what coding soft labels costs in bits, from the coder's own tables."""
    details = coded_bits(QuantizedTensor(soft.loc, 0)) + coded_bits(QuantizedTensor(soft.scale, 0))
    scale = np.clip(soft.scale + UNIT_SCALE, 0, tables.NUM_SCALES - 1)
    costs = _costs(soft.logits.astype(np.int64), soft.loc[labels], scale[labels])
    return details + float(costs.sum())


def _log_softmax(logits: Logits) -> Logits:
    below = logits - logits.max(axis=1, keepdims=True)
    normalised: Logits = below - np.log(np.exp(below).sum(axis=1, keepdims=True))
    return normalised


def _fitted(below: Logits, labels: NDArray[np.int64], exponent: int) -> SoftLabels:
    """Quantise logits and give each class and output its cheapest table."""
    num_classes = below.shape[1]
    integers = np.rint(below * 2.0**exponent).astype(np.int64)
    loc = np.zeros((num_classes, num_classes), dtype=np.int64)
    scale = np.zeros_like(loc)
    for label in np.unique(labels):
        own = integers[labels == label]
        loc[label] = np.rint(16 * np.median(own, axis=0)).astype(np.int64)
        candidates = np.stack(
            [
                _costs(own, loc[label], np.full(num_classes, index)).sum(axis=0)
                for index in range(tables.NUM_SCALES)
            ]
        )
        scale[label] = candidates.argmin(axis=0) - UNIT_SCALE
    return SoftLabels(integers.astype(np.int16), exponent, loc, scale)


def _costs(
    values: NDArray[np.int64], loc16: NDArray[np.int64], scale: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the bits of each value under its table."""
    loc, rows = table_rows(loc16, scale)
    index = tables.residual_to_index(values - loc)
    rows = np.broadcast_to(rows, index.shape)
    by_symbol = tables.laplace_bits().reshape(-1, tables.NUM_SYMBOLS)
    costs: NDArray[np.float64] = by_symbol[rows, np.minimum(index, tables.ESCAPE)]
    escaped = index >= tables.ESCAPE
    costs[escaped] += escape_raw_bits(index[escaped] - tables.ESCAPE)
    return costs
