"""A slow decoder written from docs/format.md alone: standard library only, nothing of `ddcodec`.

It checks what a valid file needs and little more; refusing bad files is tested elsewhere.
"""

import struct
import sys
import zlib
from functools import cache
from hashlib import shake_256
from itertools import pairwise
from math import isqrt, log2, prod
from pathlib import Path

M64 = (1 << 64) - 1
NEIGHBOURS = (
    (0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-1, -2), (-1, 2),
    (-2, -1), (-2, 1), (0, -3), (-3, 0), (-2, -2), (-2, 2), (-3, -1), (-3, 1),
    (-1, -3), (-2, -3), (-3, -2), (-3, 2), (0, -4), (-4, 0), (-1, -4), (-4, -1),
    (-4, 1), (-3, -3), (-2, -4), (-4, -2), (-4, 2), (-3, -4), (-4, -3), (-4, -4),
)  # fmt: skip
FIELDS = [
    "num_classes",
    "num_images",
    "height",
    "width",
    "channels",
    "num_levels",
    "num_sets",
    "context_id",
    "context_width",
    "context_depth",
    "synthesis_id",
    "label_mode",
]

Grid = list[list[int]]


class Refused(Exception):  # noqa: N818
    """The file is not valid."""


def need(condition: bool, why: str) -> None:
    """Refuse the file unless a condition holds."""
    if not condition:
        raise Refused(why)


def clamp(value: int, low: int, high: int) -> int:
    """Return the nearest value of low … high."""
    return min(max(value, low), high)


# Sections 1 to 3: container and header.


def varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number and the offset behind it."""
    value = 0
    for count in range(9):
        byte = data[at + count]
        value |= (byte & 127) << 7 * count
        if byte < 128:
            need(byte > 0 or count == 0, "spare byte")
            return value, at + count + 1
    raise Refused("long number")


def read_header(fields: bytes) -> dict[str, object]:
    """Return the header fields by name."""
    numbers, at = [], 0
    while at < len(fields):
        number, at = varint(fields, at)
        numbers.append(number)
    header: dict[str, object] = dict(zip(FIELDS, numbers, strict=False))
    rest = numbers[len(FIELDS) :]
    channels = numbers[4]
    num_hidden = rest[0]
    header["hidden"] = rest[1 : 1 + num_hidden]
    num_hints = rest[1 + num_hidden + 2 * channels]
    hints = rest[2 + num_hidden + 2 * channels :][: 2 * num_hints]
    strengths = [v for n, v in zip(hints[::2], hints[1::2], strict=True) if n == 8 and v <= 16]
    header["detail"] = strengths[0] if strengths else 13
    rest = rest[2 + num_hidden + 2 * channels + 2 * num_hints :]
    if header["label_mode"] == 2:
        num_layers = rest.pop(0)
        header["labeler"] = [rest[4 * i : 4 * i + 4] for i in range(num_layers)]
        rest = rest[4 * num_layers :]
    need(not rest, "header length")
    return header


# Section 5: the range coder.


class RangeReader:
    """Read symbols of a payload."""

    def __init__(self, payload: bytes) -> None:
        self.words = list(struct.unpack(f"<{len(payload) // 4}I", payload))
        self.lower, self.range, self.point, self.at, self.bits = 0, M64, 0, 0, 0.0
        self._next()
        self._next()

    def _next(self) -> None:
        word = self.words[self.at] if self.at < len(self.words) else 0
        self.at += 1
        self.point = (self.point << 32 | word) & M64

    def _quantile(self) -> int:
        quantile = ((self.point - self.lower) & M64) // (self.range >> 24)
        need(quantile < 1 << 24, "impossible data")
        return quantile

    def _take(self, left: int, frequency: int) -> None:
        scale = self.range >> 24
        self.lower = self.lower + scale * left & M64
        self.range = scale * frequency
        self.bits += 24 - log2(frequency)
        need(self.bits <= 32 * len(self.words) + 64, "too few words")
        if self.range < 1 << 32:
            self.lower = self.lower << 32 & M64
            self.range <<= 32
            self._next()

    def uniform(self, size: int) -> int:
        """Read one of `size` equally likely numbers."""
        if size == 1:
            return 0
        share = (1 << 24) // size
        value = min(self._quantile() // share, size - 1)
        last = (1 << 24) - (size - 1) * share
        self._take(value * share, last if value == size - 1 else share)
        return value

    def table(self, row: int) -> int:
        """Read a symbol of the Laplace tables."""
        frequencies, quantile, left = laplace_row(row), self._quantile(), 0
        for symbol, frequency in enumerate(frequencies):
            if quantile < left + frequency:
                self._take(left, frequency)
                return symbol
            left += frequency
        raise AssertionError("frequencies sum to 2^24")

    def finish(self) -> None:
        """Check that all words were used."""
        rest = (self.point - self.lower) & M64
        need(self.at >= len(self.words), "words left over")
        need(self.range == M64 or rest < (1 << 33) - 1, "words left over")


def residual(symbol: int) -> int:
    """Return the residual of a table symbol."""
    return -(symbol + 1) // 2 if symbol % 2 else symbol // 2


@cache
def decay_powers(k: int) -> list[int]:
    """Return the powers of the decay of scale `k`."""
    one = 1 << 64
    x = isqrt(isqrt(isqrt(1 << 520 - k % 8))) >> k // 8
    rho = term = one
    order = 0
    while term:
        order += 1
        term = (term * x >> 64) // order
        rho += -term if order % 2 else term
    powers = [one]
    for _ in range(264):
        powers.append(powers[-1] * rho >> 64)
    return powers


@cache
def laplace_row(row: int) -> list[int]:
    """Return the 32 frequencies of a row."""
    k, q = divmod(row, 16)
    powers = decay_powers(k)

    def doubled(s: int) -> int:
        return powers[-s] if s <= 0 else (2 << 64) - powers[s]

    centres = [16 * residual(symbol) - (q - 8) for symbol in range(31)]
    masses = [doubled(c + 8) - doubled(c - 8) for c in centres]
    masses.append((2 << 64) - sum(masses))
    frequencies = [1 + (mass * ((1 << 24) - 32) >> 65) for mass in masses]
    frequencies[0] += (1 << 24) - sum(frequencies)
    return frequencies


# Section 6: the Laplace code.


def laplace(reader: RangeReader, predictions: list[tuple[int, int]]) -> list[int]:
    """Read one integer for each (location in sixteenths, scale index)."""
    symbols = [reader.table(16 * k + (loc16 + 8) % 16) for loc16, k in predictions]
    escapes = [at for at, symbol in enumerate(symbols) if symbol == 31]
    lengths = {at: reader.uniform(18) for at in escapes}
    for length in range(18):
        for at in escapes:
            if lengths[at] == length:
                top = 1 << length - 1 if length else 0
                symbols[at] += top + (reader.uniform(top) if length > 1 else 0)
    pairs = zip(symbols, predictions, strict=True)
    values = [residual(symbol) + (loc16 + 8 >> 4) for symbol, (loc16, _) in pairs]
    need(all(-(1 << 15) <= value < 1 << 15 for value in values), "value out of range")
    return values


# Section 7: networks.


class Tensor:
    """Integers with a step exponent."""

    def __init__(self, reader: RangeReader, *shape: int) -> None:
        count = prod(shape)
        self.exponent, shift, k = reader.uniform(13), reader.uniform(16), reader.uniform(64)
        upper = laplace(reader, [(-8 if shift else 0, k)] * count)
        self.flat = [
            (a << shift) + low
            for a, low in zip(upper, [reader.uniform(1 << shift) for _ in upper], strict=True)
        ]

    def rows(self, length: int) -> Grid:
        """Return the integers in rows."""
        return [self.flat[at : at + length] for at in range(0, len(self.flat), length)]


class Layer:
    """Integer layer; `identity` gives the input each output is added to."""

    def __init__(
        self, weight: Tensor, bias: list[int], bias_exponent: int, identity: list[int] | None
    ) -> None:
        self.rows = weight.rows(len(weight.flat) // len(bias))
        self.shift = weight.exponent
        for row, own in zip(self.rows, identity or [], strict=False):
            row[own] += 1 << weight.exponent
        lift = 12 + weight.exponent - bias_exponent
        self.bias = [value << lift for value in bias]
        need(max(map(abs, self.bias)) < 1 << 52, "inexact bias")
        for row, offset in zip(self.rows, self.bias, strict=True):
            need((sum(map(abs, row)) << 27) + abs(offset) < 1 << 53, "inexact layer")

    def __call__(self, inputs: list[int], low: int, high: int, drop: int = 0) -> list[int]:
        """Return the outputs of one position."""
        return [
            clamp(
                sum(w * x for w, x in zip(row, inputs, strict=True)) + offset
                >> self.shift + drop, low, high,
            )
            for row, offset in zip(self.rows, self.bias, strict=True)
        ]  # fmt: skip


TOP = (1 << 27) - 1
NO_LIMIT = 1 << 60


class Networks:
    """All networks of one set."""

    def __init__(self, reader: RangeReader, header: dict) -> None:
        width, levels, channels = (
            header["context_width"], header["num_levels"], header["channels"],
        )  # fmt: skip
        self.context = []
        for _ in range(header["context_depth"]):
            weight, bias = Tensor(reader, width, width), Tensor(reader, width)
            self.context.append(Layer(weight, bias.flat, bias.exponent, list(range(width))))
        weight, bias = Tensor(reader, 2, width), Tensor(reader, len(planes_of(header)), 2)
        self.heads = [Layer(weight, pair, bias.exponent, None) for pair in bias.rows(2)]
        if header["synthesis_id"] == 1:
            self._read_pyramid(reader, header, levels, channels)
        elif header["synthesis_id"] < 4:
            self._read_wavelet(reader, header, channels)

    def _read_wavelet(self, reader: RangeReader, header: dict, channels: int) -> None:
        keys = list(dict.fromkeys((level, c) for level, c, _, _, _ in planes_of(header)))
        gains = Tensor(reader, len(keys))
        scaled = [gain << 12 - gains.exponent for gain in gains.flat]
        need(max(map(abs, scaled)) << 15 < 1 << 53, "inexact gains")
        self.gains = dict(zip(keys, scaled, strict=True))
        self.taps = Tensor(reader, 9)
        need(9 * max(map(abs, self.taps.flat)) << 27 < 1 << 53, "inexact taps")
        weight, bias = Tensor(reader, channels, channels), Tensor(reader, channels)
        self.colour = Layer(weight, bias.flat, bias.exponent, None)
        sizes = [channels, *header["hidden"], channels] if header["hidden"] else []
        self.refinement = []
        for number, (inputs, outputs) in enumerate(pairwise(sizes)):
            kernel = (3, 3) if number in (0, len(sizes) - 2) else ()
            weight, bias = Tensor(reader, outputs, inputs, *kernel), Tensor(reader, outputs)
            if number == len(sizes) - 2:
                # The image itself joins as further inputs.
                rows = weight.rows(9 * inputs)
                weight.flat = [
                    w
                    for o, row in enumerate(rows)
                    for w in row + [(o == c) << weight.exponent for c in range(channels)]
                ]
            self.refinement.append(Layer(weight, bias.flat, bias.exponent, None))

    def _read_pyramid(self, reader: RangeReader, header: dict, levels: int, channels: int) -> None:
        self.taps = Tensor(reader, 4)
        need(sum(map(abs, self.taps.flat)) << 27 < 1 << 53, "inexact taps")
        sizes = [levels, *header["hidden"], channels]
        self.dense = []
        for inputs, outputs in pairwise(sizes):
            weight, bias = Tensor(reader, outputs, inputs), Tensor(reader, outputs)
            self.dense.append(Layer(weight, bias.flat, bias.exponent, None))
        self.spatial = []
        for _ in range(2):
            weight, bias = Tensor(reader, channels, channels, 3, 3), Tensor(reader, channels)
            centres = [9 * channel + 4 for channel in range(channels)]
            self.spatial.append(Layer(weight, bias.flat, bias.exponent, centres))


# Section 8: classes.


def read_name(reader: RangeReader) -> str:
    """Return one class name."""
    name = bytearray()
    while letter := reader.uniform(32):
        if letter <= 26:
            name.append(96 + letter)
        elif letter < 30:
            name += b"_- "[letter - 27 : letter - 26]
        else:
            name.append(48 + reader.uniform(10) if letter == 30 else reader.uniform(256))
        need(len(name) <= 255, "long name")
    return name.decode()


def read_counts(reader: RangeReader, num_classes: int, num_images: int) -> list[int]:
    """Return the number of images of each class."""
    if reader.uniform(2):
        need(num_images % num_classes == 0, "unequal classes")
        return [num_images // num_classes] * num_classes
    counts = [reader.uniform(num_images + 1) for _ in range(num_classes)]
    need(sum(counts) == num_images, "class counts")
    return counts


def read_soft_labels(reader: RangeReader, num_classes: int, labels: list[int]) -> list[int]:
    """Return the logits of all images; their step is not needed to check them."""
    reader.uniform(13)
    loc, scale = (Tensor(reader, num_classes, num_classes).rows(num_classes) for _ in range(2))
    predictions = [
        (clamp(a, -(1 << 19), 1 << 19), clamp(b + 40, 0, 63))
        for label in labels
        for a, b in zip(loc[label], scale[label], strict=True)
    ]
    return laplace(reader, predictions)


class Labeler:
    """Network that labels images."""

    def __init__(self, reader: RangeReader, header: dict) -> None:
        self.facts, self.num_channels = header["labeler"], header["channels"]
        self.layers, inputs = [], self.num_channels
        for outputs, kernel, _, _ in self.facts:
            self.layers.append(GainLayer(reader, outputs, inputs * kernel * kernel))
            inputs = outputs
        self.out = GainLayer(reader, header["num_classes"], inputs)

    def __call__(self, image: list[Grid]) -> list[int]:
        """Return the logits of one image."""
        outputs: list[list[Grid]] = []
        planes = [[[32 * (p - 128) for p in row] for row in plane] for plane in image]
        for number, (_, kernel, pooled, skip) in enumerate(self.facts):
            added = outputs[number - skip] if skip else None
            planes = self.layers[number].planes(planes, kernel, pooled, added)
            outputs.append(planes)
        means = [sum(map(sum, plane)) // (len(plane) * len(plane[0])) for plane in planes]
        numbers = range(len(self.out.rows))
        return [clamp(self.out.end(o, self.out.sum(o, means)), -(1 << 27), TOP) for o in numbers]


class GainLayer:
    """Layer whose sums are multiplied by a gain."""

    def __init__(self, reader: RangeReader, outputs: int, inputs: int) -> None:
        weight = Tensor(reader, outputs, inputs)
        gain, bias = Tensor(reader, outputs), Tensor(reader, outputs)
        self.rows, self.gain = weight.rows(inputs), gain.flat
        self.shift = weight.exponent + gain.exponent
        self.bias = [b << 12 + self.shift - bias.exponent for b in bias.flat]
        for row, g, b in zip(self.rows, self.gain, self.bias, strict=True):
            largest = (sum(map(abs, row)) << 27) * max(1, abs(g)) + abs(b)
            need(largest < 1 << 53, "inexact labeler")

    def sum(self, o: int, inputs: list[int]) -> int:
        """Return the sum of an output."""
        return sum(w * x for w, x in zip(self.rows[o], inputs, strict=True))

    def end(self, o: int, total: int) -> int:
        """Return an output before it is clamped."""
        return total * self.gain[o] + self.bias[o] >> self.shift

    def planes(
        self, planes: list[Grid], kernel: int, pooled: int, added: list[Grid] | None
    ) -> list[Grid]:
        """Return the outputs of a convolution."""
        height, width, reach = len(planes[0]), len(planes[0][0]), range(kernel)
        r, step = kernel // 2, 2 if pooled else 1
        around = [
            [[at(p, y + s - r, x + t - r) for p in planes for s in reach for t in reach]
             for x in range(width)] for y in range(height)
        ]  # fmt: skip
        result = []
        for o in range(len(self.rows)):
            sums = [[self.sum(o, inputs) for inputs in row] for row in around]
            result.append([[0] * (width // step) for _ in range(height // step)])
            for y, row in enumerate(result[-1]):
                for x in range(len(row)):
                    below = range(step * y, step * y + step)
                    right = slice(step * x, step * x + step)
                    value = self.end(o, max(max(sums[source][right]) for source in below))
                    row[x] = clamp(value + (added[o][y][x] if added else 0), 0, TOP)
        return result


# Section 9: latents.


def halved(size: int, times: int) -> int:
    """Return ceil(size / 2^times)."""
    return -(-size // 2**times)


def planes_of(header: dict) -> list[tuple[int, int, int, int, int]]:
    """Return (level, component, band, rows, columns) of every plane, plane 0 first."""
    height, width, levels = header["height"], header["width"], header["num_levels"]
    if header["synthesis_id"] == 1:
        return [(i, 0, 0, halved(height, i), halved(width, i)) for i in range(levels)]
    colours = range(header["channels"])
    if header["synthesis_id"] == 4:
        return [(0, c, 0, height, width) for c in colours][::-1]
    coded = [(levels, c, 0, halved(height, levels), halved(width, levels)) for c in colours]
    for i in reversed(range(levels)):
        rows, columns = halved(height, i), halved(width, i)
        for c in colours:
            if i == 0 and c > 0 and header["synthesis_id"] == 3:
                continue
            coded.append((i, c, 1, halved(rows, 1), columns // 2))
            coded.append((i, c, 2, rows // 2, halved(columns, 1)))
            coded.append((i, c, 3, rows // 2, columns // 2))
    return coded[::-1]


def at(grid: Grid | None, y: int, x: int) -> int:
    """Return a symbol; 0 outside."""
    return grid[y][x] if grid and 0 <= y < len(grid) and 0 <= x < len(grid[0]) else 0


N, P, B, F, H, V = "own", "parent", "before", "first", "horizontal", "vertical"
BAND_INPUTS = (
    (N, 0, -1), (N, -1, 0), (P, 0, 0), (B, 0, 0), (H, 0, 0), (V, 0, 0), (N, -1, -1), (N, -1, 1),
    (B, 0, 0), (N, 0, -1), (N, -1, 0), (P, 1, 0), (P, 0, 1), (N, 0, -2), (N, -2, 0), (P, 0, 0),
    (B, 0, -1), (B, 0, 1), (B, -1, 0), (B, 1, 0), (F, 0, 0), (F, 0, 0), (N, -1, -2), (N, -1, 2),
    (N, -2, -1), (N, -2, 1), (H, 0, 1), (H, 1, 0), (V, 0, 1), (V, 1, 0), (N, 0, -3), (N, -3, 0),
)  # fmt: skip
SIGNED = (8, 9, 10, 15, 21)
PIXEL_INPUTS = (
    (N, 0, -1), (N, -1, 0), (N, -1, -1), (B, 0, 0), (B, 0, -1), (B, -1, 0), (F, 0, 0), (F, 0, -1),
    (N, -1, 1), (F, -1, 0), (B, -1, -1), (N, 0, -2), (N, -2, 0), (F, -1, -1), (B, 0, 1), (B, 1, 0),
    (F, 0, 1), (F, 1, 0), (B, -1, 1), (N, -2, -1), (N, -1, -2), (N, -1, 2), (N, -2, 1), (F, -1, 1),
    (B, 1, 1), (B, 1, -1), (N, 0, -3), (N, -3, 0), (N, -2, -2), (N, -2, 2), (F, 1, 1), (F, 1, -1),
)  # fmt: skip


def sides(y: int, x: int) -> tuple[int, int]:
    """Return the steps from a parent to its neighbours on the child's side."""
    return (1 if y % 2 else -1), (1 if x % 2 else -1)


def level_inputs(header: dict, grids: list[Grid], number: int, y: int, x: int) -> list[int]:
    """Return the inputs of a symbol of a pyramid."""
    count = header["context_width"] - (4 if header["context_id"] == 2 else 0)
    inputs = [at(grids[number], y + dy, x + dx) for dy, dx in NEIGHBOURS[:count]]
    if header["context_id"] == 2:
        coarser = grids[number + 1] if number + 1 < len(grids) else None
        down, right = sides(y, x)
        rows, columns = (y // 2, y // 2 + down), (x // 2, x // 2 + right)
        inputs += [at(coarser, row, column) for row in rows for column in columns]
    return inputs


def band_inputs(header: dict, grids: list[Grid], number: int, y: int, x: int) -> list[int]:
    """Return the inputs of a symbol of a wavelet."""
    planes = planes_of(header)
    level, colour, band, _, _ = planes[number]
    found = {plane[:3]: grid for plane, grid in zip(planes, grids, strict=True)}
    seen = {
        N: grids[number],
        P: found.get((level + 1, colour, band)) if band else None,
        B: found.get((level, colour - 1, band)),
        F: found.get((level, 0, band)) if colour == 2 else None,
        H: found.get((level, colour, 1)) if band > 1 else None,
        V: found.get((level, colour, 2)) if band > 2 else None,
    }
    inputs = []
    for index, (where, dy, dx) in enumerate(BAND_INPUTS[: header["context_width"]]):
        row, column = y + dy, x + dx
        if where == P:
            down, right = sides(y, x)
            row, column = y // 2 + dy * down, x // 2 + dx * right
        symbol = at(seen[where], row, column)
        inputs.append(symbol if index in SIGNED else abs(symbol))
    return inputs


def pixel_inputs(header: dict, grids: list[Grid], number: int, y: int, x: int) -> list[int]:
    """Return the inputs of a symbol of pixels."""
    colour = planes_of(header)[number][1]
    # The channel before is the next plane, and channel 0 the last.
    seen = {
        N: grids[number],
        B: grids[number + 1] if colour > 0 else None,
        F: grids[-1] if colour == 2 else None,
    }
    return [at(seen[w], y + dy, x + dx) for w, dy, dx in PIXEL_INPUTS[: header["context_width"]]]


def predict(
    networks: Networks, header: dict, grids: list[Grid], number: int, y: int, x: int
) -> tuple[int, int]:
    """Return location in sixteenths and scale index of a symbol."""
    gather = {3: band_inputs, 4: pixel_inputs}.get(header["context_id"], level_inputs)
    hidden = [4096 * symbol for symbol in gather(header, grids, number, y, x)]
    for layer in networks.context:
        hidden = layer(hidden, 0, TOP)
    loc, scale = networks.heads[number](hidden, -NO_LIMIT, NO_LIMIT)
    return (
        clamp(loc + (1 << 7) >> 8, -(1 << 19), 1 << 19),
        clamp((scale + (1 << 8) >> 9) + 40, 0, 63),
    )


def read_latents(
    reader: RangeReader, networks: Networks, header: dict, num_images: int
) -> list[list[Grid]]:
    """Return for each image its planes, plane 0 first."""
    planes = planes_of(header)
    images: list[list[Grid]] = [
        [[[0] * columns for _ in range(rows)] for _, _, _, rows, columns in planes]
        for _ in range(num_images)
    ]
    for number in reversed(range(len(planes))):
        _, _, _, rows, columns = planes[number]
        for wave in range(columns + 3 * rows):
            places = [(y, wave - 3 * y) for y in range(rows) if 0 <= wave - 3 * y < columns]
            targets = [(y, x, grids) for y, x in places for grids in images]
            predictions = [
                predict(networks, header, grids, number, y, x) for y, x, grids in targets
            ]
            for (y, x, grids), value in zip(targets, laplace(reader, predictions), strict=True):
                grids[number][y][x] = value
    return images


# Section 10: images and their renditions. Latents are in sixteenths from here on.


def detail(k: int, strength: int, uniform: int) -> int:
    """Return what the zero-mean table of a scale says of a number, in sixteenths."""
    for symbol, frequency in enumerate(laplace_row(16 * min(k + 24 + strength, 63) + 8)):
        if uniform < frequency:
            return 0 if symbol == 31 else residual(symbol)
        uniform -= frequency
    raise AssertionError("frequencies sum to 2^24")


def rendition(
    networks: Networks, header: dict, images: list[list[Grid]], number: int, index: int
) -> list[list[Grid]]:
    """Return the latents of all images of set `index` in sixteenths, with details."""
    result = [[[[16 * v for v in row] for row in grid] for grid in image] for image in images]
    if number == 0:
        return result
    for plane, (_, _, _, rows, columns) in enumerate(planes_of(header)):
        message = b"ddc rendition" + struct.pack("<3I", number, index, plane)
        stream = shake_256(message).digest(3 * rows * columns * len(images))
        at_byte = 0
        for image, drawn in zip(images, result, strict=True):
            for y, x in ((y, x) for y in range(rows) for x in range(columns)):
                _, k = predict(networks, header, image, plane, y, x)
                value = image[plane][y][x]
                reach = 5 if value else 12
                uniform = int.from_bytes(stream[at_byte : at_byte + 3], "little")
                moved = 16 * value + clamp(detail(k, header["detail"], uniform), -reach, reach)
                drawn[plane][y][x] = clamp(moved, -(1 << 19), (1 << 19) - 16)
                at_byte += 3
    return result


def double(line: list[int], taps: Tensor, count: int) -> list[int]:
    """Return a line of twice the length, cropped."""
    out = []
    for j in range(len(line)):
        near = [line[clamp(j + offset, 0, len(line) - 1)] for offset in (-2, -1, 0, 1, 2)]
        for weights, values in ((taps.flat, near[:4]), (taps.flat[::-1], near[1:])):
            total = sum(t * value for t, value in zip(weights, values, strict=True))
            out.append(clamp(total >> taps.exponent, -(1 << 27), TOP))
    return out[:count]


def transpose(grid: Grid) -> Grid:
    """Swap rows and columns."""
    return [list(column) for column in zip(*grid, strict=True)]


def draw(networks: Networks, header: dict, levels: list[Grid]) -> list[Grid]:
    """Return the channels of one image."""
    scaled = [[[256 * v for v in row] for row in level] for level in levels]
    stack = [scaled[-1]]
    for level in reversed(range(len(levels) - 1)):
        rows, columns = halved(header["height"], level), halved(header["width"], level)
        for index, plane in enumerate(stack):
            tall = transpose([double(line, networks.taps, rows) for line in transpose(plane)])
            stack[index] = [double(line, networks.taps, columns) for line in tall]
        stack.insert(0, scaled[level])
    height, width = header["height"], header["width"]
    places = [(y, x) for y in range(height) for x in range(width)]
    planes = [[[0] * width for _ in range(height)] for _ in range(header["channels"])]
    for y, x in places:
        values = [plane[y][x] for plane in stack]
        for layer in networks.dense[:-1]:
            values = layer(values, 0, TOP)
        for plane, value in zip(planes, networks.dense[-1](values, -(1 << 27), TOP), strict=True):
            plane[y][x] = value
    for layer, high, drop in ((networks.spatial[0], TOP, 0), (networks.spatial[1], 255, 4)):
        result = [[[0] * width for _ in range(height)] for _ in planes]
        for y, x in places:
            around = [
                at(plane, y + r - 1, x + s - 1) for plane in planes for r in range(3)
                for s in range(3)
            ]  # fmt: skip
            for plane, value in zip(result, layer(around, 0, high, drop), strict=True):
                plane[y][x] = value
        planes = result
    return planes


def join(line: list[int], taps: Tensor) -> list[int]:
    """Return the line of a low half followed by a high half."""
    size = len(line)
    if size == 1:
        return line
    low, turn = halved(size, 1), 2 * size - 2
    out = []
    for row in range(size):
        total = 0
        for distance in range(-4, 5):
            source = (row + distance) % turn
            source = min(source, turn - source)
            if source % 2:
                total += taps.flat[4 + abs(distance)] * line[low + source // 2]
            elif abs(distance) < 4:
                total += taps.flat[abs(distance)] * line[source // 2]
        out.append(clamp(total >> taps.exponent, -(1 << 27), TOP))
    return out


def component(networks: Networks, header: dict, grids: list[Grid], colour: int) -> Grid:
    """Return one colour component of an image."""
    found = {
        plane[:3]: [
            [clamp(v * networks.gains[plane[:2]] >> 4, -(1 << 27), TOP) for v in row]
            for row in grid
        ]
        for plane, grid in zip(planes_of(header), grids, strict=True)
    }
    low = found[header["num_levels"], colour, 0]
    for level in reversed(range(header["num_levels"])):
        rows, columns = halved(header["height"], level), halved(header["width"], level)
        top, left = halved(rows, 1), halved(columns, 1)
        joined = [[0] * columns for _ in range(rows)]
        parts = [(0, 0, low)]
        for band, y, x in ((1, 0, left), (2, top, 0), (3, top, left)):
            parts.append((y, x, found.get((level, colour, band), [])))
        for y, x, part in parts:
            for r, row in enumerate(part):
                joined[y + r][x : x + len(row)] = row
        joined = transpose([join(line, networks.taps) for line in transpose(joined)])
        low = [join(line, networks.taps) for line in joined]
    return low


def draw_wavelet(networks: Networks, header: dict, grids: list[Grid]) -> list[Grid]:
    """Return the channels of one image of a wavelet."""
    height, width, channels = header["height"], header["width"], header["channels"]
    places = [(y, x) for y in range(height) for x in range(width)]

    def apply(layer: Layer, inputs: object, low: int, high: int, drop: int) -> list[Grid]:
        planes = [[[0] * width for _ in range(height)] for _ in layer.rows]
        for y, x in places:
            for plane, value in zip(planes, layer(inputs(y, x), low, high, drop), strict=True):  # type: ignore[operator]
                plane[y][x] = value
        return planes

    parts = [component(networks, header, grids, colour) for colour in range(channels)]
    bounds = (-(1 << 27), TOP, 0) if networks.refinement else (0, 255, 4)
    images = apply(networks.colour, lambda y, x: [part[y][x] for part in parts], *bounds)
    hidden = [[[max(v - 2048, -(1 << 27)) for v in row] for row in plane] for plane in images]
    last = len(networks.refinement) - 1
    for number, layer in enumerate(networks.refinement):

        def inputs(y: int, x: int, number: int = number, hidden: list[Grid] = hidden) -> list[int]:
            if 0 < number < last:
                return [plane[y][x] for plane in hidden]
            around = [
                at(plane, y + r - 1, x + s - 1) for plane in hidden for r in range(3)
                for s in range(3)
            ]  # fmt: skip
            return around + ([plane[y][x] for plane in images] if number == last else [])

        hidden = apply(layer, inputs, 0, *((255, 4) if number == last else (TOP, 0)))
    return hidden if networks.refinement else images


def draw_pixels(networks: Networks, header: dict, grids: list[Grid]) -> list[Grid]:
    """Return the channels of one image of pixels."""
    return [[[clamp((v >> 4) + 128, 0, 255) for v in row] for row in grid] for grid in grids[::-1]]


def decode(data: bytes, renditions: int = 1) -> dict[str, object]:
    """Return `symbols`, `labels` and `pixels` as bytes, and the class `names`.

    Also `logits`, those of section 11, with label modes 1 and 2, and in `details` the pixels of
    all further renditions.
    """
    need(data[:5] == b"\x89DDC\x01" and data[5] < 2, "foreign")
    content_crc, outer_crc = struct.unpack("<II", data[-8:])
    need(zlib.crc32(data[:-4]) == outer_crc, "outer checksum")
    length, start = varint(data, 6)
    header: dict = read_header(data[start : start + length])
    reader = RangeReader(data[start + length : -8])
    num_classes, num_sets = header["num_classes"], header["num_sets"]
    counts = read_counts(reader, num_classes, header["num_images"])
    names = [read_name(reader) for _ in range(num_classes)] if data[5] else None
    if num_sets == num_classes:
        class_sets = list(range(num_classes))
    else:
        class_sets = [reader.uniform(num_sets) for _ in range(num_classes)]
    image_sets = [s for s, count in zip(class_sets, counts, strict=True) for _ in range(count)]
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    networks = [Networks(reader, header) for _ in range(num_sets)]
    labeler = logits = None
    if header["label_mode"] == 1:
        logits = read_soft_labels(reader, num_classes, labels)
    elif header["label_mode"] == 2:
        labeler = Labeler(reader, header)
    latents = [
        read_latents(reader, networks[index], header, image_sets.count(index))
        for index in range(num_sets)
    ]
    reader.finish()
    painter = {1: draw, 4: draw_pixels}.get(header["synthesis_id"], draw_wavelet)

    def paint(number: int) -> list[list[Grid]]:
        drawn = [
            [painter(networks[index], header, image)
             for image in rendition(networks[index], header, latents[index], number, index)]
            for index in range(num_sets)
        ]  # fmt: skip
        queues = [iter(images) for images in drawn]
        return [next(queues[index]) for index in image_sets]

    pictures = paint(0)
    symbols = [
        symbol
        for images in latents
        for number in reversed(range(len(planes_of(header))))
        for image in images
        for row in image[number]
        for symbol in row
    ]
    pixels = pixel_bytes(pictures)
    result: dict[str, object] = {
        "symbols": struct.pack(f"<{len(symbols)}h", *symbols),
        "labels": struct.pack(f"<{len(labels)}H", *labels),
        "pixels": pixels,
    }
    if logits is not None:
        result["logits"] = struct.pack(f"<{len(logits)}h", *logits)
    elif labeler is not None:
        sample = min(16, len(pictures))
        seen = [pictures[j * len(pictures) // sample] for j in range(sample)]
        result["logits"] = b"".join(struct.pack(f"<{num_classes}i", *labeler(p)) for p in seen)
    need(zlib.crc32(b"".join(result.values())) == content_crc, "content checksum")  # type: ignore[arg-type]
    details = b"".join(pixel_bytes(paint(number)) for number in range(1, renditions))
    return result | {"names": names, "details": details}


def pixel_bytes(pictures: list[list[Grid]]) -> bytes:
    """Return the pixels of images, one after another."""
    return bytes(p for image in pictures for plane in image for row in plane for p in row)


if __name__ == "__main__":
    print({name: len(part or ()) for name, part in decode(Path(sys.argv[1]).read_bytes()).items()})  # type: ignore[arg-type]
