"""The container: literal bytes, and every way in which it can be wrong."""

import struct
import zlib

import pytest
from sample_content import sample_header

from ddcodec.errors import FormatError
from ddcodec.format import DecodeLimits, pack_container, unpack_container

_PAYLOAD = bytes(range(8))


def _small_file() -> bytes:
    return pack_container(sample_header(), _PAYLOAD, 0x11223344)


def _reseal(body: bytes) -> bytes:
    return body + struct.pack("<I", zlib.crc32(body))


def test_literal_bytes() -> None:
    """Magic, version, flags, header, payload and checksums stand where they belong."""
    prefix = "89444443 01 00 12"
    fields = "02 03 07 05 01 02 01 01 08 01 01 00 01 04 8001 40 00"
    body = bytes.fromhex(prefix + fields + "0001020304050607" + "44332211")
    assert _small_file() == body + bytes.fromhex("42dcb0f7")


def test_round_trip() -> None:
    """A file comes apart into what it was made of."""
    container = unpack_container(_small_file())
    assert container.header == sample_header()
    assert container.payload == _PAYLOAD
    assert container.content_crc == 0x11223344
    assert container.header_bytes + len(_PAYLOAD) + 8 == len(_small_file())


def test_class_names_set_the_flag() -> None:
    """Bit 0 of the flags says that class names are kept."""
    data = pack_container(sample_header(has_class_names=True), b"", 0)
    assert data[5] == 1
    assert unpack_container(data).header.has_class_names


def test_payload_must_be_words() -> None:
    """The encoder does not write half a word."""
    with pytest.raises(ValueError, match="whole 32-bit words"):
        pack_container(sample_header(), b"123", 0)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a .ddc file"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 64, "not a .ddc file"),
        (b"\x89", "truncated"),
        (b"\x89DDC", "truncated"),
        (b"\x89DDC\x01\x00\x00" + b"\0" * 7, "truncated"),
        (b"PK\x03\x04" * 20, "not a .ddc file"),
    ],
)
def test_foreign_and_short_files(data: bytes, message: str) -> None:
    """Files of another kind and stumps are told apart."""
    with pytest.raises(FormatError, match=message):
        unpack_container(data)


@pytest.mark.parametrize("version", [0, 2, 255])
def test_other_versions_name_themselves(version: int) -> None:
    """A file of another version says so, even where its checksum lies elsewhere."""
    data = bytearray(_small_file())
    data[4] = version
    with pytest.raises(FormatError, match=f"version {version} of the format"):
        unpack_container(bytes(data))


@pytest.mark.parametrize("bit", range(1, 8))
def test_unknown_flags_are_refused(bit: int) -> None:
    """Every flag but the first belongs to a later release."""
    body = bytearray(_small_file()[:-4])
    body[5] |= 1 << bit
    with pytest.raises(FormatError, match="features this release does not know"):
        unpack_container(_reseal(bytes(body)))


@pytest.mark.parametrize(
    ("length", "message"),
    [
        ("13", "whole 32-bit words|longer than its fields"),
        ("9200", "longer than needed"),
        ("7f", "longer than the file"),
        ("8120", "claims 4097 bytes"),
        ("ffffffffffffffff7f", "claims 9223372036854775807 bytes"),
        ("ffffffffffffffffff", "beyond 63 bits"),
        ("11", "middle of a number"),
    ],
)
def test_header_length_lies(length: str, message: str) -> None:
    """A header length that does not fit the fields, or is spelled oddly, is refused."""
    body = _small_file()[:6] + bytes.fromhex(length) + _small_file()[7:-4]
    with pytest.raises(FormatError, match=message):
        unpack_container(_reseal(body))


def test_spelled_out_field_is_refused() -> None:
    """A header field with a spare byte is refused."""
    body = b"\x89DDC\x01\x00\x13\x82\x00" + _small_file()[8:-4]
    with pytest.raises(FormatError, match="longer than needed"):
        unpack_container(_reseal(body))


def test_file_size_limit() -> None:
    """A file over the limit is refused; at the limit it is read."""
    size = len(_small_file())
    assert unpack_container(_small_file(), DecodeLimits(max_file_bytes=size))
    with pytest.raises(FormatError, match="over the limit"):
        unpack_container(_small_file(), DecodeLimits(max_file_bytes=size - 1))


def test_damaged_checksum() -> None:
    """A wrong outer checksum is named as damage."""
    data = _small_file()
    with pytest.raises(FormatError, match="checksum does not match"):
        unpack_container(data[:-1] + bytes([data[-1] ^ 1]))
