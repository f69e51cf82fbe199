"""Write the tables of accuracies in docs/results/ and README.md from the measured lines.

    python docs/result_tables.py

Between `<!-- measured: NAME -->` and `<!-- end -->` stands a table of the lines in
`benchmarks/measured/NAME.jsonl`, one row for each file, protocol and network, with the mean, the
population deviation and the number of networks. `NAME where file=one|other arch=convnet` chooses
among the lines. What all rows share stands before the table. A test checks that the tables are up
to date and that no line is left out.
"""

import json
import re
import statistics
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
MEASURED = DOCS.parent / "benchmarks" / "measured"
PAGES = [DOCS.parent / "README.md", *sorted((DOCS / "results").glob("*.md"))]

_TABLE = re.compile(
    r"(<!-- measured: ([\w-]+)(?: where (.+?))? -->\n)(.*?)(<!-- end -->\n)", re.DOTALL
)
_COLUMNS = ("file", "labels", "bytes per class", "images per class", "protocol", "network",
            "accuracy, %")  # fmt: skip
_SHARED = ("labels", "protocol", "network")
"""Columns that are left out where all rows have the same."""

_LABELS = {"hard": "hard labels", "soft": "soft labels", "labeler": "labels by a labeler"}
_WORDS = {
    "network_width=": "width ",
    "updates=": "updates ",
    "epochs=": "epochs ",
    "learning_rate=": "rate ",
}
_NETWORKS = {"convnet": "ConvNet", "resnet18": "ResNet18", "vgg11": "VGG11"}


def main() -> None:
    """Write all tables."""
    for path in PAGES:
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")


def filled(text: str) -> str:
    """Return a page with its tables as the lines have them."""
    return _TABLE.sub(lambda found: found[1] + table(found[2], found[3] or "") + found[5], text)


def asked_for(text: str) -> list[tuple[str, str]]:
    """Return the lists that a page has tables of, and how it chooses among their lines."""
    return [(found[2], found[3] or "") for found in _TABLE.finditer(text)]


def table(name: str, where: str = "") -> str:
    """Return the table of a list of measured lines, or of those that are chosen."""
    groups = grouped(chosen(lines_of(name), where))
    rows = [dict(zip(_COLUMNS, row(lines), strict=True)) for lines in groups]
    shared = [name for name in _SHARED if len({cells[name] for cells in rows}) == 1 < len(rows)]
    columns = [name for name in _COLUMNS if name not in shared]
    said = "; ".join(_LABELS.get(rows[0][name], rows[0][name]) for name in shared)
    before = f"Every row: {said}.\n\n" if said else ""
    head = f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|\n"
    body = [" | ".join(cells[name] for name in columns) for cells in rows]
    return before + head + "".join(f"| {line} |\n" for line in body)


def lines_of(name: str) -> list[dict[str, Any]]:
    """Return the lines of a list."""
    text = (MEASURED / f"{name}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def chosen(lines: list[dict[str, Any]], where: str) -> list[dict[str, Any]]:
    """Return the lines that have one of the wanted values in every part that is named."""
    for wish in where.split():
        part, _, values = wish.partition("=")
        wanted = values.split("|")
        lines = [line for line in lines if str(line[part]).removesuffix(".ddc") in wanted]
    return lines


def grouped(lines: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Return lines by file, size, protocol, labels and network, in the order they come first."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for line in lines:
        parts = ("file", "file_bytes", "protocol", "split", "column", "arch")
        groups.setdefault(tuple(line[part] for part in parts), []).append(line)
    return list(groups.values())


def row(lines: list[dict[str, Any]]) -> tuple[str, ...]:
    """Return the cells of lines that differ by their seeds, one for each of `_COLUMNS`."""
    first = lines[0]
    name = first["file"]
    return (
        f"`{name.removesuffix('.ddc')}`" if name.endswith(".ddc") else name,
        "hard" if first["column"] == "hard" else first["labels"],
        f"{first['file_bytes'] / first['classes']:,.0f}",
        f"{first['images'] / first['classes']:,.0f}",
        _protocol(first),
        _NETWORKS.get(first["arch"], first["arch"]),
        accuracy_of(lines),
    )


def accuracy_of(lines: list[dict[str, Any]]) -> str:
    """Return `66.6 ± 0.2 (5)`: mean, population deviation, and how many networks."""
    values = [line["accuracy"] for line in lines]
    if len(values) == 1:
        return f"{values[0]:.1f} (1)"
    return f"{statistics.fmean(values):.1f} ± {statistics.pstdev(values):.1f} ({len(values)})"


def _protocol(line: dict[str, Any]) -> str:
    name, _, changed = line["protocol"].partition(":")
    words = changed
    for given, said in _WORDS.items():
        words = words.replace(given, said)
    split = "" if line["split"] == "test" else ", validation part"
    return f"`{name}`" + (f", {words.replace(',', ', ')}" if changed else "") + split


if __name__ == "__main__":
    main()
