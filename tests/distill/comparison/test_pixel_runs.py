"""Runs on pixels: lossless, within the budget to one image, moved by every loss."""

import numpy as np
import pytest
import torch
from distill.tiny_dataset import tiny_dataset

from ddcodec.budget import Budget
from ddcodec.codec.context.context import CONTEXT_MODELS, ContextModel
from ddcodec.codec.decode import decode_bytes
from ddcodec.codec.pixels import PixelSynthesis
from ddcodec.datasets.base import class_counts, split_validation
from ddcodec.distill.comparison.pixel_context import ContextFit, fit_pixel_context
from ddcodec.distill.comparison.pixel_task import PixelFile, PixelSettings, PixelTask
from ddcodec.distill.comparison.pixels import distill_pixels
from ddcodec.distill.latents.representation import Representation
from ddcodec.distill.losses import LOSSES, LossSettings
from ddcodec.distill.rate.utilities import Distillation
from ddcodec.distill.running.loop import Progress
from ddcodec.distill.start.initial_images import Seen, choose_initial_images
from ddcodec.errors import BudgetError, DataError

QUICK = PixelSettings(
    probe_images=6, probe_fit=ContextFit(steps=10), final_fit=ContextFit(steps=20)
)
MEAN, STD = (0.5,) * 3, (0.25,) * 3


def _no_look(rows: np.ndarray, label: int) -> Seen:
    raise AssertionError("random choices need no networks")


def _run(
    loss: str | None = None,
    bytes_per_class: float = 2500.0,
    images_per_class: int | None = None,
    per_class: int = 30,
    seen: list[Progress] | None = None,
) -> PixelFile:
    dataset = tiny_dataset(per_class)
    training, _ = split_validation(dataset.train.labels)
    images, labels = dataset.train.images[training], dataset.train.labels[training]

    def distillation(representation: Representation) -> Distillation:
        settings = LossSettings(MEAN, STD, 2, network_width=8)
        built = LOSSES[loss or ""](images, labels, settings)
        return Distillation(built, representation, MEAN, STD, 8, 0)

    task = PixelTask(
        images=images,
        available_counts=class_counts(labels, 2),
        class_names=dataset.class_names,
        mean=(128,) * 3,
        std=(64,) * 3,
        budget=Budget(bytes_per_class, 2),
        images_per_class=images_per_class,
        context_width=8,
        choose=lambda counts: images[choose_initial_images("random", labels, counts, 0, _no_look)],
        distillation=None if loss is None else distillation,
        steps=6,
        seed=0,
        device=torch.device("cpu"),
        on_progress=lambda progress: seen.append(progress) if seen is not None else None,
    )
    return distill_pixels(task, QUICK)


def test_real_images_are_coded_without_loss() -> None:
    """The file decodes to the chosen images, is within the budget, and one more would not fit."""
    file = _run()
    decoded = decode_bytes(file.encoded.data)
    assert np.array_equal(decoded.images, file.real_images)
    assert decoded.class_names == ("across", "down")
    counts = file.allocation.class_counts
    assert decoded.labels.tolist() == [0] * int(counts[0]) + [1] * int(counts[1])
    size = len(file.encoded.data)
    latents = sum(v for name, v in file.encoded.section_bits.items() if name.startswith("latents"))
    assert 5000 - 1.5 * latents / 8 / counts.sum() < size <= 5000
    assert abs(file.estimated_bytes - size) < 0.005 * size + 30


@pytest.mark.parametrize("loss", [name for name in LOSSES if name != "tm"])
def test_losses_move_pixels(loss: str) -> None:
    """Optimised images differ from the real ones they started from and fit the budget."""
    seen: list[Progress] = []
    file = _run(loss, seen=seen)
    images = decode_bytes(file.encoded.data).images
    assert len(file.encoded.data) <= 5000
    moved = np.abs(images.astype(int) - file.real_images).mean(axis=(1, 2, 3))
    assert images.shape == file.real_images.shape and (moved > 0.5).mean() > 0.5
    assert {progress.phase for progress in seen} == {"measure", "joint", "fit"}
    assert all(1 <= progress.step <= progress.steps for progress in seen)


def test_the_same_run_gives_the_same_file() -> None:
    """Nothing random is left to chance."""
    assert _run("dm").encoded.data == _run("dm").encoded.data


def test_numbers_the_user_fixed() -> None:
    """As many images as asked for, or an error that says what would fit."""
    file = _run(images_per_class=3)
    assert file.allocation.class_counts.tolist() == [3, 3]
    with pytest.raises(BudgetError, match=r"54 images of pixels .* above the budget of 2000"):
        _run(bytes_per_class=1000.0, images_per_class=27)
    with pytest.raises(DataError, match="asked for"):
        _run(images_per_class=28)


def test_budget_below_an_image_of_each_class() -> None:
    """One sentence, with a budget that would do."""
    with pytest.raises(BudgetError, match=r"2 images of pixels .* at least about \d+ bytes"):
        _run(bytes_per_class=150.0)


def test_all_images_fit() -> None:
    """A budget beyond the dataset holds all of it, and no padding."""
    file = _run(bytes_per_class=50_000.0, per_class=4)
    assert file.allocation.class_counts.tolist() == [3, 3]
    assert len(file.encoded.data) < 5000


def _fitted_bits(images: np.ndarray, fit: ContextFit) -> float:
    synthesis = PixelSynthesis(*images.shape[1:])
    context = ContextModel(CONTEXT_MODELS["pixels"], 16, 2, synthesis.planes)
    counts, sets = np.array([len(images)]), np.array([0])
    representation = Representation(counts, sets, context, synthesis, 0, torch.device("cpu"))
    representation.latents.data.copy_(torch.from_numpy(synthesis.latents_of(images)))
    fit_pixel_context(representation, fit, 0, lambda *progress: None)
    with torch.no_grad():
        latents = representation.latents
        return float(representation.latent_bits(representation.networks[0], latents))


def test_linear_start_predicts_planes_of_brightness() -> None:
    """Ramps take under half their 8 bits before any gradient; noise all, and escapes on top."""
    y, x = np.mgrid[:12, :12]
    ramps = np.stack([3 * x + y + 20 * k for k in range(6)]).astype(np.uint8)
    images = np.repeat(ramps[:, None], 3, axis=1)
    assert _fitted_bits(images, ContextFit(steps=0)) < 4 * images.size
    noise = np.random.default_rng(0).integers(0, 256, (6, 3, 12, 12)).astype(np.uint8)
    assert 8 * noise.size < _fitted_bits(noise, ContextFit(steps=60)) < 12.5 * noise.size


@pytest.mark.parametrize("keep", [[2, 1], [0, 3], [0, 0]])
def test_representations_forget_images(keep: list[int]) -> None:
    """The first images of each class stay, with their labels, and can still be trained."""
    synthesis = PixelSynthesis(1, 1, 1)
    context = ContextModel(CONTEXT_MODELS["pixels"], 8, 1, synthesis.planes)

    def counts(numbers: list[int]) -> np.ndarray:
        return np.array(numbers, dtype=np.int64)

    representation = Representation(
        counts([2, 3]), counts([0, 0]), context, synthesis, 0, torch.device("cpu")
    )
    representation.latents.data.copy_(torch.arange(5.0)[:, None])
    representation.keep_first(counts(keep))
    assert representation.latents[:, 0].tolist() == [*range(keep[0]), *range(2, 2 + keep[1])]
    assert representation.labels.tolist() == [0] * keep[0] + [1] * keep[1]
    assert representation.num_images == sum(keep)
    assert representation.latents.requires_grad and representation.latents.is_leaf
