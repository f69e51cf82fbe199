"""What `ddc distill` can be told about labels."""

from __future__ import annotations

import click

from ddcodec.cli.shared.options import COUNT, parse_positive

LABELS = ("hard", "soft", "labeler", "auto")

LABEL_OPTIONS = (
    click.option(
        "--labels", type=click.Choice(LABELS), default="hard",
        help="What students learn: class numbers, vectors of a teacher, or what a small network in "
        "the file says of every augmented view; auto makes a file of each kind and keeps the best "
        "by the validation part.",
    ),
    click.option(
        "--labeler-share", type=parse_positive, default=0.3, metavar="SHARE",
        help="Largest part of the budget for the labeler.",
    ),
    click.option(
        "--labeler-epochs", type=parse_positive, default=24.0, metavar="N",
        help="Passes over the training part that the labeler is trained for, and a teacher of "
        "--teacher auto.",
    ),
    click.option(
        "--labeler-from", metavar="FILE", show_default="none",
        help="Take the labeler of another .ddc as it is, instead of training one; with --labels "
        "soft it is the teacher.",
    ),
    click.option(
        "--renditions", type=COUNT, metavar="N", show_default="8",
        help="Times a student is advised to have each image drawn, with other details each time; "
        "1 also leaves details out of what is optimised.",
    ),
    click.option(
        "--teacher", metavar="FOLDER|auto", show_default="none",
        help="Made by `ddc teacher`: for --labels soft, for a labeler to learn from, and for "
        "--init crops and packed; auto is made once for a dataset and kept in the cache.",
    ),
)  # fmt: skip
