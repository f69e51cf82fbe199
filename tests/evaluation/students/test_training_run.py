"""Updates that a GPU repeats are those that it was told one by one."""

import io
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from evaluation.students.test_unfinished import PLAIN, PROTOCOLS, TRAINING

from ddcodec.evaluation import TrainingOptions
from ddcodec.evaluation.students.training_run import TrainingRun
from ddcodec.evaluation.students.unfinished import State
from ddcodec.networks import replay

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")

OPTIONS = TrainingOptions(device="cuda", bfloat16=False)


@pytest.fixture(autouse=True)
def _same_sums_every_time() -> Iterator[None]:
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        yield


def _run(name: str) -> TrainingRun:
    training = PLAIN if name == "epochs" else TRAINING
    protocol = PROTOCOLS[name]
    if protocol.updates:
        protocol = replace(protocol, updates=12)
    torch.manual_seed(0)
    return TrainingRun(training, 2, protocol, 0, "convnet", OPTIONS)


def _weights(run: TrainingRun) -> torch.Tensor:
    return torch.cat([value.detach().flatten() for value in run.network.parameters()])


@pytest.mark.parametrize("name", PROTOCOLS)
def test_recorded_updates_are_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights after all updates are those of a run without recordings, or very near."""
    ends = []
    for warm_ups in (replay.WARM_UPS, 10**6):
        monkeypatch.setattr(replay, "WARM_UPS", warm_ups)
        run = _run(name)
        while run.done < run.updates:
            run.update()
        ends.append(_weights(run))
    start = _weights(_run(name))
    assert (ends[0] - ends[1]).norm() < 1e-3 * (ends[1] - start).norm()


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_restored_run_goes_on(name: str) -> None:
    """State handed to a fresh run half way leads to the same weights, or very near."""
    whole = _run(name)
    start, state = _weights(whole), None
    while whole.done < whole.updates:
        whole.update()
        if state is None and whole.done >= whole.updates // 2:
            state = _stored(whole.state())
    fresh = _run(name)
    assert state is not None
    fresh.restore(state)
    while fresh.done < fresh.updates:
        fresh.update()
    assert (_weights(fresh) - _weights(whole)).norm() < 1e-3 * (_weights(whole) - start).norm()


def _stored(state: State) -> State:
    """Return a state as it comes back from a file."""
    stream = io.BytesIO()
    torch.save(state, stream)
    stream.seek(0)
    loaded: State = torch.load(stream, map_location="cpu", weights_only=True)
    return loaded
