"""Files of version 1 decode to the same symbols, labels and pixels, everywhere and for ever."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from make import EXPECTED, FOLDER, GOLDEN_FILES, digests

from ddcodec.codec import latents, surroundings
from ddcodec.codec.decode import decode_bytes
from ddcodec.codec.encode import encode_content
from ddcodec.entropy import range_coder

NAMES = sorted(GOLDEN_FILES)

_ROOT = Path(__file__).parents[2]
_DECODE_ALL = """
import json, sys
from pathlib import Path
from typing import Any
from make import FOLDER, digests
from ddcodec.codec.decode import decode_bytes
if len(sys.argv) > 1:
    import torch
    torch.ones(64, 64) @ torch.ones(64, 64)
files = {path.stem: path.read_bytes() for path in FOLDER.glob("*.ddc")}
print(json.dumps({name: digests(data, decode_bytes(data)) for name, data in files.items()}))
"""


def _expected() -> dict[str, dict[str, str]]:
    expected: dict[str, dict[str, str]] = json.loads(EXPECTED.read_text())
    return expected


def _read(name: str) -> bytes:
    return (FOLDER / f"{name}.ddc").read_bytes()


def test_every_golden_file_is_listed() -> None:
    """The folder, the script and the list of digests name the same files."""
    assert sorted(path.stem for path in FOLDER.glob("*.ddc")) == NAMES == sorted(_expected())


@pytest.mark.parametrize("name", NAMES)
def test_decodes_to_pinned_content(name: str) -> None:
    """Bytes, symbols, labels, pixels and logits have the pinned SHA-256."""
    data = _read(name)
    assert len(data) < 8000
    assert digests(data, decode_bytes(data)) == _expected()[name]


@pytest.mark.parametrize("name", NAMES)
def test_encodes_to_the_same_bytes(name: str) -> None:
    """Encoding what was decoded gives the file again."""
    data = _read(name)
    decoded = decode_bytes(data)
    assert encode_content(decoded.header, decoded.content).data == data


@pytest.mark.parametrize("name", NAMES)
def test_script_writes_the_same_bytes(name: str) -> None:
    """The script that made the golden files still makes them."""
    assert GOLDEN_FILES[name]() == _read(name)


@pytest.mark.parametrize(
    ("symbols", "columns", "pixels", "macs"),
    [(1, 1, 1, 1), (7, 3, 36, 1 << 10), (33, 100, 1000, 1 << 16), (1 << 20,) * 4],
)
def test_chunk_sizes_do_not_matter(
    monkeypatch: pytest.MonkeyPatch, symbols: int, columns: int, pixels: int, macs: int
) -> None:
    """However the work is cut into parts, the same content comes out, and the same bytes."""
    monkeypatch.setattr(range_coder, "CHUNK_SYMBOLS", symbols)
    monkeypatch.setattr(latents, "CHUNK_COLUMNS", columns)
    monkeypatch.setattr(surroundings, "CHUNK_PIXELS", pixels)
    monkeypatch.setattr(surroundings, "CHUNK_MACS", macs)
    for name in NAMES:
        data = _read(name)
        decoded = decode_bytes(data)
        assert digests(data, decoded) == _expected()[name]
        assert encode_content(decoded.header, decoded.content).data == data


_NEEDED = {"Haswell": "AVX2", "SkylakeX": "AVX512_SKX"}
"""Instructions of the cores that OpenBLAS is made to take a processor for: without them it dies."""


def _numpy_core() -> Any:
    # The name of the module that knows the processor moved in numpy 2.
    from numpy import __dict__ as numpy_names

    return (numpy_names.get("_core") or numpy_names["core"])._multiarray_umath


@pytest.mark.parametrize(
    ("settings", "with_torch"),
    [
        ({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}, False),
        ({"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}, False),
        ({"OPENBLAS_CORETYPE": "Prescott", "NPY_DISABLE_CPU_FEATURES": "all"}, False),
        ({"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_NUM_THREADS": "2"}, False),
        ({"OPENBLAS_CORETYPE": "SkylakeX", "OPENBLAS_NUM_THREADS": "1"}, False),
        ({"ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "COMPATIBLE", "OMP_NUM_THREADS": "2"}, True),
    ],
)
def test_machine_settings_do_not_matter(settings: dict[str, str], with_torch: bool) -> None:
    """Thread counts and instruction sets of the numeric libraries change nothing."""
    needed = _NEEDED.get(settings.get("OPENBLAS_CORETYPE", ""))
    if needed and not _numpy_core().__cpu_features__.get(needed):
        pytest.skip(f"this processor has no {needed}")
    if settings.get("NPY_DISABLE_CPU_FEATURES") == "all":
        settings = settings | {"NPY_DISABLE_CPU_FEATURES": " ".join(_numpy_core().__cpu_dispatch__)}
    tests = _ROOT / "tests"
    folders = [str(_ROOT), str(tests), str(tests / "golden")]
    environment = os.environ | settings | {"PYTHONPATH": os.pathsep.join(folders)}
    command = [sys.executable, "-c", _DECODE_ALL, *(["torch"] if with_torch else [])]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == _expected()
