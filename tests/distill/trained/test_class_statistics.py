"""Statistics of embeddings by hand."""

import math

import pytest
import torch
from distill.loss_inputs import real_dataset

from ddcodec.distill.trained.class_statistics import (
    HIGHEST_RATIO,
    LOWEST_RATIO,
    StatisticsTaker,
    characteristic_function,
    frequency_table,
    spread,
)
from ddcodec.distill.trained.random_streams import normal_table, random_stream
from ddcodec.distill.trained.training_part import TrainingPart
from ddcodec.errors import DataError
from ddcodec.networks import augment, build

PINNED = [-0.45363460, -2.17252353, 0.26172344, -2.05089048]


def test_characteristic_function_by_hand() -> None:
    """(3, 4) and (2, 0) become (0.6, 0.8) and (1, 0); at t = (π/2, 0) their mean is known."""
    embeddings = torch.tensor([[3.0, 4.0], [2.0, 0.0]])
    function = characteristic_function(embeddings, torch.tensor([[math.pi / 2, 0.0]]))
    # cos(0.3 π) and cos(π/2) = 0; sin(0.3 π) and sin(π/2) = 1.
    assert float(function[0, 0]) == pytest.approx(math.cos(0.3 * math.pi) / 2, abs=1e-6)
    assert float(function[1, 0]) == pytest.approx((math.sin(0.3 * math.pi) + 1) / 2, abs=1e-6)


def test_spread_by_hand() -> None:
    """Two unit vectors at a right angle have a mean of length 1/√2, so a spread of 1/√2."""
    assert float(spread(torch.tensor([[5.0, 0.0], [0.0, 0.1]]))) == pytest.approx(math.sqrt(0.5))
    assert float(spread(torch.tensor([[5.0, 0.0]]))) == pytest.approx(0.05)


def test_frequencies_are_fixed_and_span_their_range() -> None:
    """Pinned numbers: a pool does not store its frequencies."""
    first = normal_table(1, 2, 2)
    # Box and Muller on the first eight words of PCG64(1).
    assert first.flatten().tolist() == pytest.approx(PINNED, abs=1e-6)
    lengths = frequency_table(400, 1000).norm(dim=1) / math.sqrt(1000)
    assert float(lengths[0]) == pytest.approx(LOWEST_RATIO, rel=0.1)
    assert float(lengths[-1]) == pytest.approx(HIGHEST_RATIO, rel=0.1)
    assert abs(float(frequency_table(400, 1000).mean())) < 0.01


def test_every_image_of_the_training_part_is_seen() -> None:
    """One augmentation that changes nothing: the mean is that of all images of the class."""
    part = TrainingPart.of(real_dataset())
    taker = StatisticsTaker(part, draws=1, frequencies=4, device=torch.device("cpu"))
    network = build("convnet", part.image_shape, 3, seed=0, network_width=4).eval()
    taken = taker.take(network, random_stream(0))
    operation = list(augment.OPERATIONS)[int(taken.operations[0])]
    draw = augment.AugmentationDraw(operation, taken.uniforms)
    for label in range(3):
        seen = part.seen((part.labels == label).nonzero()[:, 0], torch.device("cpu"))
        with torch.no_grad():
            expected = network.features(augment.apply(seen, draw)).mean(dim=0)
        assert torch.allclose(taken.means[0, label], expected, atol=2e-2)


def test_shares_cover_all_images() -> None:
    """Ten augmentations of a large class see disjoint tenths, which are all of it."""
    from ddcodec.distill.trained.class_statistics import _share

    shares = [_share(torch.arange(1005), index, 10) for index in range(10)]
    assert torch.cat(shares).unique().numel() == 1005
    assert {len(share) for share in shares} == {101}
    assert all(len(_share(torch.arange(70), index, 10)) == 64 for index in range(10))
    assert all(len(_share(torch.arange(5), index, 10)) == 5 for index in range(10))


def test_shares_of_large_classes_are_other_images() -> None:
    """Four augmentations of 4,500 images see 256 each, none of them twice."""
    from ddcodec.distill.trained.class_statistics import _share

    shares = [_share(torch.arange(4_500), index, 4) for index in range(4)]
    assert {len(share) for share in shares} == {256}
    assert torch.cat(shares).unique().numel() == 1_024


def test_a_class_without_images_is_named() -> None:
    """Statistics of an empty class would be no numbers."""
    part = TrainingPart.of(real_dataset())
    lacking = TrainingPart(part.pixels, part.labels, 4, part.mean, part.std, "")
    with pytest.raises(DataError, match="class 3"):
        StatisticsTaker(lacking, 1, 1, torch.device("cpu"))
