"""`ddc eval`: what it prints and refuses, for every kind of training set."""

import importlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image
from refusals import fails

from ddcodec.cli import ddc
from ddcodec.cli.looking import eval as options
from ddcodec.cli.shared import judging_options
from ddcodec.codec.decode import decode_bytes
from ddcodec.codec.encode import encode_content
from ddcodec.datasets import base
from ddcodec.datasets.streamed.images import ImageStore
from ddcodec.evaluation import PROTOCOLS, protocols
from ddcodec.evaluation.candidates.arrays import FLOAT_RANGES
from ddcodec.evaluation.judge import COLUMNS
from ddcodec.evaluation.students import train, unfinished
from ddcodec.networks import NETWORKS

CLASSES = ("cat", "dog")
DDC = Path(__file__).parents[2] / "golden" / "colour.ddc"
"""Four colour images of 32 × 32 in two classes without names."""


@pytest.fixture(autouse=True)
def _short_and_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two updates of narrow networks, a cache and a folder of one's own."""
    for name in ("quick", "tuned", "glance", "learned"):
        settings = {"updates": 2, "batch_size": 4, "network_width": 8}
        short = {**vars(PROTOCOLS[name]), "epochs": None, **settings}
        monkeypatch.setitem(protocols.PROTOCOLS, name, protocols.Protocol(**short))
    monkeypatch.setenv("DDC_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """An image folder of two classes, 32 × 32: six training images, four test images of each."""
    return _image_tree(tmp_path / "pets", CLASSES, 32)


@pytest.fixture
def array_file(tmp_path: Path) -> Path:
    """Four uint8 images with labels."""
    images = np.random.default_rng(1).integers(0, 256, (4, 3, 32, 32)).astype(np.uint8)
    np.savez(tmp_path / "made.npz", images=images, labels=[0, 0, 1, 1])
    return tmp_path / "made.npz"


@pytest.fixture
def soft_file(tmp_path: Path) -> Path:
    """Four uint8 images with probabilities."""
    rows = torch.tensor([[0.9, 0.1], [0.4, 0.6]]).repeat(2, 1)
    images = torch.randint(0, 256, (4, 32, 32, 3), dtype=torch.uint8)
    torch.save({"images": images, "labels": rows}, tmp_path / "soft.pt")
    return tmp_path / "soft.pt"


def _image_tree(
    folder: Path, classes: tuple[str, ...], size: int, splits: tuple[str, ...] = ("train", "test")
) -> Path:
    random = np.random.default_rng(0)
    for split in splits:
        for label, name in enumerate(classes):
            (folder / split / name).mkdir(parents=True)
            for index in range(6 if split == "train" else 4):
                pixels = random.integers(60 * label, 60 * label + 120, (size, size, 3))
                picture = Image.fromarray(pixels.astype(np.uint8))
                picture.save(folder / split / name / f"{index}.png")
    return folder


def _advising(folder: Path, *hints: tuple[int, int]) -> Path:
    """Write the golden file with hints to students."""
    decoded = decode_bytes(DDC.read_bytes())
    header = replace(decoded.header, hints=hints)
    path = folder / "advising.ddc"
    path.write_bytes(encode_content(header, decoded.content).data)
    return path


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(ddc, ["eval", *(str(argument) for argument in arguments)])


def _quick(*arguments: object) -> Result:
    return _run(*arguments, "--protocol", "quick")


def _json(*arguments: object) -> dict:
    result = _run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def _facts(text: str) -> dict[str, str]:
    pairs = (re.split(r" {2,}", line, maxsplit=1) for line in text.splitlines() if "  " in line)
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def test_a_ddc_and_what_decode_makes_of_it(pets: Path) -> None:
    """All an accuracy depends on is printed, and decoded copies give the same accuracies."""
    result = _quick(DDC, "--data", pets, "--seed", "5")
    assert result.exit_code == 0, result.stderr
    facts = _facts(result.stdout)
    assert (facts["protocol"], facts["network"], facts["seeds"]) == ("quick", "convnet", "5, 6, 7")
    assert facts["updates"].startswith("2 per network")
    assert facts["training set"] == "4 images, hard labels"
    assert len(facts["accuracies"].split(", ")) == 3
    assert re.match(r"[\d.]+ ± [\d.]+ %", facts["accuracy"])
    size = DDC.stat().st_size
    assert facts["size"] == f"{size:,} bytes"
    assert facts["bits per class"] == f"{4 * size:,.1f}"
    shown = re.findall(r"convnet, hard labels, network ./3: ([\d.]+ %)", result.stderr)
    assert ", ".join(shown) == facts["accuracies"]
    for form in ("npz", "pt", "png"):
        decode = ["decode", str(DDC), "--format", form, "-o", f"copy-{form}"]
        if form != "png":
            decode[-1] += f".{form}"
        assert CliRunner().invoke(ddc, decode).exit_code == 0
        copied = _facts(_quick(decode[-1], "--data", pets, "--seed", "5").stdout)
        if form != "png":  # which keeps no statistics
            assert copied["accuracies"] == facts["accuracies"]
        assert copied["size"].endswith(f"({'folder' if form == 'png' else '.' + form}, not a .ddc)")
        assert "bits per class" not in copied


@pytest.mark.parametrize(("names", "is_said"), [(("0", "1"), False), (CLASSES, True)])
def test_classes_that_only_count_are_said(
    tmp_path: Path, names: tuple[str, ...], is_said: bool
) -> None:
    """A file without names is taken by the order of a dataset's classes, which is said if named."""
    images = _image_tree(tmp_path / "images", names, 32)
    result = _quick(DDC, "--data", images, "--repeats", "1")
    assert result.exit_code == 0, result.stderr
    expected = "'colour.ddc' has numbers for classes, which are taken in the order of those of"
    assert (expected in result.stderr) == is_said


def test_json(pets: Path) -> None:
    """JSON has size, protocol, seeds, all reports, and the first accuracy in front."""
    facts = _json(DDC, "--data", pets, "--protocol", "quick", "--repeats", "1", "--dataset", "pets")
    assert facts["protocol"] == "quick" and facts["seeds"] == [0] and facts["dataset"] == "pets"
    assert facts["file_bytes"] == DDC.stat().st_size
    assert facts["bits_per_class"] == 4 * facts["file_bytes"]
    (result,) = facts["results"]
    assert facts["accuracies"] == result["hard"]["accuracies"] == [facts["mean"]]
    assert result["all_labels"] is result["full_data"] is result["label_robust_score"] is None


def test_several_architectures(pets: Path, array_file: Path) -> None:
    """Each has its line in a table and its result in JSON."""
    arguments = (
        array_file,
        "--data",
        pets,
        "--repeats",
        "1",
        "--arch",
        "convnet-d2,resnet18-batch",
    )
    result = _quick(*arguments)
    assert result.exit_code == 0, result.stderr
    assert "hard labels" in result.stdout and "random real" not in result.stdout
    assert [line.split()[0] for line in result.stdout.splitlines() if "±" in line] == [
        "convnet-d2", "resnet18-batch",
    ]  # fmt: skip
    facts = _json(*arguments, "--protocol", "quick")
    assert [found["arch"] for found in facts["results"]] == ["convnet-d2", "resnet18-batch"]
    assert facts["bits_per_class"] is None and facts["kind"] == ".npz"


def test_all_labels_stand_in_a_column_of_their_own(pets: Path, soft_file: Path) -> None:
    """Tuned trains on soft labels, too; other protocols stay on hard ones."""
    arguments = (soft_file, "--data", pets, "--repeats", "1", "--protocol")
    result = _json(*arguments, "tuned")["results"][0]
    assert result["hard"]["label_mode"] == "hard" and result["all_labels"]["label_mode"] == "soft"
    assert "hard and soft labels" in _run(*arguments, "tuned").stdout
    assert _json(*arguments, "quick")["results"][0]["all_labels"] is None


def test_one_column_alone(soft_file: Path, pets: Path) -> None:
    """Either kind of label can be left out, and the other gives what it gives beside it."""
    arguments = (soft_file, "--data", pets, "--repeats", "2", "--protocol", "tuned")
    both = _json(*arguments)["results"][0]
    for column, left, out in (("all", "all_labels", "hard"), ("hard", "hard", "all_labels")):
        found = _json(*arguments, "--columns", column)
        (result,) = found["results"]
        assert result[out] is None and found["accuracies"] == both[left]["accuracies"]
        assert result[left]["accuracies"] == both[left]["accuracies"]
    facts = _facts(_run(*arguments, "--columns", "all").stdout)
    assert facts["training set"] == "4 images, soft labels" and "accuracy" not in facts
    assert len(facts["accuracies"].split(", ")) == 2
    assert re.match(r"[\d.]+ ± [\d.]+ % \(4 images\)", facts["all labels"])
    table = _run(*arguments, "--columns", "all", "--arch", "convnet,convnet-d2").stdout
    lines = [line.split() for line in table.splitlines() if "±" in line]
    assert [line[:2] for line in lines] == [["convnet", "–"], ["convnet-d2", "–"]]
    refused = _run(*arguments[:-1], "quick", "--columns", "all")
    fails(refused, 2, "Protocol 'quick' trains with hard labels only; leave --columns out")
    refused = _run(DDC, *arguments[1:], "--columns", "all")
    fails(refused, 2, "The training set has hard labels only")


def test_what_a_file_advises_is_followed(pets: Path, tmp_path: Path) -> None:
    """Images are drawn as often as advised, or as --renditions says; a protocol takes its rate."""
    advising = _advising(tmp_path, (1, 34000), (2, 3), (5, 4000))
    arguments = (advising, "--data", pets, "--repeats", "1", "--protocol")
    facts = _facts(_run(*arguments, "tuned").stdout)
    assert facts["as the file advises"] == "rate 0.004"
    assert facts["training set"] == "4 images in 3 renditions, hard labels"
    found = _json(*arguments, "tuned")
    assert found["advice"] == {"sgd_rate": 0.034, "adamw_rate": 0.004} and found["renditions"] == 3
    assert _facts(_run(*arguments, "learned").stdout)["as the file advises"] == "rate 0.034"
    facts = _facts(_run(*arguments, "quick").stdout)
    assert facts["training set"] == "4 images in 3 renditions, hard labels"
    assert "as the file advises" not in facts
    facts = _facts(_run(*arguments, "quick", "--renditions", "1").stdout)
    assert facts["training set"] == "4 images, hard labels"
    refused = _run(*arguments, "quick", "--renditions", "65")
    assert refused.exit_code == 2 and "it must be at most 64" in refused.stderr


def test_other_numbers_stand_in_the_name(pets: Path, tmp_path: Path) -> None:
    """They are taken, said with every figure, and go before what a file advises."""
    _advising(tmp_path, (5, 4000))
    arguments = ("advising.ddc", "--data", pets, "--protocol", "tuned", "--repeats", "1")
    options = ("--protocol-option", "updates=3", "--protocol-option", "learning_rate=0.002")
    facts = _facts(_run(*arguments, *options).stdout)
    assert facts["protocol"] == "tuned:updates=3,learning_rate=0.002"
    assert facts["updates"].startswith("3 per network")
    assert "as the file advises" not in facts
    facts = _facts(_run(*arguments, *options[:2]).stdout)
    assert facts["as the file advises"] == "rate 0.004"
    found = _json(*arguments, "--protocol-option", "epochs=5")
    assert (found["protocol"], found["updates"]) == ("tuned:epochs=5", 5)
    compare = ["compare", "advising.ddc", "--data", str(pets), "--repeats", "1", *options]
    said = CliRunner().invoke(ddc, compare)
    assert said.exit_code == 0, said.stderr
    assert "protocol quick:updates=3,learning_rate=0.002, seeds 0." in said.stdout


@pytest.mark.long
def test_renditions_count_once_among_random_images(pets: Path, tmp_path: Path) -> None:
    """As many random real images are drawn as the file has, however often each is shown."""
    decoded = decode_bytes(DDC.read_bytes())
    advising = tmp_path / "advising.ddc"
    header = replace(decoded.header, hints=((2, 3),))
    advising.write_bytes(encode_content(header, decoded.content).data)
    arguments = (advising, "--data", pets, "--repeats", "1", "--protocol", "glance")
    result = _json(*arguments, "--references", "random")["results"][0]
    assert result["random_real"]["num_images"] == result["hard"]["num_images"] == 4


def test_references(pets: Path, array_file: Path) -> None:
    """Random real images and the full data are trained once, and scored."""
    arguments = (array_file, "--data", pets, "--repeats", "2", "--references", "all")
    first = _quick(*arguments)
    assert first.exit_code == 0, first.stderr
    assert "random real, convnet: 2 networks of 2 updates of 4 images" in first.stderr
    facts = _facts(first.stdout)
    assert facts["random real"].endswith("(4 images)")
    assert facts["full data"].endswith("(12 images)")
    again = _quick(*arguments)
    assert "kept for the next time" not in again.stderr
    assert _facts(again.stdout)["full data"] == facts["full data"]
    result = _json(*arguments, "--protocol", "quick")["results"][0]
    gap = result["full_data"]["mean"] - result["hard"]["mean"]
    assert result["hard_label_recovery"] == pytest.approx(gap)
    assert 0 < result["label_robust_score"] < 1
    table = _quick(*arguments, "--arch", "convnet,alexnet", "--references", "random").stdout
    assert "random real" in table and "–" in table


@pytest.mark.long
def test_a_set_beside_coded_and_uncoded_images(pets: Path, array_file: Path) -> None:
    """--references coded ends with a sentence that holds three accuracies and their bytes."""
    arguments = (array_file, "--data", pets, "--repeats", "1", "--protocol", "glance")
    shown = _run(*arguments, "--references", "coded")
    assert shown.exit_code == 0, shown.stderr
    report = _json(*arguments, "--references", "coded")
    result = report["results"][0]
    best, coded, random = (result[name] for name in ("hard", "coded_real", "random_real"))
    assert result["full_data"] is None and 2 <= coded["num_images"] <= 12
    facts = _facts(shown.stdout)
    assert facts["coded real"].endswith(f"({coded['num_images']} images)")
    sentence = shown.stdout.strip().splitlines()[-1]
    assert sentence.startswith(f"A network learns {best['mean']:.1f} % from this file of ")
    assert f"{report['file_bytes']:,} bytes, {coded['mean']:.1f} % from" in sentence
    assert f"{random['mean']:.1f} % from 4 real images as they are, 12,288 bytes." in sentence


@pytest.mark.long
def test_a_set_too_small_for_coded_images(pets: Path, tmp_path: Path) -> None:
    """The reference is left out with a sentence, and the others are there."""
    for name in CLASSES:
        (tmp_path / "flat" / "train" / name).mkdir(parents=True)
        Image.new("RGB", (32, 32)).save(tmp_path / "flat" / "train" / name / "0.png")
    arguments = (tmp_path / "flat", "--data", pets, "--repeats", "1", "--protocol", "glance")
    shown = _run(*arguments, "--references", "coded")
    assert shown.exit_code == 0 and "do not hold one image of class 0 as WebP" in shown.stderr
    assert "coded real" not in shown.stdout and "random real" in shown.stdout


def test_the_validation_part(pets: Path, array_file: Path) -> None:
    """--split val tests on training images kept back, and says so."""
    arguments = (array_file, "--data", pets, "--repeats", "1", "--split", "val")
    facts = _facts(_quick(*arguments).stdout)
    assert facts["tested on"] == "pets, 2 images of the validation part; not the test set"
    report = _json(*arguments, "--protocol", "quick", "--references", "all")
    assert report["split"] == "val"
    assert report["results"][0]["full_data"]["num_images"] == 10


@pytest.mark.parametrize("split", ["test", "val"])
def test_above_the_cache_limit(
    pets: Path, array_file: Path, monkeypatch: pytest.MonkeyPatch, split: str
) -> None:
    """Test images are decoded once per network, never all at a time; the same accuracies."""
    arguments = (array_file, "--data", pets, "--repeats", "2", "--protocol", "quick")
    expected = _json(*arguments, "--split", split)["results"]
    monkeypatch.setenv("DDC_CACHE", str(pets.parent / "limited"))
    limited = (*arguments, "--split", split, "--cache-limit", "1k")
    _json(*limited, "--repeats", "1")  # every image is decoded once at first
    monkeypatch.setattr(base, "CHUNK_BYTES", 1)
    monkeypatch.setitem(train._TEST_CHUNK, "cpu", 3)
    taken: list[int] = []
    take = ImageStore.taken

    def counting(store: ImageStore, rows: np.ndarray) -> np.ndarray:
        taken.append(len(rows))
        return take(store, rows)

    monkeypatch.setattr(ImageStore, "taken", counting)
    found = _json(*limited)["results"]
    assert taken == 2 * ([3, 3, 2] if split == "test" else [2])
    assert [one["hard"]["accuracies"] for one in found] == [
        one["hard"]["accuracies"] for one in expected
    ]


@pytest.mark.parametrize("command", ["eval", "compare"])
def test_an_interrupted_evaluation_goes_on(
    pets: Path, array_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Stopped in its second network it trains that one only, says so, and deletes what it kept."""
    kept = tmp_path / "cache" / "unfinished"
    arguments = [command, str(array_file), "--data", str(pets), "--protocol", "quick", "--json"]
    arguments += ["--repeats", "2"]
    whole = CliRunner().invoke(ddc, arguments)
    assert not kept.exists() or not list(kept.iterdir())
    monkeypatch.setattr(unfinished, "EVERY_SECONDS", 0)
    judge = importlib.import_module("ddcodec.evaluation.judge")  # not the function of that name
    original = judge.accuracy
    tested = []

    def interrupted(*given: Any) -> float:
        tested.append(given)
        if len(tested) == 2:
            raise KeyboardInterrupt
        return original(*given)

    monkeypatch.setattr(judge, "accuracy", interrupted)
    stopped = CliRunner().invoke(ddc, arguments)
    assert "Interrupted; the same command goes on from what was kept" in stopped.stderr
    assert stopped.exit_code == 130 and stopped.stdout == "" and "Traceback" not in stopped.stderr
    assert len(list(kept.iterdir())) == 2
    resumed = CliRunner().invoke(ddc, arguments)
    assert resumed.exit_code == 0, resumed.stderr
    assert resumed.stderr.count("goes on from update 2 of 2, where it was interrupted.") == 2
    first, second = json.loads(whole.stdout), json.loads(resumed.stdout)
    if command == "compare":
        first, second = (facts["sets"][0]["accuracy"] for facts in (first, second))
    assert second["accuracies"] == first["accuracies"]
    assert list(kept.iterdir()) == []


def test_statistics_may_be_given(pets: Path, array_file: Path) -> None:
    """--mean and --std change what networks see; half of them, or too few, are refused."""
    arguments = (array_file, "--data", pets, "--repeats", "1")
    given = ("--mean", "0.4914,0.4822,0.4465", "--std", "0.2023,0.1994,0.2010")
    assert _quick(*arguments, *given).exit_code == 0
    fails(_quick(*arguments, "--mean", "0.5,0.5,0.5"), 1, "need each other")
    fails(_quick(*arguments, "--mean", "0.5", "--std", "0.5"), 1, "3 values each")
    fails(_quick(*arguments, "--mean", "a", "--std", "0.5"), 2, "no list of numbers")


@pytest.mark.parametrize(
    ("classes", "size", "splits", "pattern"),
    [
        (CLASSES, 32, ("train",), "no test images"),
        (CLASSES, 8, ("train", "test"), "32x32x3.*8x8x3"),
        (("cat", "cow", "dog"), 32, ("train", "test"), "2 classes.*3"),
    ],
    ids=["no test split", "shape", "number of classes"],
)
def test_another_dataset_is_refused(
    tmp_path: Path,
    classes: tuple[str, ...],
    size: int,
    splits: tuple[str, ...],
    pattern: str,
) -> None:
    """A dataset that the file was not made of is refused before anything is trained."""
    other = _image_tree(tmp_path / "other", classes, size, splits)
    fails(_quick(DDC, "--data", other), 1, pattern)


@pytest.mark.parametrize(
    ("arguments", "code", "pattern"),
    [
        (("made.npz", "--arch", "convnet,convnet-d6"), 2, "depth 6"),
        (("made.npz", "--arch", "lenet"), 2, "Unknown network 'lenet'"),
        (("made.npz", "--arch", "convnet,,vit"), 2, "no list of different names"),
        (("made.npz", "--arch", "vit,vit"), 2, "no list of different names"),
        (("made.npz", "--float-range", "unit"), 1, "are integers"),
        (("made.npz", "--labels", "none.npy"), 1, "no file 'none.npy'"),
        (("pets", "--labels", "made.npz"), 1, "for files of arrays"),
        (("made.npz", "--protocol-option", "update=3"), 2, "no number 'update'; it has: epochs, "),
        (("made.npz", "--protocol-option", "updates=0"), 2, "whole number from 1 on, not 0"),
        (("made.npz", "--protocol-option", "updates"), 2, "'updates' is not like updates=3000"),
        (("none.npz",), 1, "none.npz.*No such file"),
        (("none",), 1, "none"),
    ],
)
@pytest.mark.usefixtures("array_file")
def test_wrong_inputs(pets: Path, arguments: tuple[str, ...], code: int, pattern: str) -> None:
    """Each is one sentence, before anything is trained."""
    fails(_quick(*arguments, "--data", pets), code, pattern)


def test_more_random_images_than_there_are(pets: Path, tmp_path: Path) -> None:
    """A training set with more images of a class than the dataset has no random reference."""
    images = np.zeros((8, 3, 32, 32), np.uint8)
    np.savez(tmp_path / "many.npz", images=images, labels=[1] * 8)
    arguments = ("many.npz", "--data", pets, "--repeats", "1", "--references", "random")
    result = _quick(*arguments)
    assert result.exit_code == 1 and "6 real images, which cannot stand for 8" in result.stderr


def test_choices_are_those_of_the_package() -> None:
    """What help lists without importing torch is what the package knows."""
    assert set(judging_options.PROTOCOLS) == set(PROTOCOLS)
    assert options.COLUMNS == COLUMNS
    assert tuple(options.ARCHITECTURES) == tuple(NETWORKS)
    assert set(options.RANGES) == set(FLOAT_RANGES)
    for name, count in judging_options.DEFAULT_REPEATS.items():
        assert count != PROTOCOLS[name].networks or name == "glance"
    with pytest.raises(click.BadParameter):
        options.parse_names("")
