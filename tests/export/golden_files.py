"""Small files of every kind, decoded."""

from dataclasses import replace
from functools import cache
from pathlib import Path

from ddcodec.codec.decode import DecodedFile
from ddcodec.results.reading import decode_file

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("*.ddc"))


@cache
def golden(name: str) -> DecodedFile:
    """Return a golden file, decoded."""
    return decode_file(GOLDEN[0].with_name(f"{name}.ddc"))


def named(*names: str) -> DecodedFile:
    """Return a decoded file of three classes with other names."""
    decoded = golden("sets")
    return replace(decoded, content=replace(decoded.content, class_names=names))
