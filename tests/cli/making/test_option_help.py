"""What the help says of defaults that only the distillation knows: each number is written twice."""

import click
import pytest

from ddcodec.cli import ddc
from ddcodec.distill.labels.plan import RENDITIONS
from ddcodec.distill.latent_run import FIT_STEPS


def _shown_defaults(command: str) -> dict[str | None, bool | str | None]:
    found = ddc.get_command(click.Context(ddc), command)
    assert found is not None
    return {each.name: each.show_default for each in found.params if isinstance(each, click.Option)}


@pytest.mark.parametrize("command", ["distill", "encode"])
def test_how_long_a_fit_is(command: str) -> None:
    """--fit-steps shows what a recipe without it takes."""
    assert _shown_defaults(command)["fit_steps"] == str(FIT_STEPS)


def test_how_many_renditions_there_are() -> None:
    """--renditions shows what files advise without it."""
    assert _shown_defaults("distill")["renditions"] == str(RENDITIONS)
