"""Functions that a GPU repeats: the same results, at every shape, with every rate."""

import pytest
import torch
from torch import Tensor

from ddcodec.networks.replay import WARM_UPS, Rate, Replayed

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
CALLS = WARM_UPS + 4


class _Counted:
    """Multiplies by the number of calls, counted on the device and in Python."""

    def __init__(self, device: torch.device) -> None:
        self.on_device, self.in_python = torch.zeros((), device=device), 0

    def __call__(self, values: Tensor) -> Tensor:
        self.in_python += 1
        self.on_device += 1
        return values * self.on_device


def test_on_a_cpu_the_function_is_called() -> None:
    """Every call is one of the function."""
    counted = _Counted(CPU)
    replayed = Replayed(counted, CPU)
    results = [replayed(torch.ones(2)).tolist() for _ in range(CALLS)]
    assert results == [[number, number] for number in range(1, CALLS + 1)]
    assert counted.in_python == CALLS


@on_gpu
def test_a_gpu_repeats_what_was_launched() -> None:
    """What happens on the device happens at every call, Python runs up to the recording only."""
    counted = _Counted(CUDA)
    replayed = Replayed(counted, CUDA)
    results = [replayed(torch.full((2,), 2.0, device=CUDA)).tolist() for _ in range(CALLS)]
    assert results == [[2 * number] * 2 for number in range(1, CALLS + 1)]
    assert counted.in_python == WARM_UPS + 1


@on_gpu
def test_shapes_are_recorded_apart() -> None:
    """Batches of two sizes in turn each have their own recording."""
    replayed = Replayed(lambda values: 2 * values, CUDA)
    for number in range(2 * CALLS):
        given = torch.arange(float(number), float(number + 2 + number % 2), device=CUDA)
        assert replayed(given).tolist() == (2 * given).tolist()


@on_gpu
def test_what_waits_for_the_gpu_is_called() -> None:
    """A function that reads a number cannot be recorded, and works all the same."""
    replayed = Replayed(lambda values: values * float(values.sum()), CUDA)
    for number in range(CALLS):
        assert (
            replayed(torch.full((2,), float(number), device=CUDA)).tolist() == [2.0 * number**2] * 2
        )


@pytest.mark.parametrize("device", [CPU, pytest.param(CUDA, marks=on_gpu)])
def test_rates_change_between_repetitions(device: torch.device) -> None:
    """Steps of Adam are as long as the rate that was set last."""
    weights = torch.zeros((), device=device, requires_grad=True)
    optimiser = torch.optim.Adam([weights], capturable=device == CUDA)
    rate = Rate(device if device == CUDA else None)

    def step(slope: Tensor) -> Tensor:
        optimiser.zero_grad()
        (slope * weights).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        return weights.detach()

    replayed, before = Replayed(step, device), 0.0
    for number in range(1, CALLS + 1):
        rate.set(optimiser, number / 10)
        after = float(replayed(torch.ones((), device=device)))
        # Under a constant slope Adam moves by its rate.
        assert before - after == pytest.approx(number / 10, rel=1e-4)
        before = after
