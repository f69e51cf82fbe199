"""What README and docs/start.md say runs: commands on `glyphs` and the examples, the Python."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text: str, *languages: str) -> list[str]:
    """Return the fenced blocks of a Markdown text in some languages."""
    return [body for language, body in _BLOCK.findall(text) if language in languages]


def shell_commands(text: str) -> list[list[str]]:
    """Return the words of every `ddc` command in the shell blocks, in order."""
    commands = []
    for body in blocks(text, "sh", "bash", "shell"):
        for line in body.replace("\\\n", " ").splitlines():
            line = line.strip().removeprefix("$ ")
            if line.startswith("ddc "):
                commands.append(shlex.split(line, comments=True))
    return commands


def runnable_commands(text: str) -> list[list[str]]:
    """Return the commands about `glyphs`, the examples, and the files those write."""
    about: set[str] = set()
    chosen = []
    for words in shell_commands(text):
        is_at_hand = any("glyphs" in word or word.startswith("examples/") for word in words)
        if is_at_hand or about & set(words):
            chosen.append(words)
            about |= {word for word in words if word.endswith(".ddc")}
    return chosen


def _run(command: list[str], folder: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, f"{shlex.join(command)}\n{result.stdout}{result.stderr}"


def test_commands_are_found() -> None:
    """Prompts, comments, continued lines and files of one's own naming are understood."""
    text = """
```sh
pip install .
ddc distill glyphs --bpc 1k \\
    -o small.ddc   # a comment
$ ddc inspect small.ddc
ddc distill cifar10 --bpc 10k
ddc verify examples/small.ddc
```
```text
ddc verify glyphs.ddc
```
"""
    assert runnable_commands(text) == [
        ["ddc", "distill", "glyphs", "--bpc", "1k", "-o", "small.ddc"],
        ["ddc", "inspect", "small.ddc"],
        ["ddc", "verify", "examples/small.ddc"],
    ]
    assert len(shell_commands(text)) == 4


@pytest.fixture(scope="module")
def readme_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the README's commands were run, beside the examples they name."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "examples").mkdir()
    pages = [(ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/start.md")]
    commands = [words for text in pages for words in runnable_commands(text)]
    assert all(runnable_commands(text) for text in pages)
    for word in {word for words in commands for word in words if word.startswith("examples/")}:
        shutil.copy(ROOT / word, folder / word)
    assert any(words[1] == "distill" for words in commands), "the README distills no glyphs"
    # Both pages begin with the same file, which is made once.
    for words in map(list, dict.fromkeys(map(tuple, commands))):
        _run([sys.executable, "-m", "ddcodec.cli", *words[1:]], folder)
    return folder


def test_shell_commands_run(readme_folder: Path) -> None:
    """They succeed and leave a file that decodes."""
    files = list(readme_folder.rglob("*.ddc"))
    assert files
    for path in files:
        _run([sys.executable, "-m", "ddcodec.cli", "verify", str(path)], readme_folder)


def test_python_blocks_run(readme_folder: Path) -> None:
    """The Python lines run beside the files of the shell commands."""
    snippets = blocks((ROOT / "README.md").read_text(encoding="utf-8"), "python", "py")
    assert snippets, "the README shows no Python"
    for snippet in snippets:
        _run([sys.executable, "-c", snippet], readme_folder)
