"""Arrays for numpy: `images`, `labels`, `class_names`, `mean`, `std`, and `soft_labels` if any."""

from __future__ import annotations

import zipfile
from collections.abc import Set
from pathlib import Path

import numpy as np

from ddcodec.export.source import ExportSource


class NpzFile:
    """See `Exporter`."""

    suffix = ".npz"

    def write(self, source: ExportSource, target: Path) -> None:
        """Write the arrays, images as they come; see `Exporter`."""
        others = {
            "labels": source.labels,
            "class_names": np.array(source.class_names, dtype=np.str_),
            "mean": np.array(source.mean),
            "std": np.array(source.std),
        }
        labelling = source.labelling()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            with archive.open("images.npy", "w", force_zip64=True) as stream:
                shape = (len(source), *source.image_shape)
                header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(stream, header)
                for images in source.batches():
                    stream.write(images.tobytes())
                    labelling.see(images)
            soft_labels = labelling.probabilities()
            if soft_labels is not None:
                others["soft_labels"] = soft_labels
            for name, array in others.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                    np.lib.format.write_array(stream, array, allow_pickle=False)

    def written_files(self, folder: Path) -> Set[str]:
        """Return nothing: the output is a file."""
        return frozenset()
