"""`ddc verify`: decode everything and say what came out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import click

from ddcodec.budget import format_bytes
from ddcodec.cli.shared.console import print_facts
from ddcodec.cli.shared.options import file_argument, limit_options
from ddcodec.format.limits import DecodeLimits
from ddcodec.results.inspection import file_bytes
from ddcodec.results.reading import decode_file


@click.command("verify")
@file_argument
@limit_options
def verify_command(file: Path, limits: DecodeLimits) -> None:
    """Decode FILE completely and check both of its checksums.

    Prints the SHA-256 of symbols, labels and pixels, which are the same on every machine.
    """
    decoded = decode_file(file, limits)
    import numpy as np

    from ddcodec.codec.checksum import label_bytes, symbol_parts

    parts: dict[str, Iterable[bytes | memoryview]] = {
        "symbols": (part.data for part in symbol_parts(decoded.content)),
        "labels": [label_bytes(decoded.labels)],
        "pixels": (np.ascontiguousarray(image).data for image in decoded.images),
    }
    print_facts(
        [
            ("file", str(file)),
            ("size", format_bytes(file_bytes(decoded.container))),
            *((name, _sha256(data)) for name, data in parts.items()),
            ("checksums", "both match"),
        ]
    )


def _sha256(parts: Iterable[bytes | memoryview]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
