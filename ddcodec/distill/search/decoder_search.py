"""`--synthesis search`: the decoder and context model that code these images best at this budget.

Successive halving (Jamieson and Talwalkar, AISTATS 2016): many short fits, of which the best third
is fitted for longer. The cost is the squared error of what a really coded file decodes to. Every
trial codes all images into the whole budget: a part of them would have to pay a part of the
weights, which short fits leave smaller than planned, so that large networks came out ahead.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

from ddcodec.codec.decode import decode_bytes
from ddcodec.codec.synthesis import WAVELET_FAMILY, DecoderChoice
from ddcodec.datasets.base import Dataset, class_counts
from ddcodec.distill.rate.allocation import Allocation, allocate
from ddcodec.distill.recipe.recipe import HARD_LABELS, LABELER_LABELS, NO_LOSS, Recipe
from ddcodec.distill.running.distilled import Distilled
from ddcodec.distill.running.picture_quality import psnr, squared_errors
from ddcodec.distill.running.progress import Supervision
from ddcodec.distill.search.space import SPACE, DecoderSpace, Networks
from ddcodec.distill.search.trials import KeptTrials, Trial
from ddcodec.distill.trained.training_part import TrainingPart
from ddcodec.errors import BudgetError
from ddcodec.format.limits import UNBOUNDED

LEAST_ERROR = 1e-9
"""Counted where images are decoded without any, so that trials stay comparable."""


RUNGS = (40, 160, 480)
"""Steps of the fits of each rung."""

KEPT = 3
"""One candidate of so many goes on to the next rung."""

TRIALS = 18
"""Candidates of the first rung."""


@dataclass(frozen=True)
class Found:
    """What a search ends with.

    Attributes:
        networks: The best of the last rung.
        default: What the budget alone would have chosen; always in the last rung.
        trials: All, in their order.
    """

    networks: Networks
    default: Networks
    trials: tuple[Trial, ...]

    @property
    def gain(self) -> float:
        """Decibels by which the best is ahead of the default in the last rung."""
        last = max(trial.rung for trial in self.trials)
        by_networks = {t.networks: t.psnr or 0.0 for t in self.trials if t.rung == last}
        return by_networks[self.networks] - by_networks[self.default]


Code = Callable[[Recipe], tuple[float, int]]
"""Recipe of a short fit → PSNR in dB of its decoded file, and the bytes of that."""


class DecoderSearch:
    """A search for the networks of one recipe.

    Args:
        dataset: For its number of classes.
        part: What may be seen of it.
        recipe: With the synthesis `search`.
        code: Makes the file of a short recipe.
        supervision: Who watches; with a checkpoint finished trials are kept beside it.
        space: What is searched.
        rungs: Steps of the fits of each.
        trials: Candidates of the first rung.
    """

    def __init__(
        self,
        dataset: Dataset,
        part: TrainingPart,
        recipe: Recipe,
        code: Code,
        supervision: Supervision,
        space: DecoderSpace | None = None,
        rungs: Sequence[int] | None = None,
        trials: int | None = None,
    ) -> None:
        counts = class_counts(part.labels.numpy(), dataset.num_classes)
        self._available = counts
        self._shape = part.image_shape
        self._num_classes = dataset.num_classes
        self._code, self._supervision = code, supervision
        self._rungs, self._trials = rungs or RUNGS, trials or TRIALS
        self._space = space or SPACE
        self._plain = plain_recipe(recipe)
        self._whole = self._allocate(self._plain)
        self._kept = KeptTrials(supervision, {"fingerprint": dataset.fingerprint,
                                               **asdict(self._plain)})  # fmt: skip

    @property
    def default(self) -> Networks:
        """What the budget alone would choose."""
        context, synthesis = self._whole.context, self._whole.synthesis
        decoder = str(DecoderChoice(WAVELET_FAMILY, synthesis.widths))
        return Networks(decoder, context.width, context.depth, "all")

    def trial_recipe(self, networks: Networks, fit_steps: int) -> Recipe:
        """Return the recipe of a trial: the images that the default would code, fitted shortly."""
        images = int(self._whole.class_counts.max())
        return replace(
            self._plain, **asdict(networks), images_per_class=images, fit_steps=fit_steps
        )

    def run(self) -> Found:
        """Try all rungs.

        Raises:
            BudgetError: Not even the default fits the budget.
            DataError: What was kept of an interrupted search is damaged or of other settings.
            RunInterrupted: Somebody asked to stop.
        """
        default = self.default
        sampled = self._space.sample(self._trials, self._plain.seed)
        candidates = [default, *(point for point in sampled if point != default)][: self._trials]
        done: list[Trial] = []
        for number in range(len(self._rungs)):
            trials = [self._trial(networks, number) for networks in candidates]
            done += trials
            if trials[0].psnr is None:
                raise BudgetError(
                    "The budget is too small to search for a decoder; leave --synthesis out."
                )
            ranked = sorted(trials, key=lambda trial: -(trial.psnr or 0.0))
            best = [trial.networks for trial in ranked if trial.psnr is not None]
            # The default leads every rung: what a search is worth is told by the difference.
            others = [networks for networks in best if networks != default]
            candidates = [default, *others[: max(2, self._trials // KEPT ** (number + 1)) - 1]]
        found = Found(best[0], default, tuple(done))
        self._supervision.on_notice(
            f"decoder: {found.networks}, {found.gain:.2f} dB above the usual one ({default})"
        )
        return found

    def _trial(self, networks: Networks, rung: int) -> Trial:
        """Return a trial, from what was kept if it was made before."""
        kept = self._kept.find(networks, rung)
        if kept is not None:
            return kept
        started = time.monotonic()
        psnr: float | None = None
        size_bytes = 0
        with suppress(BudgetError):
            psnr, size_bytes = self._code(self.trial_recipe(networks, self._rungs[rung]))
        trial = Trial(networks, rung, psnr, size_bytes, time.monotonic() - started)
        self._kept.add(trial)
        shown = "too large" if psnr is None else f"{psnr:.2f} dB"
        self._supervision.on_notice(f"search, rung {rung + 1}: {networks}: {shown}")
        self._supervision.on_record({"event": "search", **trial.to_json()})
        return trial

    def _allocate(self, recipe: Recipe) -> Allocation:
        return allocate(recipe, self._available, self._shape, 0)


def plain_recipe(recipe: Recipe) -> Recipe:
    """Return what a search codes in place of a recipe: real images, in the bytes they get."""
    share = recipe.labeler_share if recipe.labels == LABELER_LABELS else 0.0
    return replace(
        recipe,
        bytes_per_class=recipe.bytes_per_class * (1 - share),
        synthesis=None, loss=NO_LOSS, loss_options={}, pool="auto", experts=None, init="random",
        labels=HARD_LABELS, labeler_from=None, teacher=None, renditions=None,
        multiplier=None, time_seconds=None, skip_init=False, quantizer="descent", validate=False,
        keep_class_names=False,
    )  # fmt: skip


def psnr_of(distilled: Distilled) -> float:
    """Return the PSNR in dB of a decoded file against the images it was made of."""
    decoded = decode_bytes(distilled.encoded.data, UNBOUNDED).images
    error = float(squared_errors(decoded, distilled.real_images).mean())
    return psnr(max(error, LEAST_ERROR))


def distill_searched(
    dataset: Dataset,
    part: TrainingPart,
    recipe: Recipe,
    supervision: Supervision,
    distill_one: Callable[[Recipe, Supervision], Distilled],
) -> Distilled:
    """Search for networks, then make the file with what was found.

    Args:
        dataset: To distill.
        part: What may be seen of it.
        recipe: With the synthesis `search`.
        supervision: Who watches.
        distill_one: Makes the file of a recipe.

    Raises:
        BudgetError: The budget cannot hold the usual networks.
        DataError: What was kept of an interrupted search is damaged or of other settings.
        RunInterrupted: Somebody asked to stop.
    """
    # A trial is as short as what a checkpoint saves; it is made again.
    watched = replace(supervision, checkpoint=None, resume=False, on_record=lambda record: None)

    def code(short: Recipe) -> tuple[float, int]:
        made = distill_one(short, watched)
        return psnr_of(made), made.size_bytes

    found = DecoderSearch(dataset, part, recipe, code, supervision).run()
    chosen = replace(recipe, **asdict(found.networks))
    kept = supervision.checkpoint
    resume = supervision.resume and kept is not None and kept.exists()
    distilled = distill_one(chosen, replace(supervision, resume=resume))
    seconds = distilled.seconds + sum(trial.seconds for trial in found.trials)
    trials = tuple(trial.to_json() for trial in found.trials)
    return replace(distilled, seconds=seconds, trials=trials)
