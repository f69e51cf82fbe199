"""Tensors for torch: the same as `.npz`, readable with `weights_only`."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

import numpy as np

from ddcodec.export.source import ExportSource


class PtFile:
    """See `Exporter`."""

    suffix = ".pt"

    def write(self, source: ExportSource, target: Path) -> None:
        """Write the tensors; torch takes them whole, so this one holds all images once."""
        import torch

        images = np.empty((len(source), *source.image_shape), dtype=np.uint8)
        done, labelling = 0, source.labelling()
        for batch in source.batches():
            images[done : done + len(batch)] = batch
            done += len(batch)
            labelling.see(batch)
        contents = {
            "images": torch.from_numpy(images),
            "labels": torch.from_numpy(source.labels),
            "class_names": list(source.class_names),
            "mean": source.mean,
            "std": source.std,
        }
        soft_labels = labelling.probabilities()
        if soft_labels is not None:
            contents["soft_labels"] = torch.from_numpy(soft_labels)
        with target.open("wb") as stream:
            torch.save(contents, stream)

    def written_files(self, folder: Path) -> Set[str]:
        """Return nothing: the output is a file."""
        return frozenset()
