"""Ship the model: budgets are met, and what is decoded is the network."""

import numpy as np
import pytest
import torch
from distill.tiny_dataset import tiny_dataset
from shipped_model import (
    FineTuning,
    choose_steps,
    coded_weights,
    decode_network,
    encode_network,
    fine_tune,
    measure_sensitivities,
    widest,
)

from ddcodec import networks
from ddcodec.errors import BudgetError, FormatError
from ddcodec.evaluation import LabelledImages, Protocol, accuracy, train_network
from ddcodec.networks import Classifier

SHAPE, WIDTH = (3, 8, 12), 8


def _images() -> LabelledImages:
    split = tiny_dataset().train
    images, labels = torch.from_numpy(split.images), torch.from_numpy(split.labels)
    return LabelledImages(images, labels, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))


@pytest.fixture(scope="module")
def trained() -> Classifier:
    """A narrow network trained on two classes of gradients."""
    protocol = Protocol("short", updates=60, batch_size=16, network_width=WIDTH, augment=False)
    return train_network(_images(), 2, protocol, seed=0)


def test_width_follows_the_budget() -> None:
    """A hundred kilobytes at four bits a weight hold a network 96 wide, not one of 104."""
    assert widest(100_000, 4, (3, 32, 32), 10) == 96
    network = networks.build("convnet", (3, 32, 32), 10, seed=0, network_width=96)
    assert coded_weights(network) == 184_426
    with pytest.raises(BudgetError, match="do not hold a network of width 8"):
        widest(100, 4, (3, 32, 32), 10)


@pytest.mark.parametrize("budget_bytes", [200, 400, 800])
def test_budget_is_met_and_filled(trained: Classifier, budget_bytes: int) -> None:
    """Any budget is met from below, to within a hundredth."""
    sensitivities = measure_sensitivities(trained, _images())
    data = encode_network(trained, choose_steps(trained, budget_bytes, sensitivities), SHAPE, WIDTH)
    assert 0.97 * budget_bytes <= len(data) <= budget_bytes


def test_fine_steps_keep_the_network(trained: Classifier) -> None:
    """Decoded logits are those of the network but for one scale; removed biases do nothing."""
    sensitivities = measure_sensitivities(trained, _images())
    data = encode_network(trained, choose_steps(trained, 1000, sensitivities), SHAPE, WIDTH)
    decoded = decode_network(data)
    images = networks.normalise(_images().images, _images().mean, _images().std)
    with torch.no_grad():
        expected, found = trained(images).flatten(), decoded(images).flatten()
    correlation = np.corrcoef(expected.numpy(), found.numpy())[0, 1]
    assert correlation > 0.999
    assert accuracy(decoded, _images()) == accuracy(trained, _images()) == 100.0
    assert not any(decoded.state_dict()["blocks.0.0.bias"])


def test_fine_tuning_lowers_the_loss_of_rounded_weights() -> None:
    """Weights too coarse to classify are mended by training through the rounding."""
    protocol = Protocol("short", updates=30, batch_size=16, network_width=WIDTH, augment=False)
    network = train_network(_images(), 2, protocol, seed=1)
    weights = network.state_dict()
    coarse = {name: 1.5 * float(weights[name].std()) for name in weights if weights[name].ndim > 1}
    before = _loss(decode_network(encode_network(network, coarse, SHAPE, WIDTH)))
    fine_tune(network, coarse, _images(), FineTuning(60, batch_size=16, learning_rate=0.02))
    assert _loss(decode_network(encode_network(network, coarse, SHAPE, WIDTH))) < before


def _loss(network: Classifier) -> float:
    images = networks.normalise(_images().images, _images().mean, _images().std)
    with torch.no_grad():
        logits = network(images)
    return float(torch.nn.functional.cross_entropy(logits, _images().labels))


def test_impossible_budget(trained: Classifier) -> None:
    """A budget below the coarsest steps is said so."""
    with pytest.raises(BudgetError, match="at any precision"):
        choose_steps(trained, 20, measure_sensitivities(trained, _images()))


def test_damaged_bytes() -> None:
    """What is no coded network is refused."""
    with pytest.raises(FormatError, match="damaged"):
        decode_network(b"not a network")
