"""The command line: what it prints, writes, refuses and leaves alone."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image
from refusals import fails
from sample_content import sample_header

from ddcodec import export
from ddcodec.cli import ddc
from ddcodec.cli.looking import decode as decode_options
from ddcodec.cli.looking import eval as eval_options
from ddcodec.cli.making import distill_options
from ddcodec.cli.shared import group, judging_options, options, run_options
from ddcodec.codec.decode import decode_bytes
from ddcodec.datasets.sources import glyphs
from ddcodec.distill.recipe.recipe import SHARES, Recipe
from ddcodec.distill.search import decoder_search
from ddcodec.errors import OutputError
from ddcodec.evaluation import protocols
from ddcodec.format.container import pack_container
from ddcodec.format.student_recipe import StudentRecipe

ROOT = Path(__file__).parents[1]
GOLDEN = sorted((ROOT / "tests" / "golden").glob("*.ddc"))
COLOUR = GOLDEN[0].with_name("colour.ddc")
NAMED = GOLDEN[0].with_name("sets.ddc")
QUICK = ["--fit-steps", "3", "--steps", "2", "--spc", "2", "--synthesis", "4"]
QUICK += ["--pool", "random"]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder, with a cache outside it."""
    monkeypatch.setenv("DDC_CACHE", str(tmp_path / "cache"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image folder of two classes, 8 × 8."""
    return _image_tree(tmp_path_factory.mktemp("data") / "pets", ("cat", "dog"), 8)


@pytest.fixture(scope="module")
def pets_file(pets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file distilled from the pets."""
    path = tmp_path_factory.mktemp("files") / "pets.ddc"
    result = _run("distill", pets, "--bpc", "500", "--loss", "none", *QUICK, "-o", path)
    assert result.exit_code == 0, result.stderr
    return path


def _image_tree(
    folder: Path, classes: tuple[str, ...], size: int, splits: tuple[str, ...] = ("train", "test")
) -> Path:
    generator = np.random.default_rng(0)
    for split in splits:
        for label, name in enumerate(classes):
            (folder / split / name).mkdir(parents=True)
            for index in range(6):
                pixels = generator.integers(60 * label, 60 * label + 120, (size, size, 3))
                picture = Image.fromarray(pixels.astype(np.uint8))
                picture.save(folder / split / name / f"{index}.png")
    return folder


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(ddc, [str(argument) for argument in arguments])


def _left() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def _facts(text: str) -> dict[str, str]:
    """Read the lines of a report that are a name, two spaces and a value."""
    pairs = (re.split(r" {2,}", line, maxsplit=1) for line in text.splitlines() if "  " in line)
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


# Help and start


def test_help_lists_every_command() -> None:
    """Commands stand in the order of the work; each has help that names its defaults."""
    result = _run("--help")
    assert result.exit_code == 0
    names = re.findall(r"^  (\w+)  ", result.stdout.partition("Commands:")[2], re.MULTILINE)
    assert names == [
        "datasets", "experts", "pool", "teacher", "recipes", "distill", "encode", "inspect",
        "verify", "decode", "view", "eval", "compare", "sweep", "plot", "report",
    ]  # fmt: skip
    for name in names:
        command_help = _run(name, "-h")
        assert command_help.exit_code == 0 and "Usage: ddc" in command_help.stdout


def _options() -> Iterator[tuple[str, click.Option]]:
    for name, command in ddc.commands.items():
        for option in command.params:
            if isinstance(option, click.Option):
                yield name, option


@pytest.mark.parametrize(
    ("name", "option"), list(_options()), ids=lambda value: getattr(value, "name", value)
)
def test_every_option_says_what_it_does_without_it(name: str, option: click.Option) -> None:
    """Options have help, and a shown default unless they are required or switches."""
    assert option.help and option.help.endswith("."), f"{name} {option.name}"
    shown = option.show_default or option.default is not None
    assert shown or option.required or option.is_flag or option.name == "data"


def test_choices_are_those_of_the_package() -> None:
    """What help lists without importing torch is what the package knows."""
    from ddcodec.distill.losses import LOSSES
    from ddcodec.distill.recipe.recipe import BALANCES, INITS, PARAMETERIZATIONS, PYRAMID_CONTEXTS
    from ddcodec.distill.start.crop_choice import PACKS
    from ddcodec.distill.start.initial_images import INITIALISERS
    from ddcodec.networks import NETWORKS

    assert tuple(export.EXPORTERS) == decode_options.FORMATS
    assert set(distill_options.LOSSES) == {"none", *LOSSES}
    assert distill_options.BALANCES == BALANCES
    assert distill_options.CONTEXTS == PYRAMID_CONTEXTS
    assert distill_options.INITS == INITS == (*INITIALISERS, *PACKS)
    assert run_options.PARAMETERIZATIONS == PARAMETERIZATIONS
    assert set(run_options.SHARES) == set(SHARES)
    assert set(judging_options.PROTOCOLS) == set(protocols.PROTOCOLS)
    assert set(eval_options.ARCHITECTURES) == set(NETWORKS)


def test_defaults_are_those_of_the_recipe() -> None:
    """The command line and the library agree on every default."""
    recipe = Recipe(bytes_per_class=1.0)
    given = {option.name: option.default for name, option in _options() if name == "distill"}
    compared = ("loss", "init", "parameterization", "context", "joint_steps", "seed", "device")
    for name in (*compared, "keep_class_names"):
        assert given[name] == getattr(recipe, name)


def test_every_context_model_has_words() -> None:
    """`ddc inspect` can tell what each of them sees, and describe each decoder."""
    from ddcodec.cli.looking import inspect as inspect_options
    from ddcodec.codec import CONTEXT_MODELS
    from ddcodec.format.header import CONTEXTS_OF
    from ddcodec.results.inspection import describe_decoder

    assert set(inspect_options.CONTEXT_FACTS) == set(CONTEXT_MODELS.values())
    assert len({describe_decoder(number, ()) for number in CONTEXTS_OF}) == len(CONTEXTS_OF)
    assert describe_decoder(4, ()) == "none, pixels themselves"


def test_version() -> None:
    """The version names the format, too."""
    result = _run("-V")
    assert re.fullmatch(r"ddc \d+\.\d+\.\d+ \(\.ddc format version 1\)\n", result.stdout)


def test_no_command_is_a_usage_error() -> None:
    """Without a command help goes to stderr."""
    result = _run()
    assert result.exit_code == 2 and result.stdout == "" and "Commands:" in result.stderr


def _loaded_modules(*arguments: object) -> set[str]:
    """Run `ddc` in a fresh process; return the top-level modules it imported."""
    code = (
        "import sys\nfrom ddcodec.cli import ddc\n"
        "code = ddc.main(sys.argv[1:], standalone_mode=False)\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)\n"
        "sys.exit(code)"
    )
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return set(result.stderr.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["distill", "--help"],
        ["encode", "--help"],
        ["compare", "--help"],
        ["plot", "--help"],
        ["datasets", "--help"],
        ["inspect", "--header", COLOUR],
        ["-V"],
    ],
)
def test_starts_without_numpy_and_torch(arguments: list[object]) -> None:
    """Help and headers need the standard library and click."""
    assert not {"torch", "numpy", "constriction", "PIL"} & _loaded_modules(*arguments)


@pytest.mark.parametrize(
    "arguments",
    [["inspect", COLOUR], ["verify", COLOUR], ["decode", COLOUR], ["view", COLOUR]],
    ids=lambda arguments: arguments[0],
)
def test_decoding_needs_no_torch(arguments: list[object]) -> None:
    """Everything but networks to train runs without torch."""
    assert "torch" not in _loaded_modules(*arguments)


def test_click_has_one_importer() -> None:
    """Only the command line knows click."""
    for path in (ROOT / "ddcodec").rglob("*.py"):
        imports = re.search(r"^\s*(import|from) click", path.read_text(), re.MULTILINE)
        assert imports is None or path.is_relative_to(ROOT / "ddcodec" / "cli"), path


# inspect, verify


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_inspect_adds_up(path: Path) -> None:
    """The printed parts sum to the file and to 100 per cent."""
    result = _run("inspect", path)
    assert result.exit_code == 0 and result.stderr == ""
    row = r"^ (\S.*?)\s+(?:explicit|implicit|container)\s+(-?[\d,]+)\s+(-?[\d.]+)\s*$"
    rows = re.findall(row, result.stdout, re.MULTILINE)
    assert sum(int(size.replace(",", "")) for _, size, _ in rows) == path.stat().st_size
    assert sum(round(100 * float(percent)) for *_, percent in rows) == 10_000
    total = re.search(r"^ file\s+([\d,]+)\s+100\.00", result.stdout, re.MULTILINE)
    assert total is not None and int(total[1].replace(",", "")) == path.stat().st_size


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_inspect_json(path: Path) -> None:
    """JSON holds the same, with fractional bits."""
    facts = json.loads(_run("inspect", path, "--json").stdout)
    size = path.stat().st_size
    assert facts["file_bytes"] == size
    assert sum(part["bytes"] for part in facts["parts"]) == size
    assert sum(part["bits"] for part in facts["parts"]) == pytest.approx(8 * size)
    assert sum(part["percent"] for part in facts["parts"]) == pytest.approx(100)
    classes = facts["header"]["num_classes"]
    assert facts["bits_per_class"] == 8 * size / classes == 8 * facts["bytes_per_class"]
    assert len(facts["class_names"]) == classes
    header = json.loads(_run("inspect", path, "--json", "--header").stdout)
    assert header["header"] == facts["header"] and header["file_bytes"] == size


def test_inspect_header() -> None:
    """The header's facts are there, no part is."""
    facts = _facts(_run("inspect", "--header", NAMED).stdout)
    assert facts["size"].startswith("822 bytes")
    assert facts["images"] == "6 of 9x13x1, 2 per class"
    assert facts["per class"] == "2,192.0 bits, 274.0 bytes"


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_verify_prints_pinned_digests(path: Path) -> None:
    """Symbols, labels and pixels have the SHA-256 that is pinned."""
    expected = json.loads((path.parent / "expected.json").read_text())[path.stem]
    facts = _facts(_run("verify", path).stdout)
    assert {name: facts[name] for name in ("symbols", "labels", "pixels")} == {
        name: expected[name] for name in ("symbols", "labels", "pixels")
    }
    assert facts["checksums"] == "both match"


def test_names_from_a_file_cannot_steer_the_terminal() -> None:
    """Control characters are replaced wherever text is printed."""
    from ddcodec.cli.shared.console import print_facts
    from ddcodec.format.printable import printable

    assert printable("a\x1b[31mb\nc") == "a�[31mb�c"
    with CliRunner().isolation() as (out, *_):
        print_facts([("name", "\x1b]0;title\x07")])
        sys.stdout.flush()
        assert b"\x1b" not in out.getvalue()


# Files that are none


def _wrong_files(folder: Path) -> dict[str, tuple[Path, str]]:
    data = COLOUR.read_bytes()
    newer = bytearray(data)
    newer[4] = 2
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    contents = {
        "truncated": (data[:-5], "damaged or truncated"),
        "flipped": (bytes(flipped), "damaged"),
        "foreign": (b"\x89PNG\r\n\x1a\n" + data, "not a .ddc file"),
        "newer": (bytes(newer), "newer"),
        "empty": (b"", "not a .ddc file"),
    }
    files = {}
    for name, (wrong, pattern) in contents.items():
        path = folder / f"{name}.ddc"
        path.write_bytes(wrong)
        files[name] = (path, pattern)
    files["missing"] = (folder / "missing.ddc", "does not exist")
    files["folder"] = (folder, "is a folder")
    return files


@pytest.mark.parametrize(
    "kind", ["truncated", "flipped", "foreign", "newer", "empty", "missing", "folder"]
)
@pytest.mark.parametrize(
    "command",
    [
        ["inspect"], ["inspect", "--header"], ["inspect", "--json"], ["verify"],
        ["decode", "-o", "out"], ["decode", "-o", "out", "--format", "npz"], ["view"],
        ["eval", "--data", "glyphs"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_wrong_files(
    kind: str, command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command that reads a file refuses a wrong one in one sentence, and writes nothing."""
    monkeypatch.setattr(glyphs, "TRAIN_IMAGES", 10)
    monkeypatch.setattr(glyphs, "TEST_IMAGES", 10)
    path, pattern = _wrong_files(tmp_path)[kind]
    if command[0] == "eval" and kind == "folder":
        pattern = "holds no images"  # a folder is evaluated, if it has some
    fails(_run(command[0], path, *command[1:]), 1, pattern)
    assert _left() == []


@pytest.mark.parametrize("option", ["--max-bytes", "--max-seconds"])
def test_limits(option: str) -> None:
    """A file that asks for more than allowed is refused, and the option named."""
    for command in ("inspect", "verify", "decode", "view"):
        fails(_run(command, COLOUR, option, "1e-3" if "seconds" in option else "10"), 1, option)
    assert _left() == []
    assert _run("verify", COLOUR, "--max-bytes", "10M", "--max-seconds", "1").exit_code == 0


def test_header_of_a_refused_file() -> None:
    """Whatever a file claims, its header can be looked at, and what it claims."""
    header = sample_header(num_images=1 << 20, num_levels=1)
    Path("large.ddc").write_bytes(pack_container(header, b"", 0))
    fails(_run("verify", "large.ddc"), 1, "claims 1,048,576 images of 7x5", "--max-bytes")
    result = _run("inspect", "--header", "large.ddc")
    assert result.exit_code == 0, result.stderr
    assert re.search(r"at most \d+ s and [\d,]+ MB; needs --max-seconds \d+ --max", result.stdout)
    advised = StudentRecipe(renditions=8).to_hints()
    header = sample_header(num_images=1 << 20, num_levels=1, hints=advised)
    Path("drawn.ddc").write_bytes(pack_container(header, b"", 0))
    result = _run("inspect", "--header", "drawn.ddc")
    assert "; with its 8 renditions it needs --max-seconds" in result.stdout


# decode, view


def test_decode_names_outputs_after_the_file() -> None:
    """PNG goes to a folder, arrays to a file; -o replaces the stem."""
    assert _run("decode", NAMED).exit_code == 0
    for kind in ("npz", "pt"):
        assert _run("decode", NAMED, "--format", kind).exit_code == 0
        assert _run("decode", NAMED, "--format", kind, "-o", "other").exit_code == 0
        assert _run("decode", NAMED, "--format", kind, "-o", f"third.{kind}").exit_code == 0
    stems = ["other", "sets", "third"]
    assert _left() == sorted(
        ["sets", *(f"{stem}.{kind}" for stem in stems for kind in ("npz", "pt"))]
    )
    decoded = decode_bytes(NAMED.read_bytes())
    assert np.array_equal(np.load("sets.npz")["images"], decoded.images)
    assert np.array_equal(torch.load("sets.pt")["images"].numpy(), decoded.images)


def test_decode_selects() -> None:
    """Images by number and by class; the line counts what was written."""
    result = _run("decode", NAMED, "--format", "npz", "--classes", "2", "-o", "two")
    count = int((decode_bytes(NAMED.read_bytes()).labels == 2).sum())
    assert result.stdout == f"two.npz: {count} images, 1 class\n"
    result = _run("decode", NAMED, "--images", "0:2,-1", "-o", "three")
    assert result.stdout.startswith("three: 3 images, ") and len(list(Path().rglob("*.png"))) == 3


@pytest.mark.parametrize("kind", export.EXPORTERS)
@pytest.mark.parametrize(
    ("arguments", "code", "pattern"),
    [
        (["--classes", "unicorn"], 1, "no class 'unicorn'"),
        (["--classes", "0,3"], 1, "no class '3'"),
        (["--classes", "2-1"], 1, "no class '2-1'"),
        (["--images", "0:0"], 2, "No image is selected"),
        (["--images", "6"], 2, "no image 6"),
        (["--images", "a-b"], 2, "write numbers and ranges"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_wrong_selections(kind: str, arguments: list[str], code: int, pattern: str) -> None:
    """One sentence, and nothing is written."""
    fails(_run("decode", NAMED, "--format", kind, *arguments, "-o", "out"), code, pattern)
    assert _left() == []


def test_classes_by_range() -> None:
    """A range has both of its ends; labels are those of the file."""
    decoded = decode_bytes(NAMED.read_bytes())
    assert _run("decode", NAMED, "--format", "npz", "--classes", "1-2", "-o", "part").exit_code == 0
    chosen = decoded.labels > 0
    with np.load("part.npz") as arrays:
        assert arrays["labels"].tolist() == decoded.labels[chosen].tolist()
        assert np.array_equal(arrays["images"], decoded.images[chosen])


def test_decode_keeps_what_is_there() -> None:
    """An existing output needs --force, and a folder of the user's own stays even then."""
    assert _run("decode", COLOUR, "-o", "out").exit_code == 0
    fails(_run("decode", COLOUR, "-o", "out"), 1, "exists.*--force")
    assert _run("decode", NAMED, "-o", "out", "--force").exit_code == 0
    assert len(list(Path("out").rglob("*.png"))) == 6
    Path("mine").mkdir()
    Path("mine/thesis.txt").write_text("years")
    fails(_run("decode", COLOUR, "-o", "mine", "--force"), 1, "not written by ddc decode")
    assert Path("mine/thesis.txt").read_text() == "years"
    assert _left() == ["mine", "out"]


def test_view() -> None:
    """The sheet is a PNG of the printed size, with a row per class."""
    result = _run("view", NAMED, "-o", "sheet.png", "--per-class", "2", "--scale", "5")
    width, height = Image.open("sheet.png").size
    assert result.stdout == f"sheet.png: {width} x {height} pixels\n"
    assert height == 3 * (5 * 9 + 2) + 2 and width > 2 * 5 * 13
    fails(_run("view", NAMED, "-o", "sheet.png"), 1, "--force")
    fails(_run("view", NAMED, "-o", "other.png", "--classes", "owl"), 1, "no class 'owl'")
    _run("view", NAMED, "-o", "sheet.png", "--force", "--classes", "2,0", "--scale", "5")
    assert Image.open("sheet.png").size[1] == 2 * (5 * 9 + 2) + 2
    fails(_run("view", NAMED, "-o", "sheet.gif"), 2, "png")
    fails(_run("view", NAMED, "--scale", "0"), 2, "at least 1")
    assert _left() == ["sheet.png"]


@pytest.mark.parametrize(
    "command",
    [
        ["decode", NAMED], ["decode", NAMED, "--format", "npz"],
        ["view", NAMED], ["distill", "glyphs", "--bpc", "1k"],
    ],
    ids=lambda command: " ".join(map(str, command[:1] + command[2:])),
)  # fmt: skip
def test_outputs_that_cannot_be_written(command: list[object]) -> None:
    """A missing folder is noticed before any work."""
    fails(_run(*command, "-o", "none/out.png"), 1, "no folder 'none'")
    assert _left() == []


# distill


@pytest.mark.parametrize("loss", ["none", "dm"])
def test_distill_writes_a_file_within_budget(pets: Path, loss: str) -> None:
    """The file is named after dataset and budget, decodes, and is what the summary says."""
    result = _run("distill", pets, "--bpc", "0.5k", "--loss", loss, *QUICK)
    assert result.exit_code == 0, result.stderr
    assert _left() == ["pets-0.5k.ddc"]
    data = Path("pets-0.5k.ddc").read_bytes()
    assert len(data) <= 1000
    decoded = decode_bytes(data)
    assert decoded.class_names == ("cat", "dog") and len(decoded.labels) == 4
    facts = _facts(result.stdout)
    assert facts["size"] == f"{len(data):,} bytes"
    assert facts["budget"].startswith("1,000 bytes, ")
    assert facts["bits per class"] == f"{4 * len(data):,.1f}"
    assert facts["bytes per class"] == f"{len(data) / 2:,.1f}"
    assert facts["images"] == "4, 2 per class"
    assert facts["decoder"] == "pyramid, hidden widths 4"
    assert facts["network sets"] == "1"
    assert ("97 %" in result.stdout) == (len(data) < 970)
    estimated = float(facts["estimated"].split()[0].replace(",", ""))
    assert abs(estimated - len(data)) < 0.005 * len(data) + 30
    first = next(line for line in result.stderr.splitlines() if line.startswith("fit"))
    assert re.match(r"fit  1/4  [\d,]+ of 1,000 bytes  loss \S+  \S+ images/s  \S+ s left", first)


def test_distill_options_reach_the_run(pets: Path) -> None:
    """Sharing, names and context end in the header."""
    arguments = ["--share", "class", "--no-names", "--context", "own", "--loss", "none"]
    result = _run("distill", pets, "--bpc", "900", *QUICK, *arguments, "-o", "x.ddc")
    assert result.exit_code == 0, result.stderr
    header = decode_bytes(Path("x.ddc").read_bytes()).header
    assert (header.num_sets, header.has_class_names, header.context_id) == (2, False, 1)
    assert header.synthesis_widths == (4,)


def test_a_search_goes_from_options_to_record(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found is said, recorded, and made again from the record without a search."""
    monkeypatch.setattr(decoder_search, "RUNGS", (1,))
    monkeypatch.setattr(decoder_search, "TRIALS", 2)
    options = ["--synthesis", "search", "--spc", "1", "--fit-steps", "4", "--loss", "none"]
    result = _run("distill", pets, "--bpc", "900", *options, "--record", "-o", "x.ddc")
    assert result.exit_code == 0, result.stderr
    assert _facts(result.stdout)["searched"] == "2 short fits"
    record = json.loads(Path("x.ddc.json").read_text())
    assert len(record["search"]) == 2 and record["recipe"]["synthesis"].startswith("wavelet")
    again = _run("distill", pets, "--recipe", "x.ddc.json", "-o", "y.ddc")
    assert again.exit_code == 0, again.stderr
    assert Path("y.ddc").read_bytes() == Path("x.ddc").read_bytes()
    assert _left() == ["x.ddc", "x.ddc.json", "y.ddc"]


def test_distill_keeps_what_is_there(pets: Path) -> None:
    """An existing file is named before the work, and replaced with --force."""
    Path("pets-500.ddc").write_text("mine")
    fails(_run("distill", pets, "--bpc", "500", *QUICK), 1, "exists.*--force")
    assert Path("pets-500.ddc").read_text() == "mine"
    result = _run("distill", pets, "--bpc", "500", "--loss", "none", *QUICK, "--force")
    assert result.exit_code == 0
    assert decode_bytes(Path("pets-500.ddc").read_bytes()).header.num_classes == 2


@pytest.mark.parametrize(
    ("arguments", "code", "pattern"),
    [
        ([], 2, "Missing option '--bpc'"),
        (["--bpc", "10q"], 2, "not a size"),
        (["--bpc", "0"], 2, "no room"),
        (["--bpc", "20"], 1, "smallest possible is about \\d+ bytes"),
        (["--bpc", "500", "--spc", "99"], 1, "--spc"),
        (["--bpc", "500", "--spc", "0"], 2, "at least 1"),
        (["--bpc", "500", "--spc", "x"], 2, "not a whole number"),
        (["--bpc", "500", "--loss", "magic"], 2, "'magic'"),
        (["--bpc", "500", "--loss", "tm"], 2, "needs experts"),
        (["--bpc", "500", "--loss-option", "cross_entropy"], 2, "not like"),
        (["--bpc", "500", "--loss-option", "=3"], 2, "not like"),
        (["--bpc", "500", "--loss-option", "x=y"], 2, "not like"),
        (["--bpc", "500", "--synthesis", "v99"], 2, "no decoder"),
        (["--bpc", "500", "--steps", "0"], 2, "at least 1"),
        (["--bpc", "500", "--labels", "auto", "--no-hold-out"], 2, "leave --no-hold-out out"),
        (["--bpc", "500", "--magic"], 2, "No such option"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_distill_arguments(pets: Path, arguments: list[str], code: int, pattern: str) -> None:
    """Each wrong argument gets its sentence and leaves nothing."""
    fails(_run("distill", pets, *arguments), code, pattern)
    assert _left() == []


def test_wrong_datasets(tmp_path: Path) -> None:
    """Unknown names, missing and unusable paths are data errors."""
    fails(_run("distill", "nonsense", "--bpc", "1k"), 1, "'ddc datasets' lists all")
    fails(_run("distill", "cifar10", "--data", "none.tar", "--bpc", "1k"), 1, "none.tar")
    fails(_run("distill", tmp_path / "none", "--bpc", "1k"), 1, "nknown dataset")
    broken = _image_tree(tmp_path / "broken", ("a", "b"), 8)
    (broken / "train" / "a" / "0.png").write_bytes(b"no picture")
    fails(_run("distill", broken, "--bpc", "1k"), 1, "0.png")
    assert _left() == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_absent_gpu(pets: Path, pets_file: Path) -> None:
    """A GPU that is asked for and absent is said so at once."""
    fails(_run("distill", pets, "--bpc", "500", "--device", "cuda"), 2, "--device cpu")
    fails(_run("eval", pets_file, "--data", pets, "--device", "cuda"), 2, "--device cpu")
    assert _left() == []


# Whatever else goes wrong


@pytest.mark.parametrize(
    ("error", "code", "pattern"),
    [
        (KeyboardInterrupt(), 130, "Interrupted"),
        (OSError(28, "whatever", "disk"), 1, "'disk': No space left"),
        (MemoryError(), 1, "not enough memory"),
        (ZeroDivisionError("a\nb"), 1, "bug in ddc.*ZeroDivisionError: A b.*DDC_TRACEBACK"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_unexpected_errors(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, pattern: str
) -> None:
    """Even a bug or Ctrl-C is one line, and its exit code."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("ddcodec.results.reading.read_ddc", fail)
    result = _run("verify", COLOUR)
    assert result.stderr.strip().count("\n") == 0
    fails(result, code, pattern)


def test_interrupted_distill_leaves_nothing(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of the work leaves the checkpoint and no other file."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    arguments = ("distill", pets, "--bpc", "500", "--loss", "none", "-o", "x.ddc", *QUICK)
    with monkeypatch.context() as patch:
        patch.setattr("ddcodec.distill.latent_run.encode_content", interrupt)
        result = _run(*arguments)
    state = r"'x.ddc.checkpoint' holds the last state .* with --resume goes on"
    fails(result, 130, state, after_steps=True)
    assert _left() == ["x.ddc.checkpoint"]
    fails(_run(*arguments), 1, "holds an interrupted run; go on with --resume, or start anew")
    changed = _run(*arguments, "--resume", "--seed", "5")
    fails(changed, 2, r"begun with seed 0, not 5; give the same settings, or start anew")
    assert _left() == ["x.ddc.checkpoint"]
    resumed = _run(*arguments, "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert _left() == ["x.ddc"]
    expected = Path("x.ddc").read_bytes()
    assert _run(*arguments, "--force").exit_code == 0
    assert Path("x.ddc").read_bytes() == expected
    fails(_run(*arguments, "--force", "--resume"), 1, "There is no checkpoint")


def test_full_disk_at_the_end_keeps_the_run(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be written is one sentence, and the finished run is not lost."""
    arguments = ("distill", pets, "--bpc", "500", "--loss", "none", "-o", "x.ddc", *QUICK)

    def fill(data: bytes, path: Path) -> None:
        raise OutputError(f"Cannot write '{path}': No space left on device.")

    with monkeypatch.context() as patch:
        patch.setattr("ddcodec.kept.writing.write_atomically", fill)
        result = _run(*arguments)
    kept = r"Cannot write 'x.ddc': No space .* holds the finished run; .* --resume writes"
    fails(result, 1, kept, after_steps=True)
    assert _left() == ["x.ddc.checkpoint"]
    assert _run(*arguments, "--resume").exit_code == 0
    assert _left() == ["x.ddc"]


def test_disk_without_room_for_the_run(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that could not hold the checkpoint is refused before the work."""
    monkeypatch.setattr("ddcodec.distill.latent_run.CHECKPOINT_COPIES", 10**15)
    result = _run("distill", pets, "--bpc", "500", "--loss", "none", "-o", "x.ddc", *QUICK)
    fails(result, 1, "bytes but its disk has .* left; make room")
    assert _left() == []


def test_distill_writes_a_log(pets: Path) -> None:
    """Every step is a line of JSON, between a start and a finish; other files are kept."""
    arguments = ("distill", pets, "--bpc", "500", "--loss", "none", "-o", "x.ddc", *QUICK)
    assert _run(*arguments, "--log", "x.jsonl").exit_code == 0
    records = [json.loads(line) for line in Path("x.jsonl").read_text().splitlines()]
    assert records[0]["event"] == "start" and records[-1]["event"] == "finish"
    assert records[-1]["size_bytes"] == Path("x.ddc").stat().st_size
    fitted = [r for r in records if r["event"] == "step" and r["phase"] == "fit"]
    assert [r["step"] for r in fitted] == list(range(1, fitted[0]["steps"] + 1))
    assert all(r["multiplier"] > 0 and r["images_per_second"] > 0 for r in fitted)
    before = Path("x.ddc").read_bytes()
    result = _run(*arguments[: -len(QUICK) - 1], "y.ddc", *QUICK, "--log", "x.ddc", "--force")
    fails(result, 1, "x.ddc")
    assert Path("x.ddc").read_bytes() == before


@pytest.mark.parametrize("text", ["30", "1.5m", "2h", "0", "-3", "soon", "m", "5 weeks"])
def test_time_is_read(text: str) -> None:
    """Seconds, minutes and hours; anything else is refused."""
    expected = {"30": 30.0, "1.5m": 90.0, "2h": 7200.0}
    if text in expected:
        assert options.parse_time(text) == expected[text]
    else:
        with pytest.raises(click.BadParameter, match="not like 30m"):
            options.parse_time(text)


@pytest.mark.long
def test_fixed_lambda_lets_the_size_fall(pets: Path) -> None:
    """A larger λ makes a larger file, and no budget is enforced."""
    sizes = []
    for weight in ("20", "20000"):
        output = f"lambda-{weight}.ddc"
        arguments = ("--bpc", "500", "--loss", "none", "--synthesis", "wavelet", "--spc", "2")
        short = ("--fit-steps", "24", "--lambda", weight, "-o", output)
        result = _run("distill", pets, *arguments, *short)
        assert result.exit_code == 0, result.output
        assert "97 %" not in result.stdout
        sizes.append(Path(output).stat().st_size)
    assert sizes[0] < sizes[1]


def test_tracebacks_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks for a bug gets the exception itself."""
    monkeypatch.setenv(group.SHOW_TRACEBACK, "1")
    result = _run("verify", "none.ddc")
    assert type(result.exception).__name__ == "DataError"


@pytest.mark.skipif(os.name != "posix", reason="needs pipes")
def test_reader_that_goes_away() -> None:
    """`ddc inspect … | head -0` ends without a word."""
    reading, writing = os.pipe()
    os.close(reading)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "ddcodec.cli", "inspect", str(COLOUR)]
    result = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, env=environment)
    os.close(writing)
    assert result.returncode == 1 and result.stderr == b""
