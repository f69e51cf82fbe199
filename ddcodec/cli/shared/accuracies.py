"""How the accuracies of a training set are shown: facts, a table of architectures, JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddcodec.budget import bits_per_class, format_bytes
from ddcodec.cli.shared.console import format_duration, print_facts, print_table

if TYPE_CHECKING:
    from ddcodec.datasets import Dataset
    from ddcodec.evaluation import AccuracyReport, Judgement
    from ddcodec.evaluation.candidates.candidate import Candidate
    from ddcodec.training_set import StudentRecipe

NONE = "–"


def facts_for_json(
    file: Path, candidate: Candidate, real: Dataset, split: str, judgements: Sequence[Judgement]
) -> dict[str, Any]:
    """Return everything there is to say, for `json.dumps`.

    `results` has a judgement for each architecture; the hard-label report of the first, or its
    other one where that was left out, stands in front. `bits_per_class` is null for what is no
    `.ddc`.
    """
    size, is_ddc = candidate.size_bytes, candidate.kind == ".ddc"
    return {
        "file": str(file),
        "kind": candidate.kind,
        "dataset": real.name,
        "split": split,
        "file_bytes": size,
        "bits_per_class": bits_per_class(size, real.num_classes) if is_ddc else None,
        "bytes_per_class": size / real.num_classes if is_ddc else None,
        "advice": advice_for_json(candidate.advice),
        **judgements[0].in_front.to_json(),
        "results": [judgement.to_json() for judgement in judgements],
    }


def print_judgements(
    file: Path,
    candidate: Candidate,
    tested_on: str,
    judgements: Sequence[Judgement],
    num_classes: int,
) -> None:
    """Print the facts that all architectures share, then each, as lines or as a table."""
    first = judgements[0].best
    facts = [("file", str(file)), *_size(candidate, num_classes)]
    facts += [
        ("training set", f"{_images(first)}, {_labels(judgements[0])} labels"),
        ("tested on", tested_on),
        ("protocol", first.protocol),
        *_advice(candidate, first),
        ("updates", f"{first.updates} per network, {first.epochs:.4g} epochs"),
        ("seeds", ", ".join(str(seed) for seed in first.seeds)),
    ]
    seconds = sum(
        report.seconds
        for judgement in judgements
        for report in (
            judgement.hard, judgement.all_labels, judgement.full_data, judgement.random_real,
            judgement.coded_real,
        )
        if report is not None
    )  # fmt: skip
    if len(judgements) == 1:
        facts += _lines(judgements[0])
    print_facts([*facts, ("time", format_duration(seconds))])
    if len(judgements) > 1:
        _print_table(judgements)
    elif judgements[0].coded_real is not None:
        print(_side_by_side(candidate, judgements[0]))


def _size(candidate: Candidate, num_classes: int) -> list[tuple[str, str]]:
    size = candidate.size_bytes
    if candidate.kind != ".ddc":
        return [("size", f"{format_bytes(size)} ({candidate.kind}, not a .ddc)")]
    return [
        ("size", format_bytes(size)),
        ("bits per class", f"{8 * size / num_classes:,.1f}"),
        ("bytes per class", f"{size / num_classes:,.1f}"),
    ]


def advice_for_json(advice: StudentRecipe) -> dict[str, float]:
    """Return what a file advises on views and rates, by name; empty without advice."""
    values = {
        "sgd_rate": advice.sgd_rate,
        "adamw_rate": advice.adamw_rate,
        "cutmix": advice.cutmix,
        "mixup": advice.mixup,
    }
    return {name: value for name, value in values.items() if value is not None}


def _advice(candidate: Candidate, report: AccuracyReport) -> list[tuple[str, str]]:
    from ddcodec.evaluation.protocols import named_protocol

    protocol = named_protocol(report.protocol)
    words = {"sgd_rate": "rate"} if protocol.learned_rate else {}
    if protocol.all_labels:
        words = {"adamw_rate": "rate", "cutmix": "CutMix", "mixup": "mixup"}
    given = {"rate": "learning_rate=", "CutMix": "cutmix=", "mixup": "mixup="}
    advice = advice_for_json(candidate.advice)
    listed = ", ".join(
        f"{word} {advice[name]:g}"
        for name, word in words.items()
        if name in advice and given[word] not in report.protocol
    )
    return [("as the file advises", listed)] if listed else []


def _images(report: AccuracyReport) -> str:
    images = f"{report.num_images} images"
    return images if report.renditions == 1 else f"{images} in {report.renditions} renditions"


def _labels(judgement: Judgement) -> str:
    reports = (judgement.hard, judgement.all_labels)
    return " and ".join(report.label_mode for report in reports if report is not None)


def _lines(judgement: Judgement) -> list[tuple[str, str]]:
    shown = judgement.in_front
    each = ", ".join(f"{accuracy:.2f} %" for accuracy in shown.accuracies)
    lines = [("network", shown.arch), ("accuracies", each)]
    if judgement.hard is not None:
        text = f"{accuracy_text(judgement.hard)} % (mean ± deviation, hard labels)"
        lines.append(("accuracy", text))
    for name, report in (
        ("all labels", judgement.all_labels),
        ("random real", judgement.random_real),
        ("coded real", judgement.coded_real),
        ("full data", judgement.full_data),
    ):
        if report is not None:
            lines.append((name, f"{accuracy_text(report)} % ({report.num_images} images)"))
    if judgement.labeler_accuracy is not None:
        lines.append(("labeler alone", f"{judgement.labeler_accuracy:.2f} %"))
    for name, value in _scores(judgement):
        if value != NONE:
            lines.append((name, value))
    return lines


def _print_table(judgements: Sequence[Judgement]) -> None:
    columns = ["network", "hard labels", "all labels"]
    with_references = any(judgement.random_real for judgement in judgements)
    if with_references:
        columns += [
            "random real",
            "coded real",
            "full data",
            *(name for name, _ in _scores(judgements[0])),
        ]
    rows = []
    for judgement in judgements:
        row = [
            judgement.best.arch,
            accuracy_text(judgement.hard),
            accuracy_text(judgement.all_labels),
        ]
        if with_references:
            row += [
                accuracy_text(report)
                for report in (judgement.random_real, judgement.coded_real, judgement.full_data)
            ]
            row += [value for _, value in _scores(judgement)]
        rows.append(tuple(row))
    print_table(columns, rows)


def _side_by_side(candidate: Candidate, judgement: Judgement) -> str:
    """Say in a sentence what the file is worth beside real images."""
    coded, random = judgement.coded_real, judgement.random_real
    assert coded is not None and random is not None
    raw = random.num_images * candidate.images[0].numel()
    return (
        f"A network learns {judgement.best.mean:.1f} % from this file of "
        f"{format_bytes(candidate.size_bytes)}, {coded.mean:.1f} % from the {coded.num_images} "
        f"real images that WebP codes in as many, and {random.mean:.1f} % from "
        f"{random.num_images} real images as they are, {format_bytes(raw)}."
    )


def accuracy_text(report: AccuracyReport | None) -> str:
    """Return mean and deviation in per cent, or what stands for none."""
    return NONE if report is None else f"{report.mean:.2f} ± {report.std:.2f}"


def _scores(judgement: Judgement) -> list[tuple[str, str]]:
    return [
        ("HLR", _number(judgement.hard_label_recovery)),
        ("IOR", _number(judgement.improvement_over_random)),
        ("label-robust score", _number(judgement.label_robust_score, 3)),
    ]


def _number(value: float | None, digits: int = 2) -> str:
    return NONE if value is None else f"{value:.{digits}f}"
