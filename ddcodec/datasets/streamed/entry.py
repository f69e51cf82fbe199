"""What the cache holds of a dataset whose images are decoded when needed.

Labels, where each image lies, checksums of all pixels, what is known of the training part, and the
pixels of as many images as the limit allows. Everything but the pixels is made in one pass.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddcodec.datasets.base import (
    Dataset,
    ImageSplit,
    TrainingStatistics,
    content_fingerprint,
)
from ddcodec.datasets.cached_arrays import (
    allocate_images,
    images_file,
    labels_file,
    megabytes,
    writing,
)
from ddcodec.datasets.streamed.images import ImageStore, StreamedImages, pixel_checksum
from ddcodec.datasets.streamed.one_pass import Listing, OnePass, StreamedSource, decoder
from ddcodec.datasets.streamed.places import PlaceTable
from ddcodec.datasets.streamed.reading import PlacedFiles
from ddcodec.datasets.trees.resize import ImageSize
from ddcodec.errors import DataError
from ddcodec.kept.seal import sealed_json, unsealed_json

DESCRIPTION_FILE = "dataset.json"
_STREAMED = "streamed"
_CHECK_IMAGES = 1024


def write_streamed(
    folder: Path,
    source: StreamedSource,
    class_names: tuple[str, ...],
    listings: Mapping[str, Listing],
) -> None:
    """Write the whole entry into an empty folder, reading every image once.

    `listings` are of `train` and, where there is one, `test`. Raises DataError for an image that
    cannot be read or cannot be read alone, and where the disk has no room.
    """
    for listing in listings.values():
        _check_places(listing, source, sum(len(one.labels) for one in listings.values()))
    room = source.limit_bytes
    splits: dict[str, ImageSplit] = {}
    passes: dict[str, OnePass] = {}
    for name, listing in listings.items():
        places = [place for place in listing.places if place is not None]
        table = PlaceTable.of(listing.names, places, listing.areas)
        with writing(folder):
            table.save(_places_file(folder, name))
            np.save(labels_file(folder, name), listing.labels)
        count = min(len(table), room // source.image_bytes)
        room -= count * source.image_bytes
        kept = allocate_images(folder, name, (count, *source.shape))
        passes[name] = OnePass(source, table, kept, name, listing.labels)
        splits[name] = ImageSplit(passes[name], listing.labels)
    fingerprint = content_fingerprint(class_names, splits)
    with writing(folder):
        for name, made in passes.items():
            np.save(_checksums_file(folder, name), made.checksums)
        described = {
            _STREAMED: True,
            "class_names": class_names,
            "splits": list(listings),
            "fingerprint": fingerprint,
            "training": asdict(passes["train"].statistics()),
            "source": str(source.path.resolve()),
            "shape": source.shape,
            "size": None if source.size is None else str(source.size),
            "files": {path.name: _digest(path) for path in _small_files(folder)},
        }
        (folder / DESCRIPTION_FILE).write_bytes(sealed_json(described))


def is_streamed(folder: Path) -> bool:
    """Tell whether an entry is one of `write_streamed`; raises what reading it raises."""
    if not (folder / DESCRIPTION_FILE).exists():
        return False
    described = json.loads((folder / DESCRIPTION_FILE).read_bytes())
    return isinstance(described, dict) and _STREAMED in described


def load_streamed(folder: Path, name: str, notes: tuple[str, ...]) -> Dataset:
    """Return the dataset of an entry, of which what is kept was compared with its checksums.

    Raises OSError, ValueError, KeyError or TypeError for one that is damaged.
    """
    described = unsealed_json((folder / DESCRIPTION_FILE).read_bytes())
    if described["files"] != {path.name: _digest(path) for path in _small_files(folder)}:
        raise ValueError("its tables are not what was written")
    channels, height, width = described["shape"]
    size = None if described["size"] is None else ImageSize.of(described["size"])
    splits: dict[str, ImageSplit] = {}
    kept_images = 0
    for split in described["splits"]:
        table = PlaceTable.load(_places_file(folder, split))
        checksums = np.load(_checksums_file(folder, split), allow_pickle=False)
        labels = np.load(labels_file(folder, split), allow_pickle=False)
        kept = np.load(images_file(folder, split), mmap_mode="r", allow_pickle=False)
        _check_kept(kept, checksums)
        kept_images += len(kept)
        store = ImageStore(
            (channels, height, width),
            kept,
            PlacedFiles(Path(described["source"]), table),
            decoder(channels, size),
            checksums,
        )
        splits[split] = ImageSplit(StreamedImages(store, np.arange(len(labels))), labels)
    known = described["training"]
    training = TrainingStatistics(tuple(known["mean"]), tuple(known["std"]), known["fingerprint"])
    dataset = Dataset(
        name,
        tuple(described["class_names"]),
        splits["train"],
        splits.get("test"),
        described["fingerprint"],
        notes,
        training,
    )
    return replace(dataset, notes=(*notes, _what_happens(dataset, kept_images)))


def bounded(dataset: Dataset, limit_bytes: int | None) -> Dataset:
    """Return a dataset whose images are all kept so that few of them are in memory at a time.

    One of no more bytes than the limit stays as it is.
    """
    if limit_bytes is None or pixel_bytes(dataset) <= limit_bytes:
        return dataset
    train = _streamed_split(dataset.train)
    test = None if dataset.test is None else _streamed_split(dataset.test)
    notes = (*dataset.notes, _what_happens(dataset, _num_images(dataset)))
    return replace(dataset, train=train, test=test, notes=notes)


def pixel_bytes(dataset: Dataset) -> int:
    """Return how many bytes all images of a dataset have decoded."""
    return _num_images(dataset) * dataset.channels * dataset.height * dataset.width


def _num_images(dataset: Dataset) -> int:
    return len(dataset.train) + (0 if dataset.test is None else len(dataset.test))


def _check_places(listing: Listing, source: StreamedSource, num_images: int) -> None:
    for name, place in zip(listing.names, listing.places, strict=True):
        if place is None:
            raise DataError(
                f"'{name}' in '{source.path}' is packed so that it cannot be read alone, and the "
                f"images take {megabytes(num_images * source.image_bytes)} decoded, above the "
                f"cache limit of {megabytes(source.limit_bytes)}; unpack the archive, pack it as "
                ".tar or .zip, or raise --cache-limit."
            )


def _check_kept(kept: NDArray[np.uint8], checksums: NDArray[np.uint32]) -> None:
    for start in range(0, len(kept), _CHECK_IMAGES):
        for row, image in enumerate(kept[start : start + _CHECK_IMAGES], start=start):
            if pixel_checksum(image) != checksums[row]:
                raise ValueError(f"image {row} is not what was written")


def _streamed_split(split: ImageSplit) -> ImageSplit:
    kept = np.asanyarray(split.images)
    _, channels, height, width = kept.shape
    store = ImageStore((channels, height, width), kept)
    return ImageSplit(StreamedImages(store, np.arange(len(split))), split.labels)


def _what_happens(dataset: Dataset, kept_images: int) -> str:
    total = _num_images(dataset)
    what = f"The images take {megabytes(pixel_bytes(dataset))} decoded, above the cache limit: "
    if kept_images == total:
        return f"{what}all are in the cache from before and are read when needed."
    return f"{what}{kept_images:,} of {total:,} are kept, the others are decoded when needed."


def _small_files(folder: Path) -> list[Path]:
    return sorted(
        path
        for pattern in ("*_labels.npy", "*_places.npz", "*_checksums.npy")
        for path in folder.glob(pattern)
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while piece := file.read(2**20):
            digest.update(piece)
    return digest.hexdigest()


def _places_file(folder: Path, split: str) -> Path:
    return folder / f"{split}_places.npz"


def _checksums_file(folder: Path, split: str) -> Path:
    return folder / f"{split}_checksums.npy"
