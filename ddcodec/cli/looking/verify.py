"""`ddc verify`: decode everything and say what came out."""

from __future__ import annotations

import hashlib
from pathlib import Path

import click

from ddcodec.budget import format_bytes
from ddcodec.cli.shared.console import print_facts
from ddcodec.cli.shared.options import file_argument, limit_options
from ddcodec.format.limits import DecodeLimits
from ddcodec.results.inspection import decode_file, file_bytes


@click.command("verify")
@file_argument
@limit_options
def verify_command(file: Path, limits: DecodeLimits) -> None:
    """Decode FILE completely and check both of its checksums.

    Prints the SHA-256 of symbols, labels and pixels, which are the same on every machine.
    """
    decoded = decode_file(file, limits)
    from ddcodec.codec.checksum import label_bytes, symbol_bytes

    parts = {
        "symbols": symbol_bytes(decoded.content),
        "labels": label_bytes(decoded.labels),
        "pixels": decoded.images.tobytes(),
    }
    print_facts(
        [
            ("file", str(file)),
            ("size", format_bytes(file_bytes(decoded.container))),
            *((name, hashlib.sha256(data).hexdigest()) for name, data in parts.items()),
            ("checksums", "both match"),
        ]
    )
