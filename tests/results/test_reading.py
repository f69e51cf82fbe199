"""A file is read from a path, bytes or a stream, within its limit and no further."""

from io import BytesIO
from pathlib import Path

import pytest

from ddcodec.errors import DataError, FormatError
from ddcodec.format.limits import DecodeLimits
from ddcodec.results.reading import decode_file, read_ddc

GOLDEN = Path(__file__).parents[1] / "golden" / "grey.ddc"


def test_read_refuses_what_is_no_file(tmp_path: Path) -> None:
    """Missing files and folders are data errors, files over the limit format errors."""
    with pytest.raises(DataError, match="does not exist"):
        read_ddc(tmp_path / "none.ddc")
    with pytest.raises(DataError, match="folder"):
        read_ddc(tmp_path)
    with pytest.raises(DataError, match="not a path"):
        read_ddc(Path("a\0b"))
    with pytest.raises(FormatError, match="larger than 99 bytes"):
        read_ddc(GOLDEN, DecodeLimits(max_file_bytes=99))


def test_a_large_limit_takes_no_memory() -> None:
    """What may be read is not allocated before it is known how much there is."""
    data = GOLDEN.read_bytes()
    for limit in (len(data), 1 << 62):
        limits = DecodeLimits(max_file_bytes=limit)
        assert read_ddc(GOLDEN, limits) == data
        with GOLDEN.open("rb") as stream:
            assert decode_file(stream, limits).container.file_bytes == len(data)


def test_decode_names_the_file(tmp_path: Path) -> None:
    """A damaged file's error says which file it is."""
    damaged = tmp_path / "damaged.ddc"
    damaged.write_bytes(GOLDEN.read_bytes()[:-1])
    with pytest.raises(FormatError, match=r"damaged\.ddc"):
        decode_file(damaged)


def test_a_stream_may_come_in_pieces() -> None:
    """What yields a few bytes at a time is read to its end."""
    data = GOLDEN.read_bytes()

    class Pieces(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(7, size if size is not None and size >= 0 else 7))

    assert decode_file(Pieces(data)).container.file_bytes == len(data)
