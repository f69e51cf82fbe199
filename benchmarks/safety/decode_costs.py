"""Measure what each loop of the decoder costs whose length a file chooses, beside what is claimed.

    python benchmarks/safety/decode_costs.py                    # one line a stress
    python benchmarks/safety/decode_costs.py waves              # only those whose names begin so
    python benchmarks/safety/decode_costs.py examples/*.ddc     # files
    python benchmarks/safety/decode_costs.py --edge             # images for 200 bytes

Each line is a crafted file that keeps one loop busy (`crafted_files.py`), decoded in a process of
its own with one thread: CPU seconds and growth of resident memory, what `ddcodec/format/claims.py`
says of the header, and measured over claimed, which must stay below 1. Most files carry a wrong
content checksum, which is looked at last, so that nobody has to draw pixels to make them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from crafted_files import STRESSES, Stress, crafted, encoded, header_of

from ddcodec.codec.decode import decode_bytes, decode_symbols
from ddcodec.codec.renditions import draw_renditions
from ddcodec.errors import FormatError
from ddcodec.export import ExportSource, write_contact_sheet, write_export
from ddcodec.format.claims import (
    Claim,
    decoding_claim,
    drawing_claim,
    exporting_claim,
    sheet_claim,
)
from ddcodec.format.container import unpack_container
from ddcodec.format.header import Header
from ddcodec.format.limits import LEAST_BYTES, LEAST_SECONDS, SMALL_FILE_BYTES, UNBOUNDED


def _status_bytes(field: str) -> int:
    """Return a field of Linux's own account of this process, such as its peak memory."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(field):
            return 1024 * int(line.split()[1])
    raise RuntimeError(f"there is no {field} in /proc/self/status")


def work_and_measure(path: Path, work: str) -> tuple[float, int]:
    """Do something with a file; return CPU seconds and by how much memory grew, in bytes."""
    data = path.read_bytes()
    # What any first file loads does not count.
    WORKS[work](encoded(STRESSES[0]), path.parent / "first")
    before, started = _status_bytes("VmRSS"), time.process_time()
    WORKS[work](data, path.parent / "out")
    seconds = time.process_time() - started
    return seconds, max(0, _status_bytes("VmHWM") - before)


def _decode(data: bytes, out: Path) -> None:
    with contextlib.suppress(FormatError):
        decode_bytes(data, UNBOUNDED)


def _draw(data: bytes, out: Path) -> None:
    decoded = decode_bytes(data, UNBOUNDED)
    draw_renditions(decoded.header, decoded.content, RENDITIONS, UNBOUNDED)


def _export(data: bytes, out: Path) -> None:
    source = ExportSource.of(decode_symbols(data, UNBOUNDED))
    write_export(source, out, "png", force=False)


def _view(data: bytes, out: Path) -> None:
    write_contact_sheet(decode_bytes(data, UNBOUNDED), out, 10, 2, limits=UNBOUNDED)


RENDITIONS = 8
WORKS = {"decode": _decode, "draw": _draw, "export": _export, "view": _view}


def claim_of(header: Header, file_bytes: int, work: str) -> Claim:
    """Return what some work on a file claims, decoding included."""
    decoding = decoding_claim(header, file_bytes)
    if work == "export":
        return exporting_claim(header, file_bytes, header.num_images)
    if work == "view":
        width, height = 336 + 10 * (2 * header.width + 2), max(18, 2 * header.height + 2)
        pictures = min(header.num_images, 10 * header.num_classes)
        return sheet_claim(header, file_bytes, pictures, width * height * header.num_classes)
    if work == "draw":
        drawing = drawing_claim(header, file_bytes, RENDITIONS)
        seconds = {"decoding": decoding.seconds} | drawing.seconds_of
        return Claim(seconds, max(decoding.memory_bytes, drawing.memory_bytes))
    return decoding


def measure(path: Path, work: str) -> tuple[float, int]:
    """Run `work_and_measure` in a process of its own, with one thread."""
    command = [sys.executable, __file__, "--child", work, str(path)]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(command, env=os.environ | threads, capture_output=True, check=True)
    seconds, peak_bytes = json.loads(done.stdout)
    return seconds, peak_bytes


def print_row(name: str, data: bytes, work: str = "decode") -> None:
    """Measure a file and print it beside its claim."""
    claim = claim_of(unpack_container(data, UNBOUNDED).header, len(data), work)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.ddc"
        path.write_bytes(data)
        seconds, peak_bytes = measure(path, work)
    megabytes, claimed = peak_bytes / 1e6, claim.memory_bytes / 1e6
    parts = {part: round(value, 3) for part, value in claim.seconds_of.items() if value > 1e-3}
    print(
        f"{name:22} {len(data):8}  {seconds:7.3f} {claim.seconds:7.3f} "
        f"{seconds / claim.seconds:5.2f}  {megabytes:7.1f} {claimed:7.1f} "
        f"{megabytes / claimed:5.2f}  {parts}",
        flush=True,
    )


def at_the_edge(stress: Stress) -> Stress | None:
    """Return a stress with as many images as a small file may have; None where one is too much."""
    if stress.loud or stress.work != "decode":
        return None
    images = header_of(stress).num_images
    while images:
        facts = stress.header | {"num_images": images}
        claim = decoding_claim(header_of(Stress(stress.name, facts)), SMALL_FILE_BYTES)
        if claim.seconds <= LEAST_SECONDS and claim.memory_bytes <= LEAST_BYTES:
            return Stress(stress.name, facts)
        images = images * 9 // 10
    return None


def main() -> None:
    """Print one line per stress, or per file named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="how names of stresses begin, or .ddc files")
    parser.add_argument("--edge", action="store_true", help="shrink stresses to the least limit")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        work, path = arguments.child
        print(json.dumps(work_and_measure(Path(path), work)))
        return
    print(
        "stress                    bytes  seconds claimed ratio       MB claimed ratio  claimed for"
    )
    files = [name for name in arguments.names if name.endswith(".ddc")]
    for file in files:
        print_row(Path(file).stem, Path(file).read_bytes())
    stresses = filter(None, map(at_the_edge, STRESSES)) if arguments.edge else STRESSES
    for stress in stresses:
        if not arguments.names or any(map(stress.name.startswith, arguments.names)):
            data = encoded(stress) if stress.work != "decode" else crafted(stress)
            if not arguments.edge or len(data) <= SMALL_FILE_BYTES:
                print_row(stress.name, data, stress.work)


if __name__ == "__main__":
    main()
