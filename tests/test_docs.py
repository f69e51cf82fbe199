"""The pages of the commands: up to date, complete, and without dead links."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from ddcodec.cli import ddc

DOCS = Path(__file__).parents[1] / "docs"
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def _load_generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cli_pages", DOCS / "cli_pages.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = _load_generator()


@pytest.mark.parametrize("name", ddc.commands)
def test_page_is_up_to_date(name: str) -> None:
    """Run `python docs/cli_pages.py` where this fails."""
    assert GENERATOR.page_path(name).read_text(encoding="utf-8") == GENERATOR.page(name)


def test_table_of_commands_is_up_to_date() -> None:
    """The index names every command; run `python docs/cli_pages.py` where this fails."""
    text = (DOCS / "cli.md").read_text(encoding="utf-8")
    assert GENERATOR.index(text) == text
    assert all(f"(cli/{name}.md)" in text for name in ddc.commands)


def test_no_page_without_a_command() -> None:
    """Pages and hand-written parts belong to commands that exist."""
    names = {path.stem for path in [*(DOCS / "cli").glob("*.md"), *(DOCS / "cli/parts").glob("*")]}
    assert names == set(ddc.commands)


def test_page_says_what_the_command_says() -> None:
    """Usage, help, every option with its default, and choices with their bars escaped."""
    page = GENERATOR.page("eval")
    assert "ddc eval [OPTIONS]" in page and "test each once on real images" in page
    assert "| `--seed N` | `0` |" in page
    assert "`--split test\\|val`" in page
    assert "| `--data DATASET\\|PATH` | required |" in page
    assert "`--no-validate`" in GENERATOR.page("distill").replace(", ", "`, `")


@pytest.mark.parametrize(
    "path",
    [*DOCS.glob("*.md"), *DOCS.glob("cli/*.md"), *DOCS.glob("results/*.md")],
    ids=lambda path: path.name,
)
def test_links_lead_somewhere(path: Path) -> None:
    """Every relative link of the documentation names a file."""
    for target in _LINK.findall(path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{path.name}: {target}"
