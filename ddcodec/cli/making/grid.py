"""The points of a sweep: which are done, and how one is made by the commands of a single file."""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ddcodec.cli.looking.eval import eval_command, images_to_test_on
from ddcodec.cli.making.distill import distill_command
from ddcodec.cli.making.recipes import Request, read_request
from ddcodec.cli.shared.group import Interrupted
from ddcodec.cli.shared.judging_options import networks_to_train
from ddcodec.cli.shared.loading import load
from ddcodec.cli.shared.options import Size
from ddcodec.errors import DataError, DdcError, OutputError, RecipeError, RunInterrupted
from ddcodec.format.printable import printable
from ddcodec.results.runs import LOG_SUFFIX, evaluation_path, read_evaluation, read_json

if TYPE_CHECKING:
    from ddcodec.datasets import Dataset

SOURCE_OPTIONS = ("dataset", "data", "size", "recipe")
"""Options of `ddc distill` that say what is distilled, by name."""

OWN_OPTIONS = (
    "budget",
    "output",
    "force",
    "record",
    "loss",
    "seed",
    "resume",
    "log_path",
    "until",
)
"""Options of `ddc distill` that a sweep sets for each point, by name."""


@dataclass(frozen=True)
class GridPoint:
    """One file of a grid."""

    loss: str
    budget: Size
    seed: int

    @property
    def name(self) -> str:
        """What its files are called."""
        from ddcodec.distill.recipe.recipe_file import short_size

        size = short_size(self.budget.num_bytes)
        return re.sub(r"[^\w.-]+", "_", f"{self.loss}-{size}-seed{self.seed}")


@dataclass(frozen=True)
class EvaluationRequest:
    """How every file is evaluated; see `ddc eval`."""

    protocol: str
    arch: str
    repeats: int | None
    split: str

    @property
    def networks(self) -> int:
        """Networks to train on each file."""
        from ddcodec.evaluation import PROTOCOLS

        return networks_to_train(PROTOCOLS[self.protocol], self.repeats)


class Grid:
    """Make and evaluate points, each a set of files of a folder.

    Args:
        context: of `ddc sweep`.
        folder: of all points.
        shared: options of `ddc distill` that hold for all points, by name.
        evaluation: of each file.
    """

    def __init__(
        self,
        context: click.Context,
        folder: Path,
        shared: dict[str, Any],
        evaluation: EvaluationRequest,
    ) -> None:
        self.folder, self.evaluation = folder, evaluation
        self._context, self._shared = context, shared

    def file(self, point: GridPoint) -> Path:
        """Return where the file of a point lies."""
        return self.folder / f"{point.name}.ddc"

    def evaluation_path(self, point: GridPoint) -> Path:
        """Return where the evaluation of a point lies."""
        return evaluation_path(self.file(point), self.evaluation.split)

    def request(self, point: GridPoint) -> Request:
        """Return what `ddc distill` is asked for; refuses settings that contradict each other.

        Raises:
            DdcError: if the recipe cannot be used.
            RecipeError: if files are to be tested on images that they learn from.
            click.UsageError: if nothing names a dataset.
        """
        child = self._distill_context(point)
        settings = {
            name: value
            for name, value in child.params.items()
            if name in ("loss", "seed") or name not in (*SOURCE_OPTIONS, *OWN_OPTIONS)
        }
        settings["loss_options"] = dict(settings["loss_options"])
        request = read_request(child, child.params["recipe"], settings)
        recipe = request.asked()
        if self.evaluation.split == "val" and not recipe.hold_out:
            raise RecipeError(
                "By --no-hold-out files learn from what --split val tests on; leave one of them "
                "out."
            )
        return request

    def run(self, points: list[GridPoint], requests: list[Request]) -> None:
        """Make what is missing; a point that cannot be made does not keep others from it.

        Raises:
            Interrupted: if somebody asked to stop.
            DataError: if there are no images to test on.
            DdcError: if a point failed, when all others are done.
        """
        failed = []
        dataset = _load(requests[0])
        # Not after the hours that the first file takes.
        images_to_test_on(dataset, self.evaluation.split)
        for number, (point, request) in enumerate(zip(points, requests, strict=True), start=1):
            _say(f"{point.name} ({number} of {len(points)})")
            try:
                self._make(point, request, dataset)
                self._evaluate(point, request)
            except (RunInterrupted, Interrupted, KeyboardInterrupt, click.Abort) as error:
                raise Interrupted(
                    f"Interrupted in '{point.name}', point {number} of {len(points)}; the same "
                    "command goes on from there."
                ) from error
            except RecipeError:
                raise
            except DdcError as error:
                failed.append(point.name)
                _say(f"{point.name}: {error}")
        if failed:
            others = "; the others are done" if len(failed) < len(points) else ""
            raise DdcError(
                f"{len(failed)} of {len(points)} points failed ({', '.join(failed)}), for the "
                f"reasons above{others}."
            )

    def _make(self, point: GridPoint, request: Request, dataset: Dataset) -> None:
        """Distill a point unless it is there."""
        file = self.file(point)
        record, checkpoint = Path(f"{file}.json"), Path(f"{file}.checkpoint")
        if file.exists() and not checkpoint.exists():
            if not record.exists():
                raise OutputError(
                    f"'{file}' has no record beside it; delete it or name another folder with -o."
                )
            self._check_record(record, point, request, dataset)
            _say(f"{point.name}: '{file}' is there already.")
            return
        child = self._distill_context(point)
        child.params |= {
            "output": file,
            # What lies there without a file, or with a checkpoint, is what an interrupt left.
            "force": True,
            "record": True,
            "resume": checkpoint.exists(),
            "log_path": file.with_suffix(LOG_SUFFIX),
            "until": None,
        }
        assert distill_command.callback is not None
        with contextlib.redirect_stdout(io.StringIO()):
            child.invoke(distill_command.callback, **child.params)

    def _check_record(
        self, path: Path, point: GridPoint, request: Request, dataset: Dataset
    ) -> None:
        """Refuse to take a file of other settings for a point."""
        from ddcodec.distill.recipe.recipe import Recipe

        record = read_json(path)
        wanted = asdict(request.asked())
        made = record.get("asked")
        origin = record.get("dataset")
        if not isinstance(made, dict) or not isinstance(origin, dict):
            raise DataError(
                f"'{path}' is not a record; delete it and its file, or name another folder with -o."
            )
        result = record.get("result")
        digest = result.get("sha256") if isinstance(result, dict) else None
        if digest != hashlib.sha256(self.file(point).read_bytes()).hexdigest():
            raise DataError(
                f"'{self.file(point)}' is damaged, or not the file that '{path}' was written for; "
                "delete both, and the same command makes them again."
            )
        # What an older version did not know it did as recipes do without being told.
        made = asdict(Recipe(wanted["bytes_per_class"])) | made
        changed = [name for name in wanted if made[name] != wanted[name]]
        if origin.get("fingerprint") != dataset.fingerprint:
            changed.insert(0, "dataset")
        if changed:
            raise RecipeError(
                f"'{path}' was made with another {' and '.join(changed)}; name another folder with "
                "-o, or delete it and its file."
            )

    def _evaluate(self, point: GridPoint, request: Request) -> None:
        """Evaluate a file unless that was done, and keep what `ddc eval --json` prints."""
        from ddcodec.kept.writing import write_atomically

        path, wanted = self.evaluation_path(point), self.evaluation
        if path.exists():
            found = read_evaluation(path)
            networks = len(found.accuracies)
            if (found.protocol, found.arch, networks) != (
                wanted.protocol,
                wanted.arch,
                wanted.networks,
            ):
                raise RecipeError(
                    f"'{path}' was made with protocol {found.protocol}, {found.arch}, {networks} "
                    "networks; ask for the same, or name another folder with -o."
                )
            return
        output = io.StringIO()
        arguments = self._evaluation_arguments(point, request)
        with (
            contextlib.redirect_stdout(output),
            eval_command.make_context("eval", arguments, parent=self._context.parent) as child,
        ):
            eval_command.invoke(child)
        write_atomically(output.getvalue().encode(), path)
        found = read_evaluation(path)
        shown = ", ".join(f"{accuracy:.2f} %" for accuracy in found.accuracies)
        _say(f"{point.name}: {found.file_bytes:,} bytes, {shown}")

    def _evaluation_arguments(self, point: GridPoint, request: Request) -> list[str]:
        wanted = self.evaluation
        options = {
            "data": request.data or request.dataset,
            "protocol": wanted.protocol,
            "arch": wanted.arch,
            "repeats": str(wanted.networks),
            "split": wanted.split,
            "device": str(request.settings["device"]),
        }
        if request.data is not None:
            options["dataset"] = request.dataset
        if request.size is not None:
            options["size"] = request.size
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        return [*words, "--json", "--", str(self.file(point))]

    def _distill_context(self, point: GridPoint) -> click.Context:
        """Return a context of `ddc distill` as if it had been called for one point."""
        context = click.Context(
            distill_command, parent=self._context.parent, info_name=distill_command.name
        )
        context.params = {
            **self._shared,
            "loss": point.loss,
            "seed": point.seed,
            "budget": point.budget,
        }
        for name in context.params:
            source = self._context.get_parameter_source(name)
            if source is None:
                source = click.core.ParameterSource.COMMANDLINE
            context.set_parameter_source(name, source)
        return context


def _load(request: Request) -> Dataset:
    from ddcodec.cli.shared.console import waiting

    with waiting(f"Loading {request.dataset}.") as say:
        return load(request.dataset, request.data, request.size, say)


def _say(sentence: str) -> None:
    click.echo(f"ddc: {printable(sentence)}", err=True)
