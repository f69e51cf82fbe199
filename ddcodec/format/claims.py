"""What a header claims: the time and the memory that decoding the file takes at most.

Every loop whose length a file chooses is counted here, with a price measured for it
(`prices.py`). Nothing is decoded for it, and nothing of the size of the file is allocated.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, inf, log10

from ddcodec.errors import FormatError
from ddcodec.format.header import LABEL_MODE_SOFT, LABELER_PROBES, Header
from ddcodec.format.limits import FURTHER_MEMORY, FURTHER_WORK, DecodeLimits
from ddcodec.format.pixel_claims import rendering_bytes, rendering_seconds
from ddcodec.format.planes import PIXELS, PYRAMID, Plane
from ddcodec.format.prices import MEMORY, TIME
from ddcodec.format.student_recipe import StudentRecipe

INPUT_COLUMNS = 1024
"""Latents whose context network runs at once."""

BITS_PER_LETTER, BITS_PER_ESCAPE = 4, 7
"""Information that a step of a name or an escape carries at least: a payload has no more of them
than its bits have room for."""

_MEGABYTE = 10**6


@dataclass(frozen=True)
class Claim:
    """What a file takes at most.

    Attributes:
        seconds_of: of one core, by what takes them.
        memory_bytes: at the peak.
        allowance: times the usual limit of seconds that it may take.
        memory_allowance: likewise of memory.
    """

    seconds_of: dict[str, float]
    memory_bytes: int
    allowance: int = 1
    memory_allowance: int = 1

    @property
    def seconds(self) -> float:
        """All of the time."""
        return sum(self.seconds_of.values())


def decoding_claim(header: Header, file_bytes: int) -> Claim:
    """Return what decoding a file with this header takes at most, checksums included."""
    capacity_bits = 8 * file_bytes + 64
    seconds = {
        "names": _names_seconds(header, capacity_bits),
        "networks": _networks_seconds(header),
        "labels": _labels_seconds(header),
        "latents": _latents_seconds(header, capacity_bits),
        "pixels": rendering_seconds(header),
    }
    return Claim(seconds, _memory_bytes(header, file_bytes))


def drawing_claim(header: Header, file_bytes: int, renditions: int) -> Claim:
    """Return what drawing all renditions of a decoded file takes at most."""
    busy_sets = min(header.num_sets, header.num_images)
    details = header.num_symbols * TIME.detail + busy_sets * len(header.planes) * TIME.plane
    seconds = {
        "networks": renditions * _networks_seconds(header),
        "latents": _latents_seconds(header, 0) + (renditions - 1) * details,
        "pixels": renditions * rendering_seconds(header),
    }
    largest = header.num_images * max(plane.size for plane in header.planes)
    details_bytes = MEMORY.detail * header.num_symbols + MEMORY.drawing * largest
    images_bytes = renditions * _image_bytes(header)
    memory = _memory_bytes(header, file_bytes) + details_bytes + images_bytes
    return Claim(seconds, memory, FURTHER_WORK, FURTHER_MEMORY)


def labelling_claim(header: Header, num_images: int) -> Claim:
    """Return what labelling so many images takes at most, the file itself apart."""
    numbers = num_images * header.num_classes
    seconds = num_images * _seconds_per_labelled_image(header) + 8 * TIME.value * numbers
    return Claim({"labels": seconds}, MEMORY.probability * numbers, FURTHER_WORK)


def exporting_claim(header: Header, file_bytes: int, num_images: int, renditions: int = 1) -> Claim:
    """Return what decoding a file and writing so many images and all classes takes at most.

    Drawing the renditions, which are among the images, claims by itself.
    """
    decoding = decoding_claim(header, file_bytes)
    pixels = header.channels * header.height * header.width
    writing = num_images * (TIME.export_image + pixels * TIME.export_byte)
    writing += header.num_classes * TIME.export_image
    allowance = FURTHER_WORK if renditions > 1 else 1
    return Claim(decoding.seconds_of | {"writing": writing}, decoding.memory_bytes, allowance)


def sheet_claim(header: Header, file_bytes: int, num_pictures: int, sheet_pixels: int) -> Claim:
    """Return what decoding a file and drawing so many pictures, and all names, takes at most."""
    decoding = decoding_claim(header, file_bytes)
    seconds = TIME.sheet_row * (header.num_classes + num_pictures)
    seconds += TIME.sheet_byte * 3 * sheet_pixels
    memory = max(decoding.memory_bytes, _image_bytes(header) + MEMORY.sheet_pixel * sheet_pixels)
    return Claim(decoding.seconds_of | {"sheet": seconds}, memory)


def check_claim(
    header: Header, file_bytes: int, limits: DecodeLimits, claim: Claim | None = None
) -> None:
    """Refuse what claims more than it may take.

    Args:
        header: of the file.
        file_bytes: its size.
        limits: what it may take.
        claim: of what is done with the file besides; None for decoding it.

    Raises:
        FormatError: says what is claimed, and which options allow it.
    """
    further = claim is not None
    claim = claim or decoding_claim(header, file_bytes)
    seconds = limits.seconds_for(file_bytes)
    if limits.max_seconds is None:
        seconds *= claim.allowance
    memory_bytes = limits.bytes_for(file_bytes)
    if limits.max_bytes is None:
        memory_bytes *= claim.memory_allowance
    excess = _excess(claim, seconds, memory_bytes)
    if not excess:
        return
    count = header.num_images
    images = f"{count:,} image{'' if count == 1 else 's'} of {header.height}x{header.width}"
    raise FormatError(
        f"This file of {file_bytes:,} bytes claims {images} and {', and '.join(excess.values())}; "
        f"give {' '.join(excess)} if you trust it{', or ask for less' if further else ''}."
    )


def options_to_read(header: Header, file_bytes: int) -> str:
    """Return the options without which nobody can read a file; empty for most files.

    To read is to decode it and to draw as many renditions as it advises.
    """
    claims = [decoding_claim(header, file_bytes)]
    renditions = StudentRecipe.from_hints(header.hints).renditions
    if renditions > 1 and header.synthesis_id != PIXELS:
        claims.append(drawing_claim(header, file_bytes, renditions))
    limits = DecodeLimits()
    seconds, memory = limits.seconds_for(file_bytes), limits.bytes_for(file_bytes)
    # Who gives a limit has it as it is: the larger claim counts, whichever is too large.
    is_long = any(claim.seconds > seconds * claim.allowance for claim in claims)
    is_large = any(claim.memory_bytes > memory * claim.memory_allowance for claim in claims)
    most = Claim(
        {"all": max(each.seconds for each in claims)}, max(each.memory_bytes for each in claims)
    )
    return " ".join(_excess(most, 0.0 if is_long else inf, 0 if is_large else most.memory_bytes))


def _excess(claim: Claim, max_seconds: float, max_bytes: int) -> dict[str, str]:
    """Return the options that a claim needs, each with what it is needed for."""
    excess = {}
    if claim.seconds > max_seconds:
        excess[f"--max-seconds {_rounded_up(claim.seconds)}"] = (
            f"about {_rounded(claim.seconds)} s of work {_shares(claim)}, over the "
            f"{_rounded(max_seconds)} s allowed"
        )
    if claim.memory_bytes > max_bytes:
        excess[f"--max-bytes {_rounded_up(claim.memory_bytes / _MEGABYTE)}MB"] = (
            f"about {_rounded(claim.memory_bytes / _MEGABYTE)} MB of memory, over the "
            f"{_rounded(max_bytes / _MEGABYTE)} MB allowed"
        )
    return excess


def _shares(claim: Claim) -> str:
    largest = sorted(claim.seconds_of.items(), key=lambda part: -part[1])
    named = [part for part in largest if part[1] >= 0.1 * claim.seconds]
    return "(" + ", ".join(f"{name} {_rounded(seconds)} s" for name, seconds in named) + ")"


def _rounded(number: float) -> str:
    """Return a number of two digits, as `310` or `0.05`."""
    if number <= 0:
        return "0"
    digits = 1 - floor(log10(number))
    text = f"{round(number, digits):,.{max(0, digits)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _rounded_up(number: float) -> str:
    """Return a number of one digit, not below this one, as `400` or `0.06`."""
    digits = -floor(log10(number))
    unit = 10.0**-digits
    return f"{ceil(number / unit) * unit:.{max(0, digits)}f}"


def _names_seconds(header: Header, capacity_bits: int) -> float:
    names = header.num_classes * 1e-6 + header.num_images * TIME.label
    if not header.has_class_names:
        return TIME.file + names
    steps = min(2 * 256 * header.num_classes, capacity_bits // BITS_PER_LETTER)
    return TIME.file + names + TIME.letter * steps


def _networks_seconds(header: Header) -> float:
    tensors = TIME.tensor * num_tensors(header) + TIME.plane * len(header.planes)
    return header.num_sets * (tensors + TIME.weight * header.weights_per_set)


def num_tensors(header: Header) -> int:
    """Return the tensors of a network set."""
    context, hidden = 2 * header.context_depth + 2, len(header.synthesis_widths)
    if header.synthesis_id == PIXELS:
        return context
    if header.synthesis_id == PYRAMID:
        return context + 2 * hidden + 7
    return context + 4 + (2 * hidden + 2 if hidden else 0)


def _labels_seconds(header: Header) -> float:
    if header.label_mode == LABEL_MODE_SOFT:
        return TIME.logit * (header.num_label_symbols + 2 * header.num_classes**2)
    if header.labeler is None:
        return 0.0
    tensors = 3 * (len(header.labeler_layers) + 1)
    reading = TIME.tensor * tensors + 2 * TIME.weight * header.labeler.num_weights
    probes = min(LABELER_PROBES, header.num_images)
    return reading + probes * _seconds_per_labelled_image(header)


def _seconds_per_labelled_image(header: Header) -> float:
    labeler = header.labeler
    if labeler is None:
        return 0.0
    numbers = TIME.mac * labeler.macs_per_image
    numbers += TIME.labeler_value * labeler.values_per_image
    return numbers + TIME.call * (len(labeler.layers) + 1)


def _latents_seconds(header: Header, capacity_bits: int) -> float:
    inputs, depth = header.context_width, header.context_depth
    busy_sets = min(header.num_sets, header.num_images)
    waves = busy_sets * sum(num_waves(plane) for plane in header.planes)
    neighbours = busy_sets * inputs * header.positions_per_image
    macs = depth * inputs * inputs + 2 * inputs
    symbol = TIME.symbol + TIME.symbol_input * inputs * (1 + depth) + TIME.mac * macs
    escaped = min(header.num_symbols, capacity_bits // BITS_PER_ESCAPE)
    escapes = TIME.escape * min(waves, escaped) + TIME.escaped * escaped
    steps = TIME.wave * waves + escapes + TIME.neighbour * neighbours
    return steps + symbol * header.num_symbols


def num_waves(plane: Plane) -> int:
    """Return the steps in which a plane is coded."""
    return plane.columns + 3 * (plane.rows - 1) if plane.size else 0


def _memory_bytes(header: Header, file_bytes: int) -> int:
    planes = len(header.planes)
    objects = MEMORY.tensor * num_tensors(header) + MEMORY.plane * planes
    lasting = (
        MEMORY.file
        + MEMORY.file_byte * file_bytes
        + MEMORY.name * header.num_classes
        + MEMORY.label * header.num_images
        + header.num_sets * (objects + MEMORY.weight * header.weights_per_set)
        + MEMORY.symbol * header.num_symbols
        + MEMORY.reading * _num_label_numbers(header)
    )
    labeler = header.labeler
    working = _image_bytes(header) + (labeler.working_bytes if labeler else 0)
    reading = MEMORY.reading * header.weights_per_set
    return lasting + max(working, reading, _coding_bytes(header), rendering_bytes(header))


def _image_bytes(header: Header) -> int:
    return header.num_images * header.channels * header.height * header.width


def _num_label_numbers(header: Header) -> int:
    if header.label_mode == LABEL_MODE_SOFT:
        return header.num_label_symbols + header.num_classes**2
    return header.labeler.num_weights if header.labeler else 0


def _coding_bytes(header: Header) -> int:
    """Return the memory of the plane and the wave in work."""
    largest = max(plane.size for plane in header.planes)
    wave = max(min(plane.rows, -(-plane.columns // 3)) for plane in header.planes)
    coded = MEMORY.neighbour * header.context_width * largest
    columns = max(INPUT_COLUMNS, header.num_images)
    inputs = MEMORY.input * header.context_width * columns
    network = 4 * MEMORY.number * header.context_width * INPUT_COLUMNS
    return coded + inputs + network + MEMORY.wave * wave * header.num_images
