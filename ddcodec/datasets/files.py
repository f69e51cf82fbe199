"""Load images of the user's own, by what the folder or file is: a tree, arrays, tables, shards."""

from __future__ import annotations

from pathlib import Path

from ddcodec.datasets.base import Dataset
from ddcodec.datasets.in_arrays.npz import is_npz_name, load_npz
from ddcodec.datasets.request import LoadRequest
from ddcodec.datasets.tables.parquet import SUFFIX, ParquetRows, parquet_files
from ddcodec.datasets.tables.rows import load_rows
from ddcodec.datasets.tables.webdataset import WebDatasetRows, is_shard, shards_of
from ddcodec.datasets.trees.folder import has_images, load_tree
from ddcodec.datasets.trees.source import source_exists


def load_files(request: LoadRequest) -> Dataset:
    """Load a folder or archive of images, Parquet files, WebDataset shards or an `.npz`.

    Raises:
        DataError: It is none of them, or something is wrong with it.
    """
    data = request.data
    if data is None or not source_exists(data):
        return load_tree(request)
    if is_npz_name(data):
        return load_npz(request)
    if data.is_dir():
        return _load_directory(request, data)
    if data.suffix.lower() == SUFFIX:
        return load_rows(request, ParquetRows(data))
    if data.is_file() and is_shard(data):
        return load_rows(request, WebDatasetRows(data))
    return load_tree(request)


def _load_directory(request: LoadRequest, data: Path) -> Dataset:
    if has_images(data):
        return load_tree(request)
    if parquet_files(data):
        return load_rows(request, ParquetRows(data))
    # Archives without labels beside the images are parts of a tree.
    shards = shards_of(data)
    if shards and is_shard(shards[0]):
        return load_rows(request, WebDatasetRows(data))
    return load_tree(request)
