"""The pool that is made where none is named: once for each dataset, kept in the cache."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import torch

from ddcodec.datasets.base import Dataset
from ddcodec.distill.trained.network_training import ProgressCallback
from ddcodec.distill.trained.pools import PoolSettings, make_pool
from ddcodec.distill.trained.store import KEPT_VERSION
from ddcodec.errors import OutputError
from ddcodec.kept.paths import default_cache_dir
from ddcodec.ranks import ALONE, Ranks

AUTOMATIC, RANDOM = "auto", "random"
"""Names that stand for no folder: the pool of the cache, and fresh random networks."""

COUNT = 2
"""Networks of it: more teach more, and take as long each (`ddc pool --count`)."""


HALF_FROM_SIDE = 96
"""Images of this side and more are looked at by halves. 30 of a class of ImageNette-128 at 9 kB
taught 50.3 % so and 49.1 at full size (docs/results/hard-labels.md), and a network of the pool
takes a third of the time."""


def automatic_settings(num_images: int, side: int) -> PoolSettings:
    """Return what the automatic pool of so many images is made of, whose shorter side is this."""
    arch = "convnet-half" if side >= HALF_FROM_SIDE else "convnet"
    return PoolSettings(count=COUNT, epochs=PoolSettings().epochs_for(num_images), arch=arch)


def automatic_pool(
    dataset: Dataset,
    device: torch.device,
    on_progress: ProgressCallback,
    ranks: Ranks = ALONE,
) -> Path:
    """Return the folder of a dataset's own pool, made now if it is missing or incomplete.

    Args:
        dataset: its validation part, if it has one, is never seen.
        device: where to compute.
        on_progress: called at every update while the pool is made.
        ranks: the processes that make it together.

    Raises:
        OutputError: if the cache cannot be written.
    """
    rows, _ = dataset.split_rows()
    settings = automatic_settings(len(rows), min(dataset.train.images.shape[2:]))
    part = "" if dataset.holds_out else "all "
    made_of = f"{KEPT_VERSION} {part}{dataset.fingerprint} {settings}"
    key = hashlib.sha256(made_of.encode()).hexdigest()[:16]
    name = re.sub(r"\W+", "-", dataset.name)[:40]
    folder = default_cache_dir() / "pools" / f"{name}-{key}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"Cannot keep a pool in '{folder.parent}' ({error.strerror}); set DDC_CACHE to a "
            "folder that can be written, or pass --pool random."
        ) from error
    make_pool(dataset, folder, settings, device, on_progress, _ignore_plan, True, ranks)
    return folder


def _ignore_plan(missing: int, needed: int) -> None:
    """Say nothing: the cache is not the user's folder."""
