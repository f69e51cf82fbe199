"""`ddc pool` and `ddc experts`: what they print, keep and refuse."""

import re
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from ddcodec.cli import ddc
from ddcodec.cli.making.distill_options import LOSSES, parse_loss
from ddcodec.cli.making.experts import DTYPES
from ddcodec.cli.making.pool import parse_numbers
from ddcodec.cli.shared.networks import ARCHITECTURES
from ddcodec.cli.shared.options import named_number

POOL = ["pool", "--count", "2", "--epochs", "0,1", "--draws", "1", "--frequencies", "4"]
EXPERTS = ["experts", "--count", "2", "--epochs", "2", "--dtype", "fp32"]
COMMANDS = pytest.mark.parametrize("command", [POOL, EXPERTS], ids=["pool", "experts"])


@pytest.fixture
def pets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An image folder of two classes, 8 × 8, with a cache beside it."""
    monkeypatch.setenv("DDC_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for name in ("cat", "dog"):
        folder = tmp_path / "pets" / "train" / name
        folder.mkdir(parents=True)
        for index in range(6):
            pixels = random.integers(0, 256, (8, 8, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{index}.png")
    return tmp_path / "pets"


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(ddc, [str(argument) for argument in arguments])


@COMMANDS
def test_networks_are_made_once(command: list[str], pets: Path) -> None:
    """The size is said before the work and again after it; a second run has nothing to do."""
    result = _run(*command, pets, "--width", "4")
    assert result.exit_code == 0, result.stderr
    folder = Path(command[0])
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [f"{folder}.json", "network-000.pt", "network-001.pt"]
    )
    planned = re.match(rf"2 networks to train, ([\d,]+) bytes in '{folder}'", result.stdout)
    written = sum(path.stat().st_size for path in folder.iterdir())
    assert planned is not None
    assert 0.5 * written < int(planned[1].replace(",", "")) < 1.5 * written
    assert f"size      {written:,} bytes" in result.stdout
    assert re.search(r"^training 1/2  1/\d+  loss \S+  \S+ s left", result.stderr, re.MULTILINE)
    again = _run(*command, pets, "--width", "4")
    assert again.exit_code == 0
    assert again.stdout.startswith(f"'{folder}' is complete; there is nothing to do.")


@COMMANDS
def test_other_settings_are_refused(command: list[str], pets: Path) -> None:
    """A folder holds networks of one making."""
    assert _run(*command, pets, "--width", "4", "-o", "made").exit_code == 0
    result = _run(*command, pets, "--width", "5", "-o", "made")
    assert result.exit_code == 1
    pattern = r"ddc: pets: .*\nddc: 'made' holds .* network width 4, not 5; .*-o.*\n"
    assert re.fullmatch(pattern, result.stderr)


@COMMANDS
def test_an_interrupt_says_what_is_left(
    command: list[str], pets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C ends with the code of interrupts and a sentence about going on."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ddcodec.cli.shared.networks.show_training", interrupt)
    result = _run(*command, pets, "-o", "made")
    assert result.exit_code == 130
    assert "goes on from what is in 'made'" in result.stderr
    assert _run(*command, pets, "-o", "made", "--arch", "magic").exit_code == 2


def test_choices_are_those_of_the_package() -> None:
    """What help lists without importing torch is what the package knows."""
    from ddcodec.distill.trained.experts import DTYPES as KNOWN_DTYPES
    from ddcodec.distill.trained.experts import ExpertSettings
    from ddcodec.distill.trained.pools import PoolSettings
    from ddcodec.networks import parse_arch

    assert set(DTYPES) == set(KNOWN_DTYPES)
    for arch in ARCHITECTURES:
        parse_arch(arch)
    for name, settings in (("pool", PoolSettings()), ("experts", ExpertSettings())):
        for option in ddc.commands[name].params:
            if isinstance(option, click.Option) and hasattr(settings, str(option.name)):
                default = option.default
                if option.type.name == "parse_numbers" and default is not None:
                    default = parse_numbers(str(default))
                assert default == getattr(settings, str(option.name)), option.name


def test_values_of_options() -> None:
    """Lists, losses and their options are read as they are meant."""
    assert parse_numbers("0.5, 1,2") == (0.5, 1.0, 2.0)
    assert parse_numbers("") == ()
    with pytest.raises(click.BadParameter):
        parse_numbers("1,two")
    assert [parse_loss(name) for name in (*LOSSES, "mine:Loss")] == [*LOSSES, "mine:Loss"]
    parse = named_number("updates=3")
    assert parse("student_steps=40") == ("student_steps", 40)
    assert isinstance(parse("student_steps=40")[1], int)
    assert parse("student_rate=1e-2") == ("student_rate", 0.01)
    for text in ("student_rate", "=3", "student_rate=fast"):
        with pytest.raises(click.BadParameter, match=f"'{text}' is not like updates=3"):
            parse(text)
