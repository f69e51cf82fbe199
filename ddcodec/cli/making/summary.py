"""What is printed about a finished run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ddcodec.budget import format_bytes
from ddcodec.cli.shared.console import format_duration

if TYPE_CHECKING:
    from ddcodec.distill.recipe.recipe import Recipe
    from ddcodec.distill.running.distilled import Distilled
    from ddcodec.distill.running.stages import StageEnded


def below_floor(asked: Recipe) -> str:
    """Say why a file stays below the floor of its budget."""
    if asked.parameterization == "pixels":
        return "The file stays below 97 % of the budget: one more image would exceed it."
    return (
        "The file stays below 97 % of the budget: even the finest steps need no more; raise --spc "
        "or choose a larger --synthesis to use the rest."
    )


def run_summary(distilled: Distilled, path: Path) -> list[tuple[str, str]]:
    """Return what to print about a finished run."""
    from ddcodec.results.inspection import describe_decoder

    size, budget = distilled.size_bytes, distilled.budget
    allocation = distilled.allocation
    counts = allocation.class_counts
    per_class = f"{counts.min()} per class"
    if counts.min() != counts.max():
        fewest = f"fewest of class {counts.argmin()}"
        per_class = f"{counts.min()} to {counts.max()} per class, {fewest}"
    difference = size - distilled.estimated_bytes
    bytes_per_class = size / budget.num_classes
    return [
        ("file", str(path)),
        ("size", format_bytes(size)),
        ("budget", f"{format_bytes(budget.budget_bytes)}, {size / budget.budget_bytes:.2%} used"),
        ("bits per class", f"{8 * bytes_per_class:,.1f}"),
        ("bytes per class", f"{bytes_per_class:,.1f}"),
        (
            "estimated",
            f"{distilled.estimated_bytes:,.1f} bytes, the file has {difference:+,.1f} bytes "
            f"({difference / size:+.2%})",
        ),
        ("images", f"{counts.sum()}, {per_class}"),
        (
            "decoder",
            describe_decoder(allocation.synthesis.synthesis_id, allocation.synthesis.widths),
        ),
        ("network sets", f"{allocation.num_sets}"),
        *_search(distilled),
        *_selection(distilled),
        *_label_choice(distilled),
        *_reading(distilled.encoded.options_to_read),
        ("time", format_duration(distilled.seconds)),
    ]


def stage_summary(end: StageEnded) -> list[tuple[str, str]]:
    """Return what to print about a run that ended after a stage."""
    return [
        ("stage", f"{end.stage}, done"),
        ("left", end.left),
        ("to go on", "the same command with --resume, with a later --until or without"),
    ]


def _reading(options: str) -> list[tuple[str, str]]:
    return [("to read it", f"give {options}: more than such a file may take")] if options else []


def _search(distilled: Distilled) -> list[tuple[str, str]]:
    if not distilled.trials:
        return []
    return [("searched", f"{len(distilled.trials)} short fits")]


def _label_choice(distilled: Distilled) -> list[tuple[str, str]]:
    found = distilled.label_accuracies
    if not found:
        return []
    each = ", ".join(f"{name} {value:.1f} %" for name, value in found.items())
    return [("labels", f"{max(found, key=lambda name: found[name])}, of {each} on validation")]


def _selection(distilled: Distilled) -> list[tuple[str, str]]:
    if distilled.accuracy is None:
        return []
    step = f"joint step {distilled.selected_step}, {distilled.accuracy:.1f} % on validation"
    return [("selected", f"{step} (short training of small networks)")]
