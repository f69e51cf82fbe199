"""The automatic pool: how long its networks are trained."""

import pytest

from ddcodec.distill.trained.automatic_pool import (
    FEWEST_EPOCHS,
    FEWEST_UPDATES,
    MOST_EPOCHS,
    automatic_settings,
)


@pytest.mark.parametrize(
    ("num_images", "epochs"),
    [(1, 10), (8_522, 10), (20_000, 7), (32_000, 4), (45_000, 3), (1_200_000, 3)],
)
def test_the_epochs_of_some_sizes(num_images: int, epochs: int) -> None:
    """Ten for a few thousand images, three from CIFAR-10 on."""
    assert automatic_settings(num_images).epochs[-1] == epochs


@pytest.mark.parametrize("num_images", range(1, 100_000, 997))
def test_updates_are_enough_or_epochs_the_most(num_images: int) -> None:
    """Moments rise to the last epoch, and a training is as long as was promised."""
    settings = automatic_settings(num_images)
    last = settings.epochs[-1]
    assert FEWEST_EPOCHS <= last <= MOST_EPOCHS
    assert last == MOST_EPOCHS or last * num_images / 64 >= FEWEST_UPDATES
    assert len(settings.epochs) == 6 and settings.epochs[0] > 0
