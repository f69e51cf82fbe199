"""The pages of results: tables as the measured lines have them, answers first, no line left out."""

import importlib.util
import re
from pathlib import Path
from statistics import fmean
from types import ModuleType
from typing import Any

import pytest

from ddcodec.results.peers import peers_of

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs/results").glob("*.md"))
_PUBLISHED = re.compile(r"^\| TM-RUO[^|]*\| hard \| ([\d,]+) \| `standard` \| ([\d.]+) \|$", re.M)


def _load_generator() -> ModuleType:
    path = ROOT / "docs/result_tables.py"
    spec = importlib.util.spec_from_file_location("result_tables", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TABLES = _load_generator()
LISTS = sorted(path.stem for path in TABLES.MEASURED.glob("*.jsonl"))


def _line(**changes: Any) -> dict[str, Any]:
    line = {"file": "a.ddc", "file_bytes": 10_004, "images": 200, "classes": 10, "labels": "hard"}
    line |= {"protocol": "quick", "split": "test", "column": "hard", "arch": "convnet"}
    return line | {"accuracy": 50.0} | changes


@pytest.mark.parametrize("path", TABLES.PAGES, ids=lambda path: path.stem)
def test_tables_are_up_to_date(path: Path) -> None:
    """Run `python docs/result_tables.py` where this fails."""
    text = path.read_text(encoding="utf-8")
    assert TABLES.filled(text) == text


@pytest.mark.parametrize("name", LISTS)
def test_every_line_has_a_row(name: str) -> None:
    """What was measured is shown, also where it is no success."""
    shown = []
    for path in TABLES.PAGES:
        for asked, where in TABLES.asked_for(path.read_text(encoding="utf-8")):
            if asked == name:
                shown += TABLES.chosen(TABLES.lines_of(name), where)
    assert [line for line in TABLES.lines_of(name) if line not in shown] == []


def test_lists_are_known_and_choices_find_something() -> None:
    """No page asks for a list that is not there, or for lines that no list has."""
    for path in TABLES.PAGES:
        for name, where in TABLES.asked_for(path.read_text(encoding="utf-8")):
            assert name in LISTS
            assert TABLES.chosen(TABLES.lines_of(name), where), f"{path.name}: {name} {where}"


def test_rows() -> None:
    """Sizes are per class; mean, population deviation and number; protocols in words."""
    lines = [_line(accuracy=50.0), _line(accuracy=51.0)]
    cells = ("`a`", "hard", "1,000", "20", "`quick`", "ConvNet", "50.5 ± 0.5 (2)")
    assert TABLES.row(lines) == cells
    short = _line(protocol="muon:updates=800,network_width=32", split="val", labels="labeler")
    assert TABLES.row([short])[4] == "`muon`, updates 800, width 32, validation part"
    assert TABLES.row([short])[1] == "hard" and TABLES.row([short])[6] == "50.0 (1)"
    assert TABLES.row([_line(column="all", labels="labeler")])[1] == "labeler"


def test_lines_are_grouped_and_chosen() -> None:
    """Seeds share a row; other networks, sizes and files do not."""
    lines = [_line(), _line(arch="vgg11"), _line(accuracy=1.0), _line(file="b.ddc")]
    assert [len(group) for group in TABLES.grouped(lines)] == [2, 1, 1]
    assert TABLES.chosen(lines, "file=a|c arch=vgg11") == [lines[1]]


def test_published_points_are_those_of_the_package() -> None:
    """The tables' figures of the rate–utility method are `ddcodec/results/peers.toml`'s."""
    (peer,) = peers_of("cifar10", ("TM-RUO",))
    points = dict(zip(peer.bits_per_class, peer.accuracy, strict=True))
    text = (ROOT / "docs/results/accuracy.md").read_text(encoding="utf-8")
    found = [
        (float(size.replace(",", "")), float(value)) for size, value in _PUBLISHED.findall(text)
    ]
    assert len(found) == 2
    for size, accuracy in found:
        assert points[8 * size] == accuracy


def test_figures_of_the_readme_are_measured() -> None:
    """Sizes, accuracies and those of WebP are means of lines, published ones the package's."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[.*?\]\(examples/(\S+)\) \| (.+) \|$", text, re.M)
    lines = [line for name in LISTS for line in TABLES.lines_of(name)]
    published = {value for name in ("cifar10", "imagenette128") for peer in peers_of(name)
                 for value in peer.accuracy}  # fmt: skip
    webp = {_mean(group) for group in TABLES.grouped(TABLES.lines_of("cifar10-real"))}
    assert len(rows) >= 6
    for file, cells in rows:
        size, accuracy, best, real = cells.replace("*", "").split(" | ")
        own = [line for line in lines if line["file"] == file and line["split"] == "test"]
        assert size == f"{own[0]['file_bytes'] / own[0]['classes']:,.0f}", file
        assert accuracy in {_mean(group) for group in TABLES.grouped(own)}, file
        assert best == "–" or float(best) in published, file
        assert real == "–" or real in webp, file


def _mean(group: list[dict[str, Any]]) -> str:
    return f"{fmean(line['accuracy'] for line in group):.1f}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_answers_first(path: Path) -> None:
    """The title asks, the first paragraph answers in two sentences."""
    title, answer = path.read_text(encoding="utf-8").split("\n\n")[:2]
    assert title.startswith("# ") and title.endswith("?")
    assert len(re.findall(r"[.!](?= |$)", answer)) == 2, answer


def test_the_index_names_every_page() -> None:
    """No page of results is hidden."""
    text = (ROOT / "docs/results.md").read_text(encoding="utf-8")
    assert all(f"(results/{path.name})" in text for path in PAGES)


def test_the_pages_stay_short() -> None:
    """All of them together can be read in half an hour."""
    assert sum(len(path.read_text(encoding="utf-8").split()) for path in PAGES) < 9_000


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_cells_and_paragraphs_stay_short(path: Path) -> None:
    """A cell of a table is a line or two, a paragraph is no page."""
    lines = path.read_text(encoding="utf-8").splitlines()
    cells = [cell.strip() for line in lines if line.startswith("|") for cell in line.split("|")]
    assert [cell for cell in cells if len(cell) > 180] == []
    prose = [line for line in lines if not line.startswith(("|", "    ", "#"))]
    assert [line for line in prose if len(line.split()) > 110] == []
