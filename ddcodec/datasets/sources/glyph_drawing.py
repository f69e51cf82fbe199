"""Draw one cluttered number with Pillow's built-in font."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ddcodec.errors import DataError

SIZE = 32
# Everything is drawn at twice the size and halved at the end, which smooths every edge.
CANVAS = 2 * SIZE

# Letters a person would not take for a digit, even in part.
DISTRACTOR_LETTERS = "ACEFHKMNPRUVWXY"

FONT_SIZES = {1: (40, 44, 48, 52, 56, 60), 2: (34, 36, 38, 40, 42, 44), 3: (26, 27, 28, 30, 31, 32)}
"""Sizes of a number by how many digits it has, so that all of them fit the canvas."""
LETTER_FONT_SIZES = (24, 28, 32, 36)
MAX_DIGIT_TILT = math.radians(28)
MIN_CONTRAST = 70.0  # of luminance, in grey levels, between a number and what lies behind it

RAMP = np.linspace(-0.5, 0.5, SIZE, dtype=np.float32)

Colour = tuple[int, int, int]


def draw_into(images: NDArray[np.uint8], names: Sequence[str], seed: int, start: int) -> None:
    """Fill images N×3×32×32 with those from `start` on of the sequence of a seed."""
    for place in range(len(images)):
        index = start + place
        generator = np.random.Generator(np.random.PCG64([seed, index]))
        images[place] = draw_glyph(names[index % len(names)], generator)


def draw_glyph(number: str, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Draw `number`, one to three digits, in a random style over random clutter.

    Returns uint8, 3×32×32. All choices come from `generator`, so its state decides the image.
    Raises DataError where Pillow was built without its scalable font.
    """
    canvas = _background(generator)
    _draw_shapes(canvas, generator, int(generator.integers(2, 6)))
    _draw_letters(canvas, generator, int(generator.integers(0, 4)))
    _draw_number(canvas, generator, number)
    if generator.random() < 0.5:
        _draw_scratch(canvas, generator)
    return _photograph(canvas, generator)


def _background(generator: np.random.Generator) -> Image.Image:
    """Return smooth random patches: a few coarse colour pixels, enlarged."""
    cells = int(generator.integers(2, 7))
    base = generator.integers(30, 226, size=3)
    spread = generator.integers(15, 100)
    coarse = base + generator.integers(-spread, spread + 1, size=(cells, cells, 3))
    image = Image.fromarray(np.clip(coarse, 0, 255).astype(np.uint8))
    return image.resize((CANVAS, CANVAS), Image.Resampling.BICUBIC)


def _draw_shapes(canvas: Image.Image, generator: np.random.Generator, count: int) -> None:
    """Draw `count` random lines, arcs, boxes and discs."""
    draw = ImageDraw.Draw(canvas)
    for _ in range(count):
        colour = _random_colour(generator)
        x0, y0, x1, y1 = (int(v) for v in generator.integers(-8, CANVAS + 8, size=4))
        box = (min(x0, x1), min(y0, y1), max(x0, x1) + 1, max(y0, y1) + 1)
        kind = int(generator.integers(5))
        width = int(generator.integers(2, 7))
        if kind <= 1:
            draw.line((x0, y0, x1, y1), fill=colour, width=width)
        elif kind == 2:
            turn = int(generator.integers(360))
            draw.arc(box, turn, turn + int(generator.integers(60, 200)), colour, width)
        elif kind == 3:
            draw.rectangle(box, outline=colour, width=width)
        else:
            draw.ellipse(box, fill=colour)


def _draw_letters(canvas: Image.Image, generator: np.random.Generator, count: int) -> None:
    """Draw `count` letters around the edge, smaller than a lone digit and partly cut off."""
    for _ in range(count):
        letter = DISTRACTOR_LETTERS[int(generator.integers(len(DISTRACTOR_LETTERS)))]
        font_size = LETTER_FONT_SIZES[int(generator.integers(len(LETTER_FONT_SIZES)))]
        around = generator.random() * 2 * math.pi
        distance = (0.45 + 0.12 * generator.random()) * CANVAS
        centre = (
            CANVAS / 2 + distance * math.cos(around),
            CANVAS / 2 + distance * math.sin(around),
        )
        tilt = (2 * generator.random() - 1) * math.pi
        mask = _placed(_character(letter, font_size, 0), centre, tilt, 0.0, 1.0)
        canvas.paste(_random_colour(generator), (0, 0), mask)


def _draw_number(canvas: Image.Image, generator: np.random.Generator, number: str) -> None:
    """Draw the number, sometimes with an outline, in colours that stand out from the canvas."""
    font_sizes = FONT_SIZES[len(number)]
    font_size = font_sizes[int(generator.integers(len(font_sizes)))]
    stroke = int(generator.integers(0, 3))
    tilt, shear, squeeze, right, down = 2 * generator.random(5) - 1
    centre = (CANVAS / 2 + 7 * right, CANVAS / 2 + 7 * down)
    pose = (centre, tilt * MAX_DIGIT_TILT, 0.25 * shear, 1.0 + 0.2 * squeeze)
    colour = _contrasting_colour(generator, _luminance(canvas))
    if generator.random() < 0.3:
        outline = _contrasting_colour(generator, _colour_luminance(colour))
        canvas.paste(outline, (0, 0), _placed(_character(number, font_size, stroke + 3), *pose))
    canvas.paste(colour, (0, 0), _placed(_character(number, font_size, stroke), *pose))


def _draw_scratch(canvas: Image.Image, generator: np.random.Generator) -> None:
    """Draw one thin line across everything."""
    ends = [int(v) for v in generator.integers(0, CANVAS, size=4)]
    ImageDraw.Draw(canvas).line(
        (ends[0], ends[1], ends[2], ends[3]),
        fill=_random_colour(generator),
        width=int(generator.integers(2, 4)),
    )


def _photograph(canvas: Image.Image, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Halve the canvas, light it unevenly and add sensor noise."""
    pixels = np.asarray(canvas.reduce(2), dtype=np.float32)
    across, down = (np.float32(v - 0.5) for v in generator.random(2))
    light = 1 + across * RAMP[None, :, None] + down * RAMP[:, None, None]
    strength = np.float32(4.0 + 26.0 * generator.random())
    noise = np.frombuffer(generator.bytes(pixels.size), dtype=np.uint8).reshape(pixels.shape)
    pixels = pixels * light + strength * (noise.astype(np.float32) / 127.5 - 1)
    return np.ascontiguousarray(pixels.clip(0, 255).astype(np.uint8).transpose(2, 0, 1))


@functools.lru_cache(maxsize=2048)
def _character(text: str, font_size: int, stroke: int) -> Image.Image:
    """Return characters as a mask, mode L, centred on a canvas."""
    mask = Image.new("L", (CANVAS, CANVAS))
    ImageDraw.Draw(mask).text(
        (CANVAS / 2, CANVAS / 2),
        text,
        fill=255,
        font=_font(font_size),
        anchor="mm",
        stroke_width=stroke,
    )
    return mask


@functools.lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Return Pillow's built-in font at `size` pixels."""
    try:
        font = ImageFont.load_default(size=size)
    except (ImportError, OSError) as error:
        raise DataError(_NO_FONT) from error
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise DataError(_NO_FONT)
    return font


_NO_FONT = (
    "the glyphs dataset needs Pillow's scalable font, which this Pillow was built without; "
    "install the Pillow wheel from PyPI or pass --data with your own images."
)


def _placed(
    mask: Image.Image, centre: tuple[float, float], tilt: float, shear: float, squeeze: float
) -> Image.Image:
    """Move a centred mask to `centre`, tilted by `tilt` radians, sheared and narrowed."""
    cos, sin = math.cos(tilt), math.sin(tilt)
    # Pillow asks for the inverse: where in the mask each canvas pixel comes from.
    a, b = (cos + shear * sin) / squeeze, (sin - shear * cos) / squeeze
    c, d = -sin, cos
    half = CANVAS / 2
    x, y = centre
    coefficients = (a, b, half - a * x - b * y, c, d, half - c * x - d * y)
    return mask.transform(
        (CANVAS, CANVAS),
        Image.Transform.AFFINE,
        coefficients,
        resample=Image.Resampling.BILINEAR,
    )


def _random_colour(generator: np.random.Generator) -> Colour:
    # One draw of 24 bits: three draws of 8 cost more than the drawing itself.
    bits = int(generator.integers(1 << 24))
    return bits >> 16, bits >> 8 & 255, bits & 255


def _contrasting_colour(generator: np.random.Generator, luminance: float) -> Colour:
    """Return a random colour at least MIN_CONTRAST from `luminance`, or black or white."""
    for _ in range(8):
        colour = _random_colour(generator)
        if abs(_colour_luminance(colour) - luminance) >= MIN_CONTRAST:
            return colour
    return (0, 0, 0) if luminance > 127 else (255, 255, 255)


def _luminance(canvas: Image.Image) -> float:
    """Return the mean luminance of the canvas, in [0, 255]."""
    red, green, blue = canvas.reduce(CANVAS).tobytes()
    return _colour_luminance((red, green, blue))


def _colour_luminance(colour: Colour) -> float:
    red, green, blue = colour
    return 0.299 * red + 0.587 * green + 0.114 * blue
