"""Real images by a common codec: within the bytes, evenly over classes, as they decode."""

import io

import numpy as np
import pytest
from PIL import Image

from ddcodec.errors import DataError
from ddcodec.evaluation.coded_real import draw_coded_real
from ddcodec.evaluation.random_real import order_of_class

LABELS = np.repeat(np.arange(2), 30)


def _images(channels: int) -> np.ndarray:
    """Return smooth pictures with some noise, uint8 60×C×16×16."""
    random = np.random.default_rng(3)
    slope = np.linspace(0, 200, 16)[None, None, None, :] * random.random((60, channels, 1, 1))
    return (slope + random.integers(0, 40, (60, channels, 16, 16))).astype(np.uint8)


def _webp(image: np.ndarray) -> tuple[int, np.ndarray]:
    stream = io.BytesIO()
    pixels = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
    Image.fromarray(pixels).save(stream, "WEBP", quality=10, method=6)
    mode = "L" if len(image) == 1 else "RGB"
    decoded = np.asarray(Image.open(stream).convert(mode))
    return stream.tell(), decoded[None] if len(image) == 1 else decoded.transpose(2, 0, 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_classes_are_filled_to_their_share(channels: int) -> None:
    """Sizes are those of whole files, images what they decode to, and one more would not fit."""
    images = _images(channels)
    coded = draw_coded_real(lambda row: images[row], LABELS, 2, 2400, 5, quality=10)
    sizes = [_webp(images[row])[0] for row in coded.rows]
    assert coded.num_bytes == sum(sizes) <= 2400
    assert coded.images.dtype == np.uint8 and coded.images.shape == (len(sizes), channels, 16, 16)
    for row, image in zip(coded.rows, coded.images, strict=True):
        assert np.array_equal(image, _webp(images[row])[1])
    for label in range(2):
        order = order_of_class(LABELS, label, 5)
        taken = coded.rows[LABELS[coded.rows] == label]
        assert taken.tolist() == order[: len(taken)].tolist()
        spent = sum(_webp(images[row])[0] for row in taken)
        assert spent <= 1200 < spent + _webp(images[order[len(taken)]])[0]


def test_seeds_draw_others() -> None:
    """The seed decides which images, and the same seed the same."""
    images = _images(3)
    first, again, other = (
        draw_coded_real(lambda row: images[row], LABELS, 2, 2400, seed) for seed in (1, 1, 2)
    )
    assert first.rows.tolist() == again.rows.tolist() != other.rows.tolist()


def test_too_few_bytes_are_refused() -> None:
    """Where a class has no image, the sentence says which and what to do."""
    images = _images(3)
    with pytest.raises(DataError, match=r"20 bytes do not hold one image of class 0.*no such"):
        draw_coded_real(lambda row: images[row], LABELS, 2, 40, 0)
