"""Settings with which every loss can be built."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from distill.loss_inputs import SETTINGS, TRAJECTORY, build_experts, settings_for

from ddcodec.distill.losses import LossSettings


@pytest.fixture(scope="session")
def settings_of(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., LossSettings]:
    """Return a maker of settings for an entry of `LOSSES` on `training_data`."""
    folders: dict[tuple[int, ...], Path] = {}

    def make(name: str, shape: tuple[int, ...] = (3, 16, 12), **changes: object) -> LossSettings:
        settings = dataclasses.replace(settings_for(shape[0]), **changes)
        if name != "tm":
            return settings
        if shape not in folders:
            folders[shape] = tmp_path_factory.mktemp("experts") / "experts"
            build_experts(folders[shape], shape=shape)
        return dataclasses.replace(settings, experts=str(folders[shape]), options=TRAJECTORY)

    assert make("dm") == SETTINGS
    return make
