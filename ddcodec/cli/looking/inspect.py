"""`ddc inspect`: where the bytes of a file go."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import click

from ddcodec.budget import format_bytes
from ddcodec.cli.shared.console import print_facts, print_table
from ddcodec.cli.shared.options import file_argument, json_option, limit_options
from ddcodec.errors import FormatError
from ddcodec.format.claims import decoding_claim, options_to_read
from ddcodec.format.container import VERSION, Container, unpack_container
from ddcodec.format.header import Header
from ddcodec.format.limits import UNBOUNDED, DecodeLimits
from ddcodec.format.student_recipe import StudentRecipe
from ddcodec.results.inspection import (
    EXPLICIT,
    IMPLICIT,
    Inspection,
    describe_decoder,
    describe_labels,
    file_bytes,
    inspect_file,
)
from ddcodec.results.reading import decode_file, read_ddc

MOST_NAMES = 20
"""Class names that are printed."""


@click.command("inspect")
@file_argument
@click.option("--header", "header_only", is_flag=True, help="Read the header, decode nothing.")
@json_option
@limit_options
def inspect_command(file: Path, header_only: bool, as_json: bool, limits: DecodeLimits) -> None:
    """Show what FILE holds and where its bytes go.

    The parts add up to the size of the file exactly. Explicit parts belong to single images
    (latents, labels), implicit ones are the networks all images share.
    """
    if header_only:
        _inspect_header(file, as_json, limits)
        return
    decoded = decode_file(file, limits)
    inspection = inspect_file(decoded)
    if as_json:
        names = {"file": str(file), "class_names": list(decoded.class_names)}
        print(json.dumps(names | inspection.to_json(), indent=2))
        return
    facts = _facts(file, inspection.header, inspection.file_bytes)
    if decoded.content.class_names is not None:
        facts.append(("class names", _listed(decoded.content.class_names)))
    print_facts(facts)
    _print_parts(inspection)
    print_facts(_rates(inspection))


def _inspect_header(file: Path, as_json: bool, limits: DecodeLimits) -> None:
    data = read_ddc(file, limits)
    try:
        # Nothing is decoded: whatever the header claims can be looked at.
        container = unpack_container(data, replace(UNBOUNDED, max_file_bytes=len(data)))
    except FormatError as error:
        raise FormatError(f"'{file}': {error}") from error
    if as_json:
        facts = {"file": str(file), "file_bytes": len(data), "header": asdict(container.header)}
        print(json.dumps(facts, indent=2))
        return
    print_facts(_facts(file, container.header, len(data)) + _header_facts(container))


def _facts(file: Path, header: Header, size: int) -> list[tuple[str, str]]:
    count = header.num_images
    per_class = f"{count / header.num_classes:.4g} per class"
    seen = CONTEXT_FACTS[header.context_id]
    plural = "" if header.num_levels == 1 else "s"
    names = "kept" if header.has_class_names else "not kept"
    return [
        ("file", str(file)),
        ("size", f"{format_bytes(size)}, format version {VERSION}"),
        ("images", f"{count} of {header.height}x{header.width}x{header.channels}, {per_class}"),
        ("classes", f"{header.num_classes}, names {names}"),
        ("labels", describe_labels(header)),
        ("latents", f"{header.num_levels} level{plural}, {header.positions_per_image} an image"),
        ("context", f"{header.context_width} inputs, depth {header.context_depth}, sees {seen}"),
        ("decoder", describe_decoder(header.synthesis_id, header.synthesis_widths)),
        ("network sets", f"{header.num_sets}, {header.weights_per_set} weights each"),
    ]


CONTEXT_FACTS = {
    1: "its own level",
    2: "its own and the coarser level",
    3: "bands, colours and the coarser level",
    4: "its own and earlier channels",
}


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def _header_facts(container: Container) -> list[tuple[str, str]]:
    header = container.header
    size = file_bytes(container)
    advice = asdict(StudentRecipe.from_hints(header.hints))
    usual = asdict(StudentRecipe())
    hints = ", ".join(
        f"{name.replace('_', ' ')} {value:g}"
        for name, value in advice.items()
        if value != usual[name]
    )
    return [
        ("mean", ", ".join(f"{value / 256:.4f}" for value in header.mean)),
        ("deviation", ", ".join(f"{value / 256:.4f}" for value in header.std)),
        ("student hints", hints or "none"),
        ("header", format_bytes(container.header_bytes)),
        ("payload", format_bytes(len(container.payload))),
        ("per class", _per_class(8 * size / header.num_classes)),
        ("decoding", _claimed(header, size)),
    ]


def _claimed(header: Header, size: int) -> str:
    """Return in words what decoding takes at most, and the options that reading it needs."""
    claim = decoding_claim(header, size)
    options = options_to_read(header, size)
    renditions = StudentRecipe.from_hints(header.hints).renditions
    what = f"with its {renditions} renditions it needs" if renditions > 1 else "needs"
    needs = f"; {what} {options}" if options else ""
    return f"at most {claim.seconds:,.2g} s and {claim.memory_bytes / 1e6:,.0f} MB{needs}"


def _per_class(bits: float) -> str:
    return f"{bits:,.1f} bits, {bits / 8:,.1f} bytes"


def _print_parts(inspection: Inspection) -> None:
    header = inspection.header
    rows = [
        (_title(part.name, header), part.kind, f"{part.num_bytes:,}", f"{part.percent:.2f}")
        for part in inspection.parts
    ]
    total = ("file", "", f"{inspection.file_bytes:,}", "100.00")
    print_table(("part", "kind", "bytes", "%"), rows, total, left=2)


def _title(name: str, header: Header) -> str:
    if name in ("context", "synthesis"):
        return f"{name} networks"
    if not name.startswith("latents "):
        return name
    planes = [plane for plane in header.planes if plane.name == name]
    return f"{name} ({sum(plane.size for plane in planes)} an image)"


def _rates(inspection: Inspection) -> list[tuple[str, str]]:
    per_image = inspection.bytes_per_image
    return [
        ("per class", _per_class(inspection.bits_per_class)),
        ("per image", _per_class(8 * per_image)),
        ("per pixel", f"{inspection.bits_per_pixel:.4f} bits"),
        ("per label", f"{inspection.bits_per_label:,.4g} bits"),
        ("explicit", _share(inspection, EXPLICIT, "latents and labels")),
        ("implicit", _share(inspection, IMPLICIT, "networks")),
    ]


def _share(inspection: Inspection, kind: str, what: str) -> str:
    size = format_bytes(inspection.bytes_of(kind))
    return f"{inspection.percent_of(kind):.2f} % ({what}, {size})"
