"""Optimisers of students: every parameter belongs to one of them."""

from dataclasses import replace

import pytest

from ddcodec.evaluation.protocols import PROTOCOLS
from ddcodec.evaluation.students.optimisers import OPTIMISERS, build_optimisers
from ddcodec.networks import NETWORKS, build
from ddcodec.networks.muon import Muon


@pytest.mark.parametrize("arch", NETWORKS)
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_every_parameter_has_one_optimiser(optimiser: str, arch: str) -> None:
    """Nothing is left untrained, and nothing is moved twice."""
    network = build(arch, (3, 32, 32), 10, seed=0, network_width=16)
    optimisers = build_optimisers(network, replace(PROTOCOLS["tuned"], optimiser=optimiser))
    held = [p for each in optimisers for group in each.param_groups for p in group["params"]]
    assert len(held) == len({id(p) for p in held})
    assert {id(p) for p in held} == {id(p) for p in network.parameters()}


@pytest.mark.parametrize("arch", NETWORKS)
def test_the_classifier_and_vectors_are_left_to_adamw(arch: str) -> None:
    """Muon has kernels only, and not the last layer's."""
    network = build(arch, (3, 32, 32), 10, seed=0, network_width=16)
    muon, _ = build_optimisers(network, PROTOCOLS["muon"])
    assert isinstance(muon, Muon)
    matrices = [p for group in muon.param_groups for p in group["params"]]
    assert matrices and all(p.ndim in (2, 4) for p in matrices)
    assert all(p is not network.classifier.weight for p in matrices)
