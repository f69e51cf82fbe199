"""Networks in training, kept on disk so that an interrupted evaluation goes on where it was."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from ddcodec.evaluation.protocols import Protocol
from ddcodec.evaluation.students.kept_files import keep
from ddcodec.evaluation.students.labelled_images import LabelledImages
from ddcodec.kept.notices import notify
from ddcodec.kept.seal import load_sealed, sealed_tensors
from ddcodec.kept.writing import discard

VERSION = 2
"""Raised whenever the same network would go on differently from what is kept."""

FOLDER = "unfinished"
EVERY_SECONDS = 60.0
DAYS_KEPT = 14

State = dict[str, Any]
"""Tensors, numbers and names, in dictionaries and lists."""

_SAMPLE = 32
_SECONDS_A_DAY = 86_400


class UnfinishedNetworks:
    """The networks of one evaluation, by everything that their training depends on.

    Trained ones are kept, too, until the evaluation is over: the next network may be interrupted.
    What belongs to other evaluations is left alone for two weeks.

    Args:
        folder: Created when a network is first written.
        every_seconds: How often one is.
    """

    def __init__(self, folder: Path, every_seconds: float) -> None:
        self._folder, self._every_seconds = folder, every_seconds
        self._networks: list[UnfinishedNetwork] = []
        _drop_old(folder)

    def network(
        self, training: LabelledImages, num_classes: int, protocol: Protocol, seed: int, arch: str
    ) -> UnfinishedNetwork:
        """Return where a network of `train_network` with these arguments is kept."""
        facts = {
            "version": VERSION,
            "torch": str(torch.__version__),
            "training": _fingerprint(training),
            "num_classes": num_classes,
            "protocol": asdict(protocol),
            "seed": seed,
            "arch": arch,
        }
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        found = UnfinishedNetwork(self._folder / f"{digest[:32]}.pt", self._every_seconds)
        self._networks.append(found)
        return found

    @property
    def seconds_before(self) -> float:
        """How long networks that were gone on with had been trained before they were."""
        return sum(network.seconds_before for network in self._networks)

    @property
    def are_kept(self) -> bool:
        """Whether there is anything to go on with."""
        return any(network.is_kept for network in self._networks)

    def forget(self) -> None:
        """Delete what was kept of this evaluation, which is over."""
        for network in self._networks:
            network.forget()


class UnfinishedNetwork:
    """The file of one network.

    Args:
        path: Where it is kept.
        every_seconds: How often it is due.

    Attributes:
        seconds_before: How long the loaded network had been trained.
    """

    def __init__(self, path: Path, every_seconds: float) -> None:
        self._path, self._every_seconds = path, every_seconds
        self._begun = self._written = time.monotonic()
        self.seconds_before = 0.0

    @property
    def is_due(self) -> bool:
        """Whether the last writing, or the beginning, is long enough ago."""
        return time.monotonic() - self._written >= self._every_seconds

    @property
    def is_kept(self) -> bool:
        """Whether there is a file."""
        return self._path.exists()

    def load(self) -> State | None:
        """Return what was last saved, tensors on the CPU; None where nothing readable is."""
        if not self.is_kept:
            return None
        try:
            kept = load_sealed(self._path)
            state: State = kept["state"]
            self.seconds_before = float(kept["seconds"])
        except Exception:
            # A file that somebody made up may hold anything.
            self.warn()
            return None
        return state

    def warn(self) -> None:
        """Say that the file is of no use."""
        notify(f"'{self._path}' is damaged; the network is trained from the beginning.")

    def save(self, state: State) -> None:
        """Write the state of a training whole or not at all."""
        self._written = time.monotonic()
        seconds = self.seconds_before + self._written - self._begun
        keep(sealed_tensors({"state": state, "seconds": seconds}), self._path)

    def forget(self) -> None:
        """Delete the file."""
        with contextlib.suppress(OSError):
            discard(self._path)


def _fingerprint(training: LabelledImages) -> str:
    """Return a digest of all that a training set shows; of a labeler, what it says of some images.

    Its logits are compared to the bit: they are on one machine by the same number of threads.
    """
    digest = hashlib.sha256()
    facts = [training.renditions, list(training.mean), list(training.std)]
    digest.update(json.dumps([*facts, training.stages is not None]).encode())
    tensors = [training.images, training.labels]
    if training.soft_labels is not None:
        tensors.append(training.soft_labels)
    if training.labeler is not None:
        spread = torch.linspace(0, len(training.images) - 1, min(len(training.images), _SAMPLE))
        rows = spread.long()
        some = replace(training, images=training.images[rows], labels=training.labels[rows])
        with torch.no_grad():
            tensors.append(training.labeler(some.normalised(torch.device("cpu"))))
    for tensor in tensors:
        digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _drop_old(folder: Path) -> None:
    """Delete networks of evaluations that nobody has gone on with for two weeks.

    Not by the clock alone, which may be wrong today: two weeks before the newest of them.
    """
    with contextlib.suppress(OSError):
        written = {path: path.stat().st_mtime for path in folder.glob("*.pt")}
        newest = min(time.time(), max(written.values(), default=0.0))
        for path, moment in written.items():
            if moment < newest - DAYS_KEPT * _SECONDS_A_DAY:
                path.unlink(missing_ok=True)
