"""What all tests share: what they import from here, a cache of their own, no race with a clock."""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))

settings.register_profile(
    "ddcodec",
    deadline=None,
    derandomize=True,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("ddcodec")

LONGEST = (
    "test_readme.py", "test_resume.py", "test_cli.py", "test_distill.py", "test_examples.py",
    "test_plan.py", "test_auto_labels.py", "test_given_set.py", "test_eval.py",
)  # fmt: skip
"""Files that keep a process busy for half a minute or more, the longest first."""


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what fixtures and tests leave in the cache out of the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DDC_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def compiled_graphs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What `torch.compile` is given from here on, graph by graph; nothing is compiled for it."""
    import torch

    graphs: list[Any] = []

    def backend(graph: Any, _: object) -> Callable[..., Any]:
        graphs.append(graph)
        return graph.forward  # type: ignore[no-any-return]

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    return graphs


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files: one that starts last runs alone while other cores wait."""
    order = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(LONGEST)))
