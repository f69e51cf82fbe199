"""Decode the golden files in many environments: python tests/matrix.py.

Environments are made with uv, which fetches what is missing: Python 3.10 to 3.14, each with the
oldest numpy and constriction that there are for it, and with the newest. In each, the golden files
are decoded with one and two threads, the processor's instructions limited in many ways, and must
have their SHA-256. With
`--torch 2.6.0 2.13.0` the tests of `tests/training_set` run under these versions of torch as well.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
OLDEST = ("numpy==1.26.*", "constriction==0.4.*")
NEWEST = ("numpy>=2", "constriction>=0.5")
WITHOUT_NUMPY_1 = ("3.13", "3.14")

CORES = {
    "Prescott": "SSE3",
    "Nehalem": "SSE42",
    "Sandybridge": "AVX",
    "Haswell": "AVX2",
    "SkylakeX": "AVX512_SKX",
    "Cooperlake": "AVX512_SPR",
}
"""Processors that OpenBLAS can be told to take this one for, and what they must have."""

FACTS = """
import json, platform, sys
import constriction, numpy
from importlib.metadata import version
from numpy import __dict__ as names
core = (names.get("_core") or names["core"])._multiarray_umath
print(json.dumps({
    "python": platform.python_version(), "numpy": numpy.__version__,
    "constriction": version("constriction"), "dispatched": list(core.__cpu_dispatch__),
    "features": [name for name, there in core.__cpu_features__.items() if there],
}))
"""

DECODE = """
import json
from make import EXPECTED, FOLDER, digests
from ddcodec.codec.decode import decode_bytes
from threadpoolctl import threadpool_info
files = {path.stem: path.read_bytes() for path in FOLDER.glob("*.ddc")}
found = {name: digests(data, decode_bytes(data)) for name, data in files.items()}
blas = [pool for pool in threadpool_info() if pool["internal_api"] == "openblas"]
print(json.dumps({
    "same": found == json.loads(EXPECTED.read_text()),
    "blas": [[pool["architecture"], pool["num_threads"]] for pool in blas],
}))
"""


@dataclass(frozen=True)
class Environment:
    """What is installed side by side.

    Attributes:
        python: version, as uv takes it.
        packages: requirements.
    """

    python: str
    packages: tuple[str, ...]

    def make(self, folder: Path) -> str:
        """Make it; return the path of its Python.

        Raises:
            subprocess.CalledProcessError: it is not to be had here.
        """
        interpreter = str(folder / "bin" / "python")
        for command in (
            ["venv", "--quiet", "--python", self.python, str(folder)],
            ["pip", "install", "--quiet", "--python", interpreter, *self.packages],
        ):
            subprocess.run([_uv(), *command], check=True, capture_output=True, text=True)
        return interpreter


def environments(pythons: Sequence[str]) -> Iterator[Environment]:
    """Yield what decoding is tried with; torch is not needed."""
    for python in pythons:
        numpy, coder = OLDEST
        if python in WITHOUT_NUMPY_1:
            numpy = NEWEST[0]
        yield Environment(python, (numpy, coder, "threadpoolctl"))
        yield Environment(python, (*NEWEST, "threadpoolctl"))


def settings(facts: dict[str, list[str]]) -> Iterator[dict[str, str]]:
    """Yield the variables that a golden file must not notice."""
    for threads in ("1", "2"):
        counts = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        yield counts
        yield counts | {"NPY_DISABLE_CPU_FEATURES": " ".join(facts["dispatched"])}
        for core, needed in CORES.items():
            if needed in facts["features"]:
                yield counts | {"OPENBLAS_CORETYPE": core}


def _uv() -> str:
    found = shutil.which("uv")
    if found is None:
        raise SystemExit("uv is not installed: https://docs.astral.sh/uv, or pip install uv")
    return found


def _run(interpreter: str, code: str, variables: dict[str, str]) -> dict[str, list[str]]:
    folders = [ROOT, ROOT / "tests", ROOT / "tests" / "golden"]
    path = os.pathsep.join(str(folder) for folder in folders)
    plain = {name: value for name, value in os.environ.items() if "OPENBLAS" not in name}
    result = subprocess.run(
        [interpreter, "-c", code],
        env=plain | variables | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        return {"same": [], "error": [_last_line(result.stderr)]}
    read: dict[str, list[str]] = json.loads(result.stdout)
    return read


def _last_line(text: str) -> str:
    return ([line.strip() for line in text.splitlines() if line.strip()] or ["no reason given"])[-1]


def decode_in(environment: Environment, folder: Path) -> tuple[int, int] | None:
    """Return in how many settings the golden files were the same, and in how many they were not.

    None where the environment is not to be had.
    """
    try:
        interpreter = environment.make(folder)
    except subprocess.CalledProcessError as error:
        why = _last_line(error.stderr)
        print(f"Python {environment.python}, {environment.packages}: not to be had, {why}")
        return None
    facts = _run(interpreter, FACTS, {})
    same = different = 0
    blas = set()
    for variables in settings(facts):
        found = _run(interpreter, DECODE, variables)
        blas |= {f"{core} × {threads}" for core, threads in found.get("blas", [])}
        if found["same"] is True:
            same += 1
        else:
            different += 1
            print(f"  DIFFERENT: {variables}: {found}")
    versions = ", ".join(f"{name} {facts[name]}" for name in ("python", "numpy", "constriction"))
    print(
        f"{versions}: the same in {same} of {same + different}; OpenBLAS {sorted(blas)}", flush=True
    )
    return same, different


def test_torch(version: str, python: str, folder: Path) -> bool:
    """Run the tests of training sets under a version of torch."""
    needed = ("-r", str(ROOT / "pyproject.toml"), "pytest", "hypothesis")
    try:
        interpreter = Environment(python, (f"torch=={version}", *needed)).make(folder)
    except subprocess.CalledProcessError as error:
        print(f"Python {python}, torch {version}: not to be had, {_last_line(error.stderr)}")
        return False
    tests = [str(ROOT / "tests" / name) for name in ("training_set", "golden")]
    command = [interpreter, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    variables = os.environ | {"PYTHONPATH": str(ROOT)}
    passed = subprocess.run(command, cwd=ROOT, env=variables, check=False).returncode == 0
    print(f"Python {python}, torch {version}: {'passed' if passed else 'FAILED'}", flush=True)
    return passed


def main() -> None:
    """Try everything; the exit status is 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pythons", nargs="*", default=PYTHONS, help="versions to decode with")
    parser.add_argument("--torch", nargs="*", default=[], help="versions of torch to try as well")
    parser.add_argument("--torch-python", default="3.11", help="the Python they are tried with")
    options = parser.parse_args()
    outcomes, passed = [], []
    with tempfile.TemporaryDirectory() as scratch:
        for number, environment in enumerate(environments(options.pythons)):
            outcomes.append(decode_in(environment, Path(scratch) / str(number)))
            shutil.rmtree(Path(scratch) / str(number), ignore_errors=True)
        for version in options.torch:
            folder = Path(scratch) / f"torch{version}"
            passed.append(test_torch(version, options.torch_python, folder))
            shutil.rmtree(folder, ignore_errors=True)
    had = [outcome for outcome in outcomes if outcome is not None]
    same, different = (sum(counts) for counts in zip(*had, strict=True)) if had else (0, 0)
    print(
        f"{len(had)} of {len(outcomes)} environments: "
        f"{same} decodings of all golden files the same, {different} different"
    )
    sys.exit(int(different > 0 or (bool(outcomes) and not had) or not all(passed)))


if __name__ == "__main__":
    main()
