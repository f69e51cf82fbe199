"""Soft labels in the file: fixed-point logits under a table for each pair of class and output.

An image's logits are predicted by its class: for each class and each output there is a location
and a scale, learned from the labels themselves and part of the file.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddcodec.codec.parameters import NUM_STEP_EXPONENTS, QuantizedTensor, code_tensor
from ddcodec.entropy import tables
from ddcodec.entropy.laplace import LaplaceModel
from ddcodec.entropy.range_coder import Coder

LOC_LIMIT = 1 << 19
"""Largest magnitude of a location, in sixteenths of a step."""

UNIT_SCALE = tables.UNIT_SCALE_INDEX
"""Index of the Laplace table whose scale is one step."""


@dataclass(frozen=True)
class SoftLabels:
    """Logits of every image as integers.

    Attributes:
        logits: N × classes, int16, images sorted by class.
        step_exponent: a logit is its integer times 2^−step_exponent.
        loc: classes × outputs, in sixteenths of a step, int64.
        scale: classes × outputs, Laplace table less `UNIT_SCALE`, int64.
    """

    logits: NDArray[np.int16]
    step_exponent: int
    loc: NDArray[np.int64]
    scale: NDArray[np.int64]

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """What the logits say, N × classes; each row sums to 1."""
        return probabilities_of(self.logits.astype(np.float64) * 2.0**-self.step_exponent)


def probabilities_of(logits: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the softmax of logits N × classes."""
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: NDArray[np.float32] = weights / weights.sum(axis=1, keepdims=True)
    return shares.astype(np.float32)


def code_soft_labels(
    coder: Coder, soft: SoftLabels | None, labels: NDArray[np.int64], num_classes: int
) -> SoftLabels:
    """Code the logits of images whose classes are known; returns them, or what was read.

    Raises:
        FormatError: if what is read is not valid.
    """
    exponent = coder.uniform(
        None if soft is None else np.array([soft.step_exponent]), NUM_STEP_EXPONENTS, 1
    )
    loc, scale = (
        code_tensor(
            coder,
            None if part is None else QuantizedTensor(part, 0),
            (num_classes, num_classes),
        ).integers
        for part in ((None, None) if soft is None else (soft.loc, soft.scale))
    )
    logits = LaplaceModel().code(
        coder,
        None if soft is None else soft.logits.astype(np.int64).reshape(-1),
        np.clip(loc, -LOC_LIMIT, LOC_LIMIT)[labels].reshape(-1),
        np.clip(scale + UNIT_SCALE, 0, tables.NUM_SCALES - 1)[labels].reshape(-1),
    )
    shape = (len(labels), num_classes)
    return SoftLabels(logits.reshape(shape).astype(np.int16), int(exponent[0]), loc, scale)
