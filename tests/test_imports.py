"""Who may import whom, read off the syntax tree; lazy imports inside functions count too."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "ddcodec"

_COMMON = {"errors", "budget", "training_set"}
_ALLOWED: dict[str, set[str]] = {
    "format": {"format", "errors"},
    "entropy": {"entropy", "errors"},
    "codec": {"codec", "entropy", "format", "errors", "budget"},
    "networks": {"networks", "errors"},
    "datasets": {"datasets", "errors"},
    "evaluation": {"evaluation", "datasets", "networks"} | _COMMON,
    "distill": {"distill", "datasets", "networks", "codec", "entropy", "format"} | _COMMON,
    "vision_dataset": set(),
    "labeler": {"labeler", "networks", "codec", "format"},
    "training_set": {"labeler", "vision_dataset", "inspection", "codec", "format"} | _COMMON,
    "inspection": {"inspection", "codec", "format", "errors", "budget"},
    "export": {"export", "console", "codec", "format", "errors"},
    "budget": {"errors"},
    "errors": set(),
    "console": {"console", "errors", "budget"},
    "run_log": {"errors"},
    "drawing": {"errors"},
    "curves": {"run_log", "drawing", "errors"},
    "runs": {"errors"},
    "peers": {"errors"},
    "report": {"inspection", "export", "runs", "console", "codec", "format", "errors"},
    "rate_utility": {"runs", "peers", "drawing", "errors"},
    "shipped_model": {"evaluation", "networks", "codec", "errors"},
}
"""Parts of the package by what each may import; parts that are not named may import everything."""


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


def _file_of(module: str) -> Path | None:
    """Return the file of a module of this package, if there is one."""
    base = PACKAGE.parent.joinpath(*module.split("."))
    candidates = [base.with_suffix(".py"), base / "__init__.py"]
    return next((path for path in candidates if path.is_file()), None)


@pytest.mark.parametrize("part", sorted(_ALLOWED))
def test_parts_import_only_what_they_may(part: str) -> None:
    """No file of a part reaches into a part it may not know."""
    for path in _sources():
        if _part(path) != part:
            continue
        for module in _imports(path):
            names = module.split(".")
            if names[0] == "ddcodec" and len(names) > 1 and _file_of(module) is not None:
                assert names[1] in _ALLOWED[part], f"{path.name} imports {module}"


def test_format_and_log_need_only_the_standard_library() -> None:
    """The container and the log of a run can be read without numpy and torch."""
    for path in [*(PACKAGE / "format").glob("*.py"), PACKAGE / "run_log.py"]:
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
    assert _importers("rich") <= {"console.py"}


def test_matplotlib_has_one_importer() -> None:
    """Only what draws knows matplotlib, which need not be installed; one place finds it missing."""
    assert _importers("matplotlib") <= {"drawing.py", "curves.py", "rate_utility.py"}


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
