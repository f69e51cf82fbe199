"""Smoke test of an installed wheel: no source tree, no test dependency; run by `make dist`.

    python tests/check_dist.py cifar10-3k.ddc

It must run outside the repository, so that nothing of it is imported in place of the wheel.
"""

import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path


def main(example: Path) -> None:
    """Decode a file by the library and by the command, and make one.

    Raises:
        AssertionError: Something is missing from the wheel, or does not work.
    """
    import ddcodec

    home = Path(ddcodec.__file__).parent
    assert "site-packages" in home.parts, f"imported from {home}, which is not the installed wheel"
    for name in ("py.typed", "results/peers.toml", "distill/recipe/presets.toml"):
        assert files("ddcodec").joinpath(name).is_file(), f"the wheel lacks {name}"
    training_set = ddcodec.load(example)
    assert training_set.num_classes == 10 and tuple(training_set.images.shape[1:]) == (3, 32, 32)
    with tempfile.TemporaryDirectory() as folder:
        ddc("verify", str(example), cwd=folder)
        ddc("recipes", cwd=folder)
        ddc("decode", str(example), "-o", "out", cwd=folder)
        assert len(list(Path(folder, "out").rglob("*.png"))) == len(training_set)
        ddc("encode", "out", "--bpc", "5k", "--fit-steps", "16", "-o", "again.ddc", cwd=folder)
        size = Path(folder, "again.ddc").stat().st_size
        assert size <= 50_000, f"{size} bytes are more than the budget"
    print(f"ddcodec {ddcodec.__version__}: the wheel decodes and encodes")


def ddc(*arguments: str, cwd: str) -> None:
    """Run the installed command."""
    command = Path(sys.executable).with_name("ddc")
    subprocess.run([str(command), *arguments], cwd=cwd, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
