"""The loop over phases and their steps: progress, log, checkpoints, interruption."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ddcodec.distill.running.checkpoint import Checkpoint, version_difference
from ddcodec.distill.running.interruption import Interruption, deferred_interruption
from ddcodec.distill.running.phase import Phase, Step
from ddcodec.distill.running.progress import Progress, Supervision
from ddcodec.distill.running.run import Run
from ddcodec.errors import DdcError, OutputError, RunInterrupted
from ddcodec.kept.state import check_like


class Loop:
    """Make all steps of all phases of a run.

    Args:
        run: what the phases change.
        phases: in order.
        supervision: who watches.
        settings: everything the result depends on, by the names a user knows; a checkpoint of
            other settings is refused.
        end: number of phases to make; all if None.
    """

    def __init__(
        self,
        run: Run,
        phases: Sequence[Phase],
        supervision: Supervision,
        settings: Mapping[str, Any],
        end: int | None = None,
    ) -> None:
        self._run = run
        self._phases = phases
        self._end = len(phases) if end is None else end
        self._supervision = supervision
        self._checkpoint: Checkpoint | None = None
        if supervision.checkpoint is not None:
            seconds = supervision.checkpoint_seconds
            self._checkpoint = Checkpoint(supervision.checkpoint, settings, seconds)
        self._accuracy: float | None = None
        self._last_step = 0

    def run_all(self) -> None:
        """Make all steps that are left.

        Raises:
            RunInterrupted: if somebody asked to stop; the checkpoint then holds the last step.
            DataError: if there is no checkpoint to resume, or it is damaged.
            RecipeError: if the checkpoint has other settings.
            OutputError: if the run is to end before its last phase and cannot be kept.
        """
        first = 0
        if self._supervision.resume:
            first = self._resume()
            # The first replaces what is kept, or removes it, when all have read it.
            self._supervision.ranks.summed()
        for number in range(first, self._end):
            self._run_phase(number)
        # Landing, which follows, has no steps of its own; what is further is left as it is.
        if self._checkpoint is not None and first < self._end:
            is_kept = self._save(self._checkpoint, self._end - 1, self._last_step)
            if not is_kept and self._end < len(self._phases):
                raise OutputError(
                    f"'{self._checkpoint.path}' could not be written, so that nothing is left to "
                    "go on from; make room and start again."
                )

    def _run_phase(self, number: int) -> None:
        phase = self._phases[number]
        self._supervision.on_phase(phase.name)
        started, steps_before = time.monotonic(), 0
        while True:
            with deferred_interruption(self._say_that_it_stops) as interruption:
                step_started = time.monotonic()
                step = phase.advance()
                if step is None:
                    return
                self._last_step = self._run.step_counts[phase.name] = step.step
                left = None
                if step.step == 0:
                    # Preparing and judging what a phase found is no measure of its steps.
                    started = time.monotonic()
                else:
                    steps_before += 1
                    seconds = time.monotonic() - started
                    left = seconds / steps_before * (step.steps - step.step)
                self._report(phase, step, left, time.monotonic() - step_started)
                self._agree(phase, step, interruption)
                self._keep(number, step, interruption)

    def _say_that_it_stops(self) -> None:
        self._supervision.on_notice("Stopping when this step is done; Ctrl-C again stops at once.")

    def _agree(self, phase: Phase, step: Step, interruption: Interruption) -> None:
        """Stop after the same step as the other processes, and find out whether all are alike."""
        ranks = self._supervision.ranks
        if ranks.count == 1:
            return
        found = [step.step, step.latent_bits, step.loss or 0.0, self._run.multiplier]
        given = ranks.gathered(torch.tensor([*found, interruption.requested], dtype=torch.float64))
        interruption.requested = any(bool(one[-1]) for one in given)
        for number, one in enumerate(given):
            # By their bits, since nothing equals what is no number.
            if not torch.equal(one[:-1].view(torch.int64), given[0][:-1].view(torch.int64)):
                raise DdcError(
                    f"Process {number + 1} of {ranks.count} found something else than the first in "
                    f"step {step.step} of '{phase.name}'; start all on equal machines, with equal "
                    "libraries and as many threads in each."
                )

    def _report(self, phase: Phase, step: Step, seconds_left: float | None, seconds: float) -> None:
        run = self._run
        self._accuracy = self._accuracy if step.accuracy is None else step.accuracy
        progress = Progress(
            phase=phase.name,
            step=step.step,
            steps=step.steps,
            rate_bytes=(step.latent_bits + run.other_bits) / 8,
            budget_bytes=run.budget_bytes,
            loss=step.loss,
            seconds_left=seconds_left,
            multiplier=run.multiplier,
            accuracy=self._accuracy,
            images_per_second=step.num_images / max(seconds, 1e-9) if step.num_images else None,
        )
        self._supervision.on_progress(progress)
        names = ("phase", "step", "steps", "rate_bytes", "loss", "multiplier", "images_per_second")
        self._record("step", **{name: getattr(progress, name) for name in names})
        if step.accuracy is not None:
            self._record("validation", phase=phase.name, step=step.step, accuracy=step.accuracy)

    def _record(self, event: str, **facts: Any) -> None:
        seconds = round(self._run.plan.elapsed_seconds, 3)
        self._supervision.on_record({"event": event, **facts, "seconds": seconds})

    def _keep(self, number: int, step: Step, interruption: Interruption) -> None:
        """Write a checkpoint if one is due, and stop if somebody asked for it."""
        checkpoint = self._checkpoint
        is_kept = False
        if checkpoint is not None and (checkpoint.is_due or interruption.requested):
            is_kept = self._save(checkpoint, number, step.step)
        if not interruption.requested:
            return
        where = f"step {step.step} of {step.steps} of '{self._phases[number].name}'"
        if checkpoint is None or not (is_kept or checkpoint.path.exists()):
            raise RunInterrupted(f"Interrupted after {where}; nothing was kept.")
        what = "the run" if is_kept else "an earlier state of it"
        raise RunInterrupted(
            f"Interrupted after {where}; '{checkpoint.path}' holds {what}, and the same command "
            "with --resume goes on from there."
        )

    def _save(self, checkpoint: Checkpoint, number: int, step: int) -> bool:
        """Write a checkpoint; return whether it could be written, or is left to another process."""
        if not self._supervision.ranks.is_first:
            return True
        phase = self._phases[number]
        seconds = self._run.plan.elapsed_seconds
        try:
            checkpoint.save(number, step, self._run.state(), phase.state(), seconds)
        except OutputError as error:
            self._supervision.on_notice(f"{error} The run goes on without a new checkpoint.")
            return False
        self._record("checkpoint", phase=phase.name, step=step)
        return True

    def _resume(self) -> int:
        """Take over a checkpoint; return the number of its phase."""
        assert self._checkpoint is not None
        saved = self._checkpoint.load()
        difference = version_difference(saved)
        if difference is not None:
            self._supervision.on_notice(difference)
        # Sums that are split among other threads round differently.
        torch.set_num_threads(saved.threads)
        try:
            self._run.restore(saved.run)
            phase = self._phases[saved.phase]
            phase.restore(saved.phase_state)
            # What was taken over is all there was, of the same form.
            check_like(saved.phase_state, phase.state(), phase.name)
        except (
            LookupError,
            TypeError,
            ValueError,
            RuntimeError,
            AttributeError,
            DdcError,
        ) as error:
            raise self._checkpoint.strange() from error
        self._run.plan.spent_seconds += saved.seconds
        self._last_step = saved.step
        self._record("resume", phase=phase.name, step=saved.step)
        return saved.phase
