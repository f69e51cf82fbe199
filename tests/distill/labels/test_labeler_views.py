"""Views keep what they show and say how much of it."""

import torch

from ddcodec.distill.labels.views import cut_together, shifted


def _stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_shifts_are_whole_pixels_of_the_image() -> None:
    """Every pixel of a shifted image stands in the image; some images are mirrored, some not."""
    images = torch.arange(8 * 48.0).reshape(8, 3, 4, 4)
    seen = shifted(images, 2, _stream())
    assert seen.shape == images.shape
    assert all(
        set(a.flatten().tolist()) <= set(b.flatten().tolist())
        for a, b in zip(seen, images, strict=True)
    )
    plain = shifted(images, 0, _stream())
    mirrored = [torch.equal(a, b.flip(-1)) for a, b in zip(plain, images, strict=True)]
    assert 0 < sum(mirrored) < 8


def test_targets_are_mixed_by_area() -> None:
    """The share of the other image's target is the share of its pixels."""
    images = torch.arange(6.0)[:, None, None, None].expand(6, 1, 10, 10).contiguous()
    targets = torch.eye(6)
    for seed in range(20):
        mixed, shares = cut_together(images, targets, _stream(seed))
        for row, (image, share) in enumerate(zip(mixed, shares, strict=True)):
            counts = torch.bincount(image.flatten().long(), minlength=6) / 100
            assert torch.allclose(counts, share, atol=1e-6), (seed, row)
    assert torch.equal(images[:, 0, 0, 0], torch.arange(6.0))
