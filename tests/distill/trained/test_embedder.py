"""Embeddings are those of the networks, compiled or not, whichever comes next."""

import pytest
import torch
from torch import Tensor

from ddcodec import networks
from ddcodec.distill.trained import embedder
from ddcodec.distill.trained.embedder import CHUNK_IMAGES, Embedder
from ddcodec.networks import Classifier, precision

CPU = torch.device("cpu")
MANY = 1e9


def _network(seed: int) -> Classifier:
    return networks.build("convnet", (1, 8, 8), 3, seed=seed, network_width=4).eval()


def _images(count: int) -> Tensor:
    return torch.randn((count, 1, 8, 8), generator=torch.Generator().manual_seed(5))


@pytest.fixture
def compiled_shapes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let compiled functions be the functions themselves, and return the batches they see."""
    seen: list[int] = []

    def compiled(function: object) -> object:
        def call(images: Tensor) -> Tensor:
            seen.append(len(images))
            return function(images)  # type: ignore[operator]

        return call

    monkeypatch.setattr(embedder, "compiled", compiled)
    monkeypatch.setattr(precision, "compiler_found", lambda: True)
    return seen


@pytest.mark.parametrize("count", [1, CHUNK_IMAGES, CHUNK_IMAGES + 3])
def test_compiled_embeddings_are_those_of_each_network(
    compiled_shapes: list[int], count: int
) -> None:
    """Three networks share two programs, which see chunks of one size and nothing else."""
    many = [_network(seed) for seed in range(3)]
    found = Embedder(CPU, bfloat16=False)
    images = _images(count)
    for turn in (0, 1, 0, 2, 1, 2, 0):
        expected = many[turn].features(images)
        assert torch.allclose(found.embed(many[turn], images, MANY), expected, atol=1e-6)
    assert set(compiled_shapes) == {CHUNK_IMAGES}


def test_gradients_pass_to_the_images_alone(compiled_shapes: list[int]) -> None:
    """They are those of plain embeddings, and what fills up a chunk has none."""
    network = _network(0).requires_grad_(False)
    gradients = []
    for before in (0, MANY):
        images = _images(3).requires_grad_()
        embeddings = Embedder(CPU, bfloat16=False).embed(network, images, before)
        gradients.append(torch.autograd.grad(embeddings.square().sum(), images)[0])
    assert compiled_shapes == [CHUNK_IMAGES]
    assert torch.allclose(*gradients, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("before", [0, MANY])
def test_many_pixels_are_embedded_twice(
    before: float, compiled_shapes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that activations are not held; gradients are the same, of two networks at once, too."""
    some = [_network(seed).requires_grad_(False) for seed in range(2)]
    gradients = []
    for most in (1 << 23, 0):
        monkeypatch.setattr(embedder, "HELD_PIXELS", most)
        found = Embedder(CPU, bfloat16=precision.bfloat16_pays(CPU))
        images = _images(CHUNK_IMAGES + 3).requires_grad_()
        seen = [found.embed(network, images, before) for network in some]
        compiled_shapes.clear()
        loss = seen[0].square().sum() + seen[1].sum() ** 2
        gradients.append(torch.autograd.grad(loss, images)[0])
        assert len(compiled_shapes) == (4 if most == 0 and before == MANY else 0)
    assert float(gradients[0].abs().max()) > 0
    assert torch.equal(*gradients)


def test_it_compiles_when_that_has_been_paid_for(
    compiled_shapes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images of 8×8 cost a sixteenth of those of 32×32; without a compiler nothing is tried."""
    found = Embedder(CPU, bfloat16=False)
    enough = 16 * embedder.COMPILE_FROM_IMAGES
    for before, programs in ((enough - 1, 0), (enough, 1)):
        found.embed(_network(0), _images(2), before)
        assert len(compiled_shapes) == programs
    monkeypatch.setattr(precision, "compiler_found", lambda: False)
    found.embed(_network(0), _images(2), enough)
    assert len(compiled_shapes) == 1


def test_a_real_program_agrees() -> None:
    """What the compiler makes of a network agrees with it to rounding."""
    if not precision.compiler_found():
        pytest.skip("there is no compiler")
    network, images = _network(0), _images(2)
    found = Embedder(CPU, bfloat16=False).embed(network, images, MANY)
    assert torch.allclose(found, network.features(images), rtol=1e-3, atol=1e-5)
