"""The automatic pool: what it is made of."""

from ddcodec.distill.trained.automatic_pool import automatic_settings
from ddcodec.distill.trained.pools import PoolSettings


def test_what_it_is_made_of() -> None:
    """Literally: its folder in the cache is named after these, and a run made by it repeats."""
    assert automatic_settings(45_000, side=32) == PoolSettings(
        count=2,
        epochs=(0.15, 0.3, 0.6, 1.2, 2.1, 3.0),
        mixes=(0.25, 0.5, 0.75),
        draws=4,
        frequencies=256,
        optimiser="muon",
        arch="convnet",
        network_width=64,
        seed=0,
    )
    large = automatic_settings(8_000, side=128)
    assert large.epochs == (0.5, 1.0, 2.0, 4.0, 7.0, 10.0)
    assert large.arch == "convnet-half"
    assert automatic_settings(8_000, side=95).arch == "convnet"
