"""Schedules of networks in training: rates by hand, every weight in one optimiser."""

import pytest
import torch

from ddcodec.cli.making.pool import OPTIMISERS as OFFERED
from ddcodec.distill.trained import pools
from ddcodec.distill.trained.schedule import OPTIMISERS, Schedule
from ddcodec.distill.trained.weights import FlatNetwork

CPU = torch.device("cpu")


def test_rates_by_hand() -> None:
    """Twenty updates: four to rise, half of them level, the last ten to fall."""
    schedule = Schedule(learning_rate=1.0, rising_until=0.2, falling_from=0.5)
    rates = [schedule.rate(done, 20) for done in range(20)]
    assert rates[:5] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])
    assert rates[10:13] == pytest.approx([1.0, 0.9, 0.8])
    assert rates[-1] == pytest.approx(0.1)


def test_a_plain_schedule_is_level() -> None:
    """Without a rise or a fall the first rate is the last."""
    assert {Schedule().rate(done, 7) for done in range(7)} == {0.01}


def test_a_rise_shorter_than_an_update_is_none() -> None:
    """Few updates still begin at the full rate."""
    assert Schedule(rising_until=0.02, falling_from=0.0).rate(0, 9) == pytest.approx(0.01)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_weight_is_moved_once_by_one_optimiser(name: str) -> None:
    """The parameters are views that cover the vector, and a step moves all of it."""
    network = FlatNetwork("convnet", (3, 16, 16), 3, 8, CPU)
    weights = network.initial(0)
    before = weights.clone()
    parameters = list(network.tensors(weights))
    optimisers = OPTIMISERS[name](network, parameters, Schedule(name, 0.1, weight_decay=0.0))
    held = [p for each in optimisers for group in each.param_groups for p in group["params"]]
    assert sorted(p.data_ptr() for p in held) == sorted(p.data_ptr() for p in parameters)
    for parameter in parameters:
        parameter.grad = torch.full_like(parameter, 2.0)
    for optimiser in optimisers:
        optimiser.step()
    assert bool((weights != before).all())


def test_plain_descent_by_hand() -> None:
    """Momentum 0.5, decay 0.1, rate 0.1: two steps from weights of one with gradients of two."""
    network = FlatNetwork("convnet", (3, 16, 16), 3, 8, CPU)
    weights = torch.ones(network.num_weights)
    schedule = Schedule("sgd", 0.1, momentum=0.5, weight_decay=0.1)
    parameters = list(network.tensors(weights))
    (sgd,) = OPTIMISERS["sgd"](network, parameters, schedule)
    for _ in range(2):
        for parameter in parameters:
            parameter.grad = torch.full_like(parameter, 2.0)
        sgd.step()
    # v₁ = 2.1, w₁ = 0.79; v₂ = 1.05 + 2.079, w₂ = 0.79 − 0.3129.
    assert torch.allclose(weights, torch.tensor(0.4771))


def test_schedules_of_pools_are_those_that_are_offered() -> None:
    """The command line names each, and each names an optimiser."""
    assert set(OFFERED) == set(pools.SCHEDULES)
    assert all(name == schedule.optimiser for name, schedule in pools.SCHEDULES.items())
