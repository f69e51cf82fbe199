"""The pages of the commands: up to date, complete, and without dead links."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from ddcodec.cli import ddc

DOCS = Path(__file__).parents[1] / "docs"
ROOT = DOCS.parent
PAGES = [*ROOT.glob("*.md"), *DOCS.glob("*.md"), *DOCS.glob("*/*.md")]
_PATH = re.compile(r"`((?:ddcodec|distill|codec|tests|docs|benchmarks|examples)/[\w./-]+|\w+\.py)`")
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = _load("cli_pages")
SITE = _load("site_pages")


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


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    """Every relative link of the documentation names a file."""
    for target in _LINK.findall(path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{path.name}: {target}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_named_files_exist(path: Path) -> None:
    """Whoever looks for a file that the documentation names finds it."""
    folders = (ROOT, ROOT / "ddcodec", DOCS)
    names = {
        file.name
        for folder in ("ddcodec", "tests", "benchmarks")
        for file in ROOT.glob(f"{folder}/**/*.py")
    }
    for named in _PATH.findall(path.read_text(encoding="utf-8")):
        if "/" in named:
            assert any((folder / named).exists() for folder in folders), f"{path.name}: {named}"
        else:
            assert named in names, f"{path.name}: {named}"


def test_every_page_is_in_the_site() -> None:
    """The navigation of the site names all pages but those of commands, which it lists itself."""
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    pages = [path for path in PAGES if path.is_relative_to(DOCS) and path.parent.name != "cli"]
    named = {path.relative_to(DOCS).as_posix() for path in pages} | set(SITE.FROM_ROOT.values())
    assert set(re.findall(r"[\w/-]+\.md", navigation)) == named


def test_links_of_the_site() -> None:
    """Pages lead to pages from wherever they stand; files that are no pages are only named."""
    text = "[a](docs/cli.md#x) ![b](docs/b.png) [c](examples/c.py) [d](CHANGELOG.md) [e](https://e)"
    expected = "[a](cli.md#x) ![b](b.png) c [d](changelog.md) [e](https://e)"
    assert SITE.with_site_links(text, "README.md", "index.md") == expected
    text = "[a](../cli.md) [b](speed.md#y) [c](../../README.md)"
    expected = "[a](../cli.md) [b](speed.md#y) [c](../index.md)"
    assert SITE.with_site_links(text, "docs/results/codec.md", "results/codec.md") == expected
