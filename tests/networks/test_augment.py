"""Differentiable siamese augmentation."""

import pytest
import torch

from ddcodec.errors import DataError
from ddcodec.networks.augment import OPERATIONS, AugmentationDraw, apply, draw


def drawn(operation: str, *uniforms: float) -> AugmentationDraw:
    """Make a shared draw with given numbers."""
    return AugmentationDraw(operation, torch.tensor([uniforms]))


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("shape", [(4, 3, 12, 9), (4, 1, 7, 7), (4, 3, 1, 1)])
@pytest.mark.parametrize("rows", [1, 4])
def test_every_operation_keeps_shape_and_gradient(
    operation: str, shape: tuple[int, ...], rows: int
) -> None:
    """Every operation works on any shape and lets finite gradients through."""
    uniforms = torch.rand(rows, 3, generator=torch.Generator().manual_seed(1))
    images = torch.randn(shape, requires_grad=True)
    result = apply(images, AugmentationDraw(operation, uniforms))
    assert result.shape == images.shape
    result.square().sum().backward()
    assert images.grad is not None
    assert torch.isfinite(images.grad).all()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_shared_parameters_equal_repeated_ones(operation: str) -> None:
    """One parameter row acts on every image as the same row repeated per image."""
    uniforms = torch.tensor([[0.13, 0.71, 0.42]])
    images = torch.randn(3, 3, 16, 20)
    shared = apply(images, AugmentationDraw(operation, uniforms))
    repeated = apply(images, AugmentationDraw(operation, uniforms.expand(3, 3)))
    assert torch.allclose(shared, repeated, atol=1e-6)


def test_draw_is_reproducible_and_covers_all_operations() -> None:
    """Equal generators draw equally, and six hundred draws see every operation often."""
    first, second = (torch.Generator().manual_seed(3) for _ in range(2))
    names = []
    for _ in range(600):
        a, b = draw(first, 5, siamese=False), draw(second, 5, siamese=False)
        assert a.operation == b.operation
        assert torch.equal(a.uniforms, b.uniforms)
        names.append(a.operation)
    assert min(names.count(name) for name in OPERATIONS) > 60


def test_draw_keeps_to_the_operations_it_is_given() -> None:
    """Two hundred draws of two operations see both of them and no other."""
    generator = torch.Generator().manual_seed(3)
    names = [draw(generator, 5, False, ("crop", "rotate")).operation for _ in range(200)]
    assert set(names) == {"crop", "rotate"}
    assert min(names.count(name) for name in set(names)) > 60


def test_siamese_draw_fits_batches_of_any_size() -> None:
    """A siamese draw has one row and treats an image alike in two different batches."""
    augmentation = draw(torch.Generator().manual_seed(0), 8, siamese=True)
    assert augmentation.uniforms.shape[0] == 1
    images = torch.randn(6, 3, 8, 8)
    assert torch.allclose(apply(images, augmentation)[:2], apply(images[:2], augmentation))


def test_draw_for_another_batch_is_refused() -> None:
    """Per-image parameters for five images cannot be applied to six."""
    augmentation = draw(torch.Generator(), 5, siamese=False)
    with pytest.raises(DataError):
        apply(torch.zeros(6, 3, 8, 8), augmentation)


def test_flip_by_hand() -> None:
    """Below one half the columns are mirrored, above nothing happens."""
    images = torch.arange(6.0).reshape(1, 1, 2, 3)
    assert torch.equal(apply(images, drawn("flip", 0.4, 0, 0)), images.flip(3))
    assert torch.equal(apply(images, drawn("flip", 0.6, 0, 0)), images)


def test_crop_by_hand() -> None:
    """The extreme draw shifts 16 pixels by 2 and fills with zero; the middle one keeps them."""
    images = torch.rand(1, 3, 16, 16) + 1
    shifted = apply(images, drawn("crop", 0.0, 0.999, 0))
    assert torch.equal(shifted[:, :, 2:, :-2], images[:, :, :-2, 2:])
    assert shifted[:, :, :2].abs().sum() == 0
    assert torch.equal(apply(images, drawn("crop", 0.5, 0.5, 0)), images)


def test_cutout_by_hand() -> None:
    """A centred cut zeroes a quarter of the image, one in the corner a sixteenth."""
    images = torch.ones(1, 1, 16, 16)
    centred = apply(images, drawn("cutout", 0.5, 0.5, 0))
    assert centred[:, :, 4:12, 4:12].abs().sum() == 0
    assert centred.sum() == 256 - 64
    assert apply(images, drawn("cutout", 0.0, 0.0, 0)).sum() == 256 - 16


def test_scale_and_rotation_keep_the_image_at_neutral_parameters() -> None:
    """A scale of 1 and an angle of 0 give the image back."""
    images = torch.randn(2, 3, 10, 14)
    neutral = (1 - 1 / 1.2) / (1.2 - 1 / 1.2)
    assert torch.allclose(apply(images, drawn("scale", neutral, neutral, 0)), images, atol=1e-4)
    assert torch.allclose(apply(images, drawn("rotate", 0.5, 0, 0)), images, atol=1e-4)


def test_color_by_hand() -> None:
    """Brightness adds u − 0.5, saturation scales by 2u, contrast by u + 0.5."""
    images = torch.tensor([1.0, 3.0]).reshape(1, 2, 1, 1)
    # Brighter by 0.25: 1.25, 3.25; around 2.25 saturated by 1/2: 1.75, 2.75; contrast 3/2.
    expected = torch.tensor([1.5, 3.0]).reshape(1, 2, 1, 1)
    assert torch.allclose(apply(images, drawn("color", 0.75, 0.25, 1.0)), expected)


def test_saturation_leaves_grey_images_alone() -> None:
    """A grey image changes by brightness and contrast only."""
    images = torch.randn(2, 1, 4, 4)
    low, high = (apply(images, drawn("color", 0.5, s, 0.5)) for s in (0.0, 0.9))
    assert torch.equal(low, high)
    assert torch.allclose(low, images, atol=1e-6)
