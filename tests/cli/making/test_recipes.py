"""Recipes on the command line: presets, who wins, records and their repetition."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from refusals import fails

from ddcodec.cli import ddc
from ddcodec.cli.making import distill as distill_module
from ddcodec.cli.making.recipes import Request
from ddcodec.cli.making.watching import Watch
from ddcodec.codec.decode import decode_bytes
from ddcodec.distill.recipe.presets import preset_names
from ddcodec.distill.recipe.recipe import Recipe
from ddcodec.distill.recipe.recipe_file import read_recipe
from ddcodec.kept.seal import unsealed_json
from ddcodec.ranks import Ranks

RECIPE = """\
dataset = "pets"
bpc = "0.5k"
pool = "random"
fit_steps = 3
joint_steps = 2
images_per_class = 2
synthesis = "4"
loss_options = { cross_entropy = 5 }
"""


class Asked(Exception):  # noqa: N818 - not an error
    """Carries what a run was asked for."""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with two datasets of two classes and a recipe."""
    monkeypatch.setenv("DDC_CACHE", str(tmp_path / "cache"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Path("mine.toml").write_text(RECIPE)
    random = np.random.default_rng(0)
    for dataset in ("pets", "farm"):
        for name in ("cat", "dog"):
            folder = Path(dataset, "train", name)
            folder.mkdir(parents=True)
            for index in range(6):
                pixels = random.integers(0, 256, (8, 8, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{index}.png")


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(ddc, list(arguments))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a caller of `ddc distill` that gives what would be run instead of running it."""

    def stop(request: Request, watch: Watch, ranks: Ranks) -> None:
        raise Asked(request)

    monkeypatch.setattr(distill_module, "_distill", stop)
    monkeypatch.setenv("DDC_TRACEBACK", "1")

    def call(*arguments: str) -> Request:
        result = _run("distill", *arguments)
        assert isinstance(result.exception, Asked), result.output
        request = result.exception.args[0]
        assert isinstance(request, Request)
        return request

    yield call


def _recipe(request: Request) -> Recipe:
    return Recipe.from_mapping({**request.settings, "bytes_per_class": request.budget.num_bytes})


def test_list_of_presets() -> None:
    """Each has a line with its dataset and budget."""
    result = _run("recipes")
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["cifar10-13k", "cifar10", "defaults", "13,375", "107,000"] in rows
    assert {row[0] for row in rows if row} >= set(preset_names())
    (staged,) = [row for row in rows if row and row[0] == "staged"]
    assert staged[1] == staged[-1] == "any"


def test_printed_preset_is_a_recipe() -> None:
    """What is printed says what the preset says."""
    for name in preset_names():
        Path("printed.toml").write_text(_run("recipes", name).stdout)
        printed, preset = read_recipe("printed.toml"), read_recipe(name)
        assert (printed.dataset, printed.budget) == (preset.dataset, preset.budget)
        assert printed.settings == preset.settings
    fails(_run("recipes", "cifar10-12k"), 2, "near ones: ")


def test_recipe_alone(asked: Any) -> None:
    """What the recipe names is taken, the rest has its default."""
    request = asked("--recipe", "mine.toml")
    assert (request.dataset, request.data, request.budget.text) == ("pets", None, "0.5k")
    assert _recipe(request) == Recipe(
        500.0, pool="random", fit_steps=3, joint_steps=2, images_per_class=2, synthesis="4",
        loss_options={"cross_entropy": 5},
    )  # fmt: skip


def test_command_line_wins(asked: Any) -> None:
    """Options given win, even with the value of their default; options of a loss are merged."""
    request = asked(
        "farm", "--recipe", "mine.toml", "--bpc", "2k", "--steps", "300",
        "--pool", "auto", "--loss-option", "frequencies=8",
    )  # fmt: skip
    assert (request.dataset, request.budget.num_bytes) == ("farm", 2000)
    recipe = _recipe(request)
    assert (recipe.joint_steps, recipe.fit_steps, recipe.pool) == (300, 3, "auto")
    assert recipe.loss_options == {"cross_entropy": 5, "frequencies": 8}


def test_options_belong_to_their_loss(asked: Any) -> None:
    """Another loss drops those of the recipe; naming the same loss keeps them."""
    assert _recipe(asked("--recipe", "mine.toml", "--loss", "gm")).loss_options == {}
    assert _recipe(asked("--recipe", "mine.toml", "--loss", "dm")).loss_options == {
        "cross_entropy": 5
    }


def test_data_belongs_to_its_dataset(asked: Any) -> None:
    """The recipe's data is not taken for another dataset."""
    Path("zip.toml").write_text('dataset = "pets"\ndata = "pets.zip"\nbpc = "1k"\n')
    assert asked("--recipe", "zip.toml").data == "pets.zip"
    assert asked("pets", "--recipe", "zip.toml").data == "pets.zip"
    assert asked("farm", "--recipe", "zip.toml").data is None
    assert asked("--recipe", "zip.toml", "--data", "farm").data == "farm"


def test_preset_for_any_dataset(asked: Any) -> None:
    """It takes the dataset and the budget of the command line."""
    request = asked("pets", "--recipe", "staged", "--bpc", "1k", "--labels", "hard")
    assert (request.dataset, request.budget.text) == ("pets", "1k")
    assert _recipe(request) == Recipe(1000.0, init="crops", teacher="auto", loss="none")


def test_preset(asked: Any) -> None:
    """A preset is named like a file."""
    request = asked("--recipe", "imagenette128-9k", "--data", "nette.zip")
    assert (request.dataset, request.data) == ("imagenette128", "nette.zip")
    assert _recipe(request) == Recipe(9000.0)


@pytest.mark.long
def test_record_repeats_the_run() -> None:
    """The file of a record is the same to the byte, and so is its record but for the time."""
    result = _run("distill", "--recipe", "mine.toml", "--record")
    assert result.exit_code == 0, result.output
    data = Path("pets-0.5k.ddc").read_bytes()
    record = unsealed_json(Path("pets-0.5k.ddc.json").read_bytes())
    digest = hashlib.sha256(data).hexdigest()
    assert record["result"].pop("seconds") > 0
    assert record["result"] == {
        "size_bytes": len(data), "bits_per_class": 4 * len(data), "sha256": digest
    }  # fmt: skip
    assert (record["dataset"]["name"], record["dataset"]["data"]) == ("pets", None)
    resolved = [record["recipe"][name] for name in ("share", "context_width", "context_depth")]
    assert resolved == ["all", 8, 1]
    decode_bytes(data)

    again = _run("distill", "--recipe", "pets-0.5k.ddc.json", "--record", "-o", "again.ddc")
    assert again.exit_code == 0 and "recorded with" not in again.stderr, again.output
    assert "again.ddc.json" in again.stdout
    assert Path("again.ddc").read_bytes() == data
    repeated = unsealed_json(Path("again.ddc.json").read_bytes())
    del repeated["result"]["seconds"]
    # What was asked for differs: a record names what else followed from the budget.
    assert record.pop("asked")["share"] is None and repeated.pop("asked")["share"] == "all"
    assert repeated == record


def _recorded(**changes: object) -> Path:
    """Write what a record of the pets would be, were their fingerprint all zeros."""
    dataset = {"name": "pets", "data": None, "fingerprint": "0" * 64}
    path = Path("x.ddc.json")
    path.write_text(json.dumps({"dataset": dataset, "recipe": {"bytes_per_class": 500}} | changes))
    return path


def test_record_of_another_dataset() -> None:
    """Other images are refused before the work, and nothing is written."""
    before = sorted(path.name for path in Path().iterdir())
    _recorded()
    fails(_run("distill", "--recipe", "x.ddc.json"), 1, "the record of another dataset")
    Path("x.ddc.json").unlink()
    assert sorted(path.name for path in Path().iterdir()) == before


def test_other_versions_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the work, on stderr, in one line."""
    from ddcodec.datasets import load_dataset

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ddcodec.distill.distill.distill", stop)
    fingerprint = load_dataset("pets").fingerprint
    _recorded(torch="1.0", dataset={"name": "pets", "data": None, "fingerprint": fingerprint})
    result = _run("distill", "--recipe", "x.ddc.json")
    assert result.exit_code == 130
    said = [line for line in result.stderr.splitlines() if "was recorded with" in line]
    assert len(said) == 1 and "torch 1.0 (here " in said[0]


def test_existing_outputs_are_kept() -> None:
    """A record that exists is named before the work, like the file itself."""
    Path("x.ddc.json").write_text("mine")
    result = _run("distill", "--recipe", "mine.toml", "--record", "-o", "x.ddc")
    fails(result, 1, "'x.ddc.json' exists; replace it with --force")
    assert Path("x.ddc.json").read_text() == "mine" and not Path("x.ddc").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ([], 2, "Missing argument 'DATASET', and no --recipe names one."),
        (["pets"], 2, "Missing option '--bpc', and no --recipe names one."),
        (["--recipe", "empty.toml"], 2, "'DATASET', and 'empty.toml' names none."),
        (["pets", "--recipe", "empty.toml"], 2, "'--bpc', and 'empty.toml' names none."),
        (["--recipe", "none.toml"], 1, "Cannot read the recipe 'none.toml': No such file"),
        (["--recipe", "cifar10-12k"], 2, "There is no preset 'cifar10-12k'; near ones: "),
        (
            ["--recipe", "wrong.toml"],
            2,
            "Unknown setting 'imgs' in 'wrong.toml'; known: balance, bpc, ",
        ),
        (["--recipe", "broken.toml"], 2, "'broken.toml' is not TOML: "),
        (["--recipe", "imagenette128-9k"], 1, "--data"),
        (["pets", "--recipe", "staged"], 2, "'--bpc', and 'staged' names none"),
        (["--recipe", "staged", "--bpc", "1k"], 2, "'DATASET', and 'staged' names none"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_recipes(arguments: list[str], code: int, sentence: str) -> None:
    """Each gets its sentence and leaves nothing."""
    Path("empty.toml").touch()
    Path("wrong.toml").write_text("imgs = 3\n")
    Path("broken.toml").write_text("dataset = \n")
    before = sorted(path.name for path in Path().iterdir())
    fails(_run("distill", *arguments), code, sentence)
    assert sorted(path.name for path in Path().iterdir()) == before


def test_a_labeler_has_real_images_unless_told_otherwise(asked: Any) -> None:
    """The default loss is none with a labeler and dm without; what is given wins."""
    arguments = ("pets", "--bpc", "1k")
    assert asked(*arguments).settings["loss"] == "dm"
    assert asked(*arguments, "--labels", "labeler").settings["loss"] == "none"
    assert asked(*arguments, "--labels", "labeler", "--loss", "dm").settings["loss"] == "dm"
    assert asked(*arguments, "--labels", "auto").settings["loss"] == "dm"
    Path("mine.toml").write_text(RECIPE + 'loss = "ncfm"\nlabels = "labeler"\n')
    assert asked("--recipe", "mine.toml").settings["loss"] == "ncfm"
