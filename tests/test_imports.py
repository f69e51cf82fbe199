"""Who may import whom, read off the syntax tree; lazy imports inside functions count too."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "ddcodec"

_DRAWING = PACKAGE.parent / "docs" / "architecture.md"
_COMMON = {"errors", "budget", "ranks", "shares", "version"}
MOST_FILES, MOST_LINES = 15, 300


def _table(heading: str) -> dict[str, set[str]]:
    """Return the rooms of a table of the drawing, by what each may import."""
    section = _DRAWING.read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([a-z_/]+)` \|(.*)\|$", section, re.MULTILINE)
    return {room: set(re.findall(r"`(\w+)`", cells.rsplit("|", 1)[-1])) for room, cells in rows}


ROOMS, DISTILL_ROOMS = _table("Rooms of the package"), _table("Rooms of distillation")
INNER_ROOMS = set(_table("Rooms inside rooms"))


def _sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def _imports(path: Path, top_level_only: bool = False) -> Iterator[str]:
    """Yield the dotted names of all modules a file imports, type-checking blocks left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in _nodes(tree, top_level_only):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            yield node.module
            # `from package import module` imports the module, too.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _nodes(node: ast.AST, top_level_only: bool) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        if top_level_only and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        yield child
        yield from _nodes(child, top_level_only)


def _part(path: Path) -> str:
    """Return the subpackage or top-level module a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _distill_room(path: Path) -> str | None:
    """Return the room of `distill` a file belongs to, if any."""
    parts = path.relative_to(PACKAGE).parts
    return parts[1] if parts[0] == "distill" and len(parts) > 2 else None


def _arrows(path: Path) -> set[Path]:
    """Return the files of this package that a file imports from, lazily or not."""
    found = set()
    for node in _nodes(ast.parse(path.read_text(encoding="utf-8")), False):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "ddcodec":
            for alias in node.names:
                file = _file_of(f"{node.module}.{alias.name}") or _file_of(str(node.module))
                assert file is not None, f"{path.name} imports from {node.module}, which is not"
                found.add(file)
    return found


def _file_of(module: str) -> Path | None:
    """Return the file of a module of this package, if there is one."""
    base = PACKAGE.parent.joinpath(*module.split("."))
    candidates = [base.with_suffix(".py"), base / "__init__.py"]
    return next((path for path in candidates if path.is_file()), None)


def test_the_drawing_shows_the_tree() -> None:
    """Every folder has a row in docs/architecture.md, and every row a folder."""
    folders = {path.parent.relative_to(PACKAGE).as_posix() for path in _sources()} - {"."}
    drawn = set(ROOMS) | {f"distill/{room}" for room in DISTILL_ROOMS} | INNER_ROOMS
    assert folders == drawn
    assert {path.stem for path in PACKAGE.glob("*.py")} == _COMMON | {"__init__", "__main__"}


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_rooms_import_what_the_drawing_says(room: str) -> None:
    """No file of a room reaches into a room it may not know, and every arrow is used."""
    reached = {
        _part(found) for path in _sources() if _part(path) == room for found in _arrows(path)
    }
    assert reached - {room, "__init__"} - _COMMON == ROOMS[room]


@pytest.mark.parametrize("room", sorted(DISTILL_ROOMS))
def test_rooms_of_distillation_likewise(room: str) -> None:
    """The same for the rooms of `distill`; none reaches the calls that stand beside them."""
    reached = {
        _distill_room(found) or found.name
        for path in _sources()
        if _distill_room(path) == room
        for found in _arrows(path)
        if _part(found) == "distill" and found.name != "__init__.py"
    }
    assert reached - {room} == DISTILL_ROOMS[room]


def test_nothing_imports_itself() -> None:
    """There is no circle of imports, not even of lazy ones."""
    waiting = {path: _arrows(path) - {path} for path in _sources()}
    while ends := {path for path, needs in waiting.items() if not needs & waiting.keys()}:
        waiting = {path: needs for path, needs in waiting.items() if path not in ends}
    assert not {path.relative_to(PACKAGE).as_posix() for path in waiting}


def test_folders_and_files_stay_small() -> None:
    """A folder is one box, and a file can be read at a sitting."""
    folders = {path.parent for path in _sources()}
    assert [f for f in folders if len(list(f.glob("*.py"))) > MOST_FILES] == []
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in _sources()}
    assert [path for path, count in lines.items() if count > MOST_LINES] == []


def test_format_and_log_need_only_the_standard_library() -> None:
    """The container and the log of a run can be read without numpy and torch."""
    for path in [*(PACKAGE / "format").glob("*.py"), PACKAGE / "results" / "run_log.py"]:
        for module in _imports(path):
            name = module.split(".")[0]
            assert name == "ddcodec" or name in sys.stdlib_module_names, f"{path.name}: {module}"


def _importers(library: str) -> set[str]:
    return {
        path.relative_to(PACKAGE).as_posix()
        for path in _sources()
        if any(module.split(".")[0] == library for module in _imports(path))
    }


def test_constriction_has_one_importer() -> None:
    """Only the range coder knows constriction."""
    assert _importers("constriction") == {"entropy/range_coder.py"}


def test_rich_has_one_importer() -> None:
    """Only the console knows rich."""
    assert _importers("rich") == {"cli/shared/console.py"}


def test_matplotlib_has_one_importer() -> None:
    """Only what draws knows matplotlib, which need not be installed; one place finds it missing."""
    assert _importers("matplotlib") <= {
        f"results/{name}.py" for name in ("drawing", "curves", "rate_utility")
    }


def test_torch_distributed_has_one_importer() -> None:
    """Only ranks know how processes talk."""
    importers = {
        path.relative_to(PACKAGE).as_posix()
        for path in _sources()
        if "torch.distributed" in _imports(path)
    }
    assert importers == {"ranks.py"}


def _closure(start: str) -> set[Path]:
    """Return every file of this package that importing a module runs."""
    seen: set[Path] = set()
    waiting = [start]
    while waiting:
        names = waiting.pop().split(".")
        # Importing a.b.c runs a/__init__, a/b/__init__ and a/b/c.
        for length in range(1, len(names) + 1):
            path = _file_of(".".join(names[:length]))
            if path is not None and path not in seen:
                seen.add(path)
                waiting += [name for name in _imports(path, True) if name.startswith("ddcodec")]
    return seen


def test_decoding_is_light() -> None:
    """Decoding reaches neither distillation nor data nor evaluation, and no torch on import."""
    files = _closure("ddcodec.codec.decode")
    assert PACKAGE / "entropy" / "range_coder.py" in files
    assert not {_part(path) for path in files} & {"distill", "datasets", "evaluation", "networks"}
    for path in files:
        assert "torch" not in {module.split(".")[0] for module in _imports(path, True)}, path


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("ddcodec", ["torch", "numpy"]),
        ("ddcodec.format", ["torch", "numpy"]),
        ("ddcodec.codec.decode", ["torch", "rich", "click"]),
        ("ddcodec.codec.encode", ["torch", "rich", "click"]),
    ],
)
def test_imports_in_a_fresh_process(module: str, absent: list[str]) -> None:
    """What must not be loaded is not loaded."""
    code = f"import sys, {module}; print([name for name in {absent} if name in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=PACKAGE.parent,
    )
    assert result.stdout.strip() == "[]"
