"""Training networks on fixed integers."""

import pytest
import torch
from distill.small_descent import small_start

from ddcodec.distill.latents import representation as representations
from ddcodec.distill.running.run import Run
from ddcodec.distill.start.network_fit import NetworkFit


def _fitted(context_only: bool, weights_cost: bool) -> tuple[Run, list[float], list[float | None]]:
    """Return a run after eight steps of eight images each, with the bits and errors it printed."""
    representation, likeness, _ = small_start()
    header = representation.header((0, 0, 0), (256, 256, 256))
    run = Run(representation, likeness, header, None, 400, 800.0, multiplier=2000.0, seed=0)
    if weights_cost:
        run.quantise_networks()
    fit = NetworkFit(run, 8, context_only)
    seen = [fit.step(step) for step in range(8)]
    assert [count for _, _, count in seen] == [8] * 8
    return run, [bits for bits, _, _ in seen], [error for _, error, _ in seen]


@pytest.mark.parametrize(("context_only", "weights_cost"), [(True, False), (False, True)])
def test_images_in_parts_are_as_all_at_once(
    context_only: bool, weights_cost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How many images are gone through together changes rounding and nothing else."""
    whole, bits, errors = _fitted(context_only, weights_cost)
    monkeypatch.setattr(representations, "PART_IMAGES", 3)
    parts, part_bits, part_errors = _fitted(context_only, weights_cost)
    assert part_bits == pytest.approx(bits, rel=1e-4)
    assert bits[-1] < bits[0]
    if context_only:
        assert errors == part_errors == [None] * 8
    else:
        assert part_errors == pytest.approx(errors, rel=1e-4)
    for name, value in whole.representation.networks[0].items():
        torch.testing.assert_close(
            parts.representation.networks[0][name], value, rtol=0, atol=2e-3, msg=name
        )
