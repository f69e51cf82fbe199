"""Learning from a labeler's feature maps: the loss by hand, what is matched, what is left as is."""

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ddcodec.errors import DataError
from ddcodec.evaluation import LabelledImages, Protocol, train_network
from ddcodec.evaluation.students.gradients import TrainingOptions
from ddcodec.evaluation.students.stage_matching import MapRecorder, StageMatching, StudentLoss
from ddcodec.networks import NETWORKS, build

PIXELS = torch.randint(256, (6, 3, 32, 32), generator=torch.Generator().manual_seed(0)).byte()
PROTOCOL = Protocol(
    "short", updates=3, batch_size=4, network_width=8, all_labels=True, stage_weight=1.0
)


def _stages(images: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Label by brightness; maps are averages of 16×16, 8×8 and 5×5 pixels."""
    logits = images.mean((1, 2, 3))[:, None] * torch.tensor([1.0, -1.0])
    return logits, tuple(F.adaptive_avg_pool2d(images, side) for side in (16, 8, 5))


def _training(staged: bool) -> LabelledImages:
    return LabelledImages(
        PIXELS, torch.tensor([0, 1] * 3), (0.5,) * 3, (0.25,) * 3,
        labeler=lambda images: _stages(images)[0], stages=_stages if staged else None,
    )  # fmt: skip


def test_the_loss_by_hand() -> None:
    """Cross-entropy with the labeler, and the weight times each size's error in deviations."""
    network = build("convnet", (3, 32, 32), 2, seed=0, network_width=4)
    images = _training(True).normalised(torch.device("cpu"))
    matching = StageMatching(network, _stages, images, weight=0.5, bfloat16=False)
    assert [conv.weight.shape for conv in matching.projections] == [(3, 4, 1, 1)] * 2
    loss = matching.loss(network, images[:2], torch.zeros(2))

    logits, maps = _stages(images)
    recorder = MapRecorder(network)
    outputs, seen = network(images[:2]), recorder.take()
    expected = F.cross_entropy(outputs, logits[:2].softmax(1))
    for projection, target in zip(matching.projections, maps, strict=False):
        mean = target.mean((0, 2, 3), keepdim=True)
        scaled = (target - mean) / (target.std((0, 2, 3), keepdim=True) + 1e-3)
        predicted = projection(seen[tuple(target.shape[2:])])
        expected = expected + 0.5 * (predicted - scaled[:2]).square().mean()
    assert torch.allclose(loss, expected, rtol=1e-4)


def test_the_last_map_of_each_size_is_recorded() -> None:
    """In a ConvNet those are what each block puts into its pooling, and the last pooling's."""
    network = build("convnet", (3, 32, 32), 2, seed=0, network_width=4)
    images = torch.randn(1, 3, 32, 32)
    recorder = MapRecorder(network)
    network(images)
    maps = recorder.take()
    assert sorted(maps) == [(4, 4), (8, 8), (16, 16), (32, 32)]
    second = network.blocks[:1](images)
    for part in list(network.blocks[1])[:-1]:
        second = part(second)
    assert torch.equal(maps[(16, 16)], second)
    recorder.close()
    network(torch.randn(1, 3, 32, 32))
    assert not recorder.take(), "nothing is recorded once it is closed"
    assert torch.equal(maps[(16, 16)], second)


@pytest.mark.parametrize("arch", NETWORKS)
def test_every_network_learns_by_maps(arch: str) -> None:
    """Weights differ from those learned by logits alone wherever there are maps, and are finite."""
    networks = [train_network(_training(staged), 2, PROTOCOL, 0, arch) for staged in (True, False)]
    first, second = (network.classifier.weight for network in networks)
    assert torch.isfinite(first).all()
    assert not torch.equal(first, second) or arch == "vit"


def test_one_program_serves_all_updates(compiled_graphs: list[torch.fx.GraphModule]) -> None:
    """Compiling sees the student's part whole, and once; the network is left without hooks."""
    eager, compiled = (
        train_network(_training(True), 2, PROTOCOL, 0, options=TrainingOptions(compiled=compiled))
        for compiled in (False, True)
    )
    (graph,) = compiled_graphs
    (output,) = [node for node in graph.graph.nodes if node.op == "output"]
    assert len(output.args[0]) == 1, "the loss, and no maps that would have to be kept"
    assert torch.allclose(eager.classifier.weight, compiled.classifier.weight, atol=1e-3)
    assert not any(module._forward_hooks for module in compiled.modules())


def test_what_is_prepared_is_called() -> None:
    """The student's part of the loss goes through what the caller makes of it, once an update."""
    calls = []

    def prepared(loss: StudentLoss) -> StudentLoss:
        def counted(*inputs: Any) -> Tensor:
            calls.append(len(inputs))
            return loss(*inputs)

        return counted

    network = build("convnet", (3, 32, 32), 2, seed=0, network_width=4)
    images = _training(True).normalised(torch.device("cpu"))
    matching = StageMatching(network, _stages, images, 1.0, False, prepared)
    for _ in range(2):
        matching.loss(network, images, torch.zeros(6)).backward()
    assert calls == [4, 4]


def test_training_is_a_function_of_its_arguments() -> None:
    """The same seed gives the same weights; a protocol without the weight leaves maps alone."""
    same = [train_network(_training(True), 2, PROTOCOL, 0) for _ in range(2)]
    assert torch.equal(*(network.classifier.weight for network in same))
    plain = replace(PROTOCOL, stage_weight=0.0)
    unmatched = [train_network(_training(staged), 2, plain, 0) for staged in (True, False)]
    assert torch.equal(*(network.classifier.weight for network in unmatched))
    hard = train_network(_training(True), 2, replace(PROTOCOL, all_labels=False), 0)
    by_hand = train_network(_training(True).with_hard_labels(), 2, plain, 0)
    assert torch.equal(hard.classifier.weight, by_hand.classifier.weight)


def test_a_labeler_without_fitting_maps_gives_its_logits() -> None:
    """No common size: the loss is the cross-entropy."""

    def stages(images: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        logits, maps = _stages(images)
        return logits, maps[2:]

    network = build("convnet", (3, 32, 32), 2, seed=0, network_width=4)
    images = _training(True).normalised(torch.device("cpu"))
    matching = StageMatching(network, stages, images, weight=1.0, bfloat16=False)
    loss = matching.loss(network, images, torch.zeros(6))
    expected = F.cross_entropy(network(images), stages(images)[0].softmax(1))
    assert torch.equal(loss, expected)


def test_a_wrong_labeler_is_refused() -> None:
    """Logits of another number of classes are no labels."""
    network = build("convnet", (3, 32, 32), 3, seed=0, network_width=4)
    images = _training(True).normalised(torch.device("cpu"))
    with pytest.raises(DataError, match=r"returned \(6, 2\) for 6 images of 3 classes"):
        StageMatching(network, _stages, images, weight=1.0, bfloat16=False)
