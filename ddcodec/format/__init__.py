"""Bytes of the container and its header; standard library only."""

from ddcodec.format.container import Container, pack_container, unpack_container
from ddcodec.format.header import Header
from ddcodec.format.limits import DecodeLimits

__all__ = ["Container", "DecodeLimits", "Header", "pack_container", "unpack_container"]
