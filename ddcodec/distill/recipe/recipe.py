"""What a distillation run is asked to do; every setting with a default that works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ddcodec.codec.synthesis import DecoderChoice, parse_decoder
from ddcodec.errors import RecipeError
from ddcodec.format.header import CONTEXT_WIDTHS
from ddcodec.format.limits import MAX_LAYERS
from ddcodec.format.student_recipe import MAX_RENDITIONS

NO_LOSS = "none"
"""The name of the baseline that codes real images as they are."""

PYRAMID_CONTEXTS = ("own", "coarser")
SHARES = ("class", "groups", "all")
INITS = ("random", "herding", "teacher", "crops", "packed")
"""Keys of `INITIALISERS` in `initial_images.py`, then of `PACKS` in `crop_choice.py`."""

CROP_INITS = ("crops", "packed")
"""Those of `PACKS`, which a teacher chooses by."""

OWN_TEACHER = "auto"
"""Stands for no folder: a teacher made once for a dataset and kept in the cache."""

EQUAL, NATURAL = "equal", "natural"
BALANCES = (EQUAL, NATURAL)

LATENTS, PIXELS = "latents", "pixels"
PARAMETERIZATIONS = (LATENTS, PIXELS)

DESCENT = "descent"
QUANTIZERS = (DESCENT, "soft", "ste")

SEARCH = "search"
"""The decoder that short fits of the images find best."""

HARD_LABELS, SOFT_LABELS, LABELER_LABELS, AUTO_LABELS = "hard", "soft", "labeler", "auto"
LABELS = (HARD_LABELS, SOFT_LABELS, LABELER_LABELS, AUTO_LABELS)

_CHOICES = {
    "share": SHARES,
    "init": INITS,
    "parameterization": PARAMETERIZATIONS,
    "balance": BALANCES,
    "context": PYRAMID_CONTEXTS,
    "quantizer": QUANTIZERS,
    "labels": LABELS,
}
"""What settings may be, by name."""

_OPTIONAL = ("share",)
"""Those of them that may be None, too."""


@dataclass(frozen=True)
class Recipe:
    """Settings of one run.

    Attributes:
        bytes_per_class: the budget.
        loss: a key of `LOSSES`, `module:Class` for one of the user's own, or `none`.
        pool: for losses that can use one: `auto` makes one of the dataset's own and keeps it in the
            cache, `random` takes fresh random networks, anything else is a folder of `ddc pool`.
        experts: folder of `ddc experts` for losses that follow trajectories.
        loss_options: settings of the loss alone, by name.
        init: which real images a run starts from, `random`, `herding` or `teacher`, or `crops` of
            them, one or 2×2 `packed` into an image.
        parameterization: what is optimised, `latents` under the rate or plain `pixels`.
        images_per_class: synthetic images of each class; None follows from the budget.
        balance: `equal` gives every class as many images, or all it has; `natural` shares as many
            in all out in proportion to the training images of each class.
        synthesis: a decoder as `parse_decoder` reads it, or `search`, which fits some and takes the
            best, with its context model and share; None follows from the budget.
        share: one set of networks per class, per group of classes or for all; None likewise.
        context: the context model of a pyramid decoder, `own` or `coarser`.
        context_width: inputs of the context model, 8, 16, 24 or 32; None follows from the budget.
        context_depth: its hidden layers, 1 … 8; None likewise.
        fit_steps: steps of phase 1; None takes the usual number (`latent_run.FIT_STEPS`), and for a
            pyramid's start what follows from the number of images.
        joint_steps: steps of phase 2.
        quantizer: how latents follow a loss: `descent` moves integers one by one, `soft` and
            `ste` send gradients through soft rounding or straight through, for comparison.
        skip_init: begin the joint phase on noise instead of fitted real images, for comparison.
        multiplier: λ, the bits that a unit of squared error (pixels in 0 … 1, summed) is worth;
            the size then falls where it may. None lets λ follow the budget.
        time_seconds: wall-clock time that steps are fitted to, in place of their numbers.
        hold_out: keep a tenth of the training images from learning, to validate on, whatever the
            dataset says of itself.
        validate: keep the best of a few candidates of phase 2, judged on the validation part.
        labels: what a student learns, `hard` class numbers, `soft` vectors of a teacher, or what a
            `labeler` in the file says of every augmented view; `auto` makes a file of each kind and
            keeps the one that teaches best on the validation part.
        labeler_share: largest part of the budget for the labeler.
        labeler_epochs: passes over the training part that the labeler is trained for.
        labeler_from: a `.ddc` whose labeler is taken as it is, instead of training one; soft labels
            may be those of it, too.
        teacher: folder of `ddc teacher`, for soft labels and, if given, for the labeler and to
            choose crops; `auto` makes one where it is needed and keeps it in the cache.
        renditions: times a student is advised to have each image drawn; None for the usual number.
        seed: everything random follows from it.
        device: where to compute.
        keep_class_names: whether the file carries the names of the classes.
    """

    bytes_per_class: float
    loss: str = "dm"
    pool: str = "auto"
    experts: str | None = None
    loss_options: Mapping[str, float] = field(default_factory=dict)
    init: str = "random"
    parameterization: str = LATENTS
    images_per_class: int | None = None
    balance: str = EQUAL
    synthesis: str | None = None
    share: str | None = None
    context: str = "coarser"
    context_width: int | None = None
    context_depth: int | None = None
    fit_steps: int | None = None
    joint_steps: int = 1000
    quantizer: str = DESCENT
    skip_init: bool = False
    multiplier: float | None = None
    time_seconds: float | None = None
    hold_out: bool = True
    validate: bool = True
    labels: str = HARD_LABELS
    labeler_share: float = 0.3
    labeler_epochs: float = 24.0
    labeler_from: str | None = None
    teacher: str | None = None
    renditions: int | None = None
    seed: int = 0
    device: str = "cpu"
    keep_class_names: bool = True

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            value = getattr(self, name)
            if value not in known and not (value is None and name in _OPTIONAL):
                raise RecipeError(f"{name} '{value}' is not one of {', '.join(known)}.")
        self._check_numbers()
        if self.parameterization == PIXELS:
            self._check_pixels()
        self._check_labels()
        self._check_decoder()
        if self.skip_init and self.loss == NO_LOSS:
            raise RecipeError("Without a loss there is nothing but the fit that could be skipped.")
        if self.loss == "tm" and self.experts is None:
            raise RecipeError(
                "Trajectory matching needs experts; make some with 'ddc experts DATASET' and name "
                "their folder with --experts."
            )

    def _check_numbers(self) -> None:
        for name in ("multiplier", "time_seconds", "labeler_epochs"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise RecipeError(f"{name} must be above 0, not {value}.")
        for name in ("images_per_class", "fit_steps", "joint_steps"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise RecipeError(f"{name} must be at least 1, not {value}.")
        if not 0 < self.labeler_share < 1:
            raise RecipeError(f"labeler_share must lie between 0 and 1, not {self.labeler_share}.")
        if self.renditions is not None and not 1 <= self.renditions <= MAX_RENDITIONS:
            raise RecipeError(f"renditions must be 1 to {MAX_RENDITIONS}, not {self.renditions}.")
        if self.seed < 0:
            raise RecipeError(f"seed must not be negative, it is {self.seed}.")

    def _check_pixels(self) -> None:
        if self.balance != EQUAL:
            raise RecipeError("Pixels are as many of each class; leave --balance out.")
        if self.synthesis or self.share:
            raise RecipeError("Pixels have no decoder; leave --synthesis and --share out.")
        if self.skip_init or self.multiplier or self.time_seconds or self.quantizer != DESCENT:
            raise RecipeError(
                "Pixels know no --lambda, --time, --quantizer or --skip-init; leave them out."
            )
        if self.labels != HARD_LABELS:
            raise RecipeError("Pixels have hard labels only; leave --labels out.")

    def _check_decoder(self) -> None:
        _ = self.decoder
        given = (self.context_width, self.context_depth, self.share)
        if self.synthesis == SEARCH and given != (None, None, None):
            raise RecipeError(
                "A search chooses context model and sharing, too; leave --share, context_width and "
                "context_depth out."
            )
        if self.context_width not in (None, *CONTEXT_WIDTHS):
            widths = ", ".join(map(str, CONTEXT_WIDTHS))
            raise RecipeError(f"context_width {self.context_width} is not one of {widths}.")
        if self.context_depth is not None and not 1 <= self.context_depth <= MAX_LAYERS:
            raise RecipeError(f"context_depth must be 1 to {MAX_LAYERS}, not {self.context_depth}.")

    def _check_labels(self) -> None:
        if self.labels == AUTO_LABELS and not self.hold_out:
            raise RecipeError(
                "Labels are chosen by the images that are held out; name them, such as --labels "
                "labeler, or leave --no-hold-out out."
            )
        sources = (self.teacher, self.labeler_from)
        if self.labels == SOFT_LABELS and sources == (None, None):
            raise RecipeError(
                "Soft labels need a teacher; train one with 'ddc teacher DATASET' and name its "
                "folder with --teacher, or name a file that has a labeler with --labeler-from."
            )
        if self.labels == SOFT_LABELS and None not in sources:
            raise RecipeError(
                "Soft labels come from one teacher; leave --teacher or --labeler-from out."
            )
        if self.labels == HARD_LABELS and self.labeler_from is not None:
            raise RecipeError(
                "Files with hard labels have no labeler; leave --labeler-from out, or pass "
                "--labels labeler."
            )

    @property
    def needs_teacher(self) -> bool:
        """Whether a teacher, if there is one, has something to say."""
        is_labelling = self.labels in (SOFT_LABELS, LABELER_LABELS) and self.labeler_from is None
        return is_labelling or self.init in CROP_INITS

    @property
    def decoder(self) -> DecoderChoice | None:
        """The decoder asked for, or None."""
        return None if self.synthesis in (None, SEARCH) else parse_decoder(self.synthesis)

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> Recipe:
        """Build a recipe from named settings.

        Raises:
            RecipeError: if a name is unknown or the budget is missing.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(settings) - known)
        if unknown:
            raise RecipeError(f"unknown setting '{unknown[0]}'; known: {', '.join(sorted(known))}.")
        if "bytes_per_class" not in settings:
            raise RecipeError("the recipe names no budget; set bytes_per_class.")
        return cls(**settings)
