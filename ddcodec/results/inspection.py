"""Where the bytes of a file go: every part in bytes and per cent that add up exactly."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import floor
from typing import TYPE_CHECKING, Any

from ddcodec.budget import bits_per_class
from ddcodec.format.container import CHECKSUM_BYTES, Container
from ddcodec.format.header import LABEL_MODE_SOFT, Header
from ddcodec.format.planes import PIXELS, PYRAMID, WAVELET_HALF_CHROMA

if TYPE_CHECKING:
    from ddcodec.codec.decode import DecodedFile

EXPLICIT, IMPLICIT, CONTAINER = "explicit", "implicit", "container"
"""What a part is: data of single images, networks they share, or what holds the file together."""

_NETWORKS = ("context", "upsampling", "transform", "synthesis", "labeler")
_HUNDREDTHS = 10_000


@dataclass(frozen=True)
class Part:
    """One part of a file.

    Attributes:
        name: such as `synthesis` or `latents 0`.
        kind: `explicit`, `implicit` or `container`.
        bits: its information content.
        num_bytes: `bits / 8` rounded so that all parts add up to the file.
        percent: share of the file, rounded to 0.01 so that all parts add up to 100.
    """

    name: str
    kind: str
    bits: float
    num_bytes: int
    percent: float


@dataclass(frozen=True)
class Inspection:
    """What a file is made of.

    Attributes:
        header: its fixed facts.
        file_bytes: its size.
        parts: in the order of the file.
    """

    header: Header
    file_bytes: int
    parts: tuple[Part, ...]

    @property
    def bits_per_class(self) -> float:
        """Bits per class of the whole file."""
        return bits_per_class(self.file_bytes, self.header.num_classes)

    @property
    def bytes_per_class(self) -> float:
        """Bytes per class of the whole file."""
        return self.file_bytes / self.header.num_classes

    @property
    def bytes_per_image(self) -> float:
        """Bytes per image of the whole file."""
        return self.file_bytes / self.header.num_images

    @property
    def bits_per_pixel(self) -> float:
        """Bits per pixel (position, all channels together) of the whole file."""
        return 8 * self.bytes_per_image / (self.header.height * self.header.width)

    @property
    def bits_per_label(self) -> float:
        """Bits of all labels per image, a labeler's among them."""
        parts = (part.bits for part in self.parts if part.name in ("labels", "labeler"))
        return sum(parts) / self.header.num_images

    def percent_of(self, kind: str) -> float:
        """Return the share of all parts of a kind."""
        return sum(round(100 * part.percent) for part in self.parts if part.kind == kind) / 100

    def bytes_of(self, kind: str) -> int:
        """Return the bytes of all parts of a kind."""
        return sum(part.num_bytes for part in self.parts if part.kind == kind)

    def to_json(self) -> dict[str, Any]:
        """Return everything as what `json.dumps` takes."""
        kinds = (EXPLICIT, IMPLICIT, CONTAINER)
        return {
            "file_bytes": self.file_bytes,
            "bits_per_class": self.bits_per_class,
            "bytes_per_class": self.bytes_per_class,
            "bytes_per_image": self.bytes_per_image,
            "bits_per_image": 8 * self.bytes_per_image,
            "bits_per_pixel": self.bits_per_pixel,
            "bits_per_label": self.bits_per_label,
            "shares": {
                kind: {"bytes": self.bytes_of(kind), "percent": self.percent_of(kind)}
                for kind in kinds
            },
            "parts": [
                {
                    "name": part.name,
                    "kind": part.kind,
                    "bits": part.bits,
                    "bytes": part.num_bytes,
                    "percent": part.percent,
                }
                for part in self.parts
            ],
            "header": asdict(self.header),
        }


def file_bytes(container: Container) -> int:
    """Return the size of the file a container was read from."""
    return container.file_bytes


def inspect_file(decoded: DecodedFile) -> Inspection:
    """Account for every bit of a decoded file."""
    container = decoded.container
    payload_bits = 8.0 * len(container.payload)
    parts = [("header", CONTAINER, 8.0 * container.header_bytes)]
    parts += [(name, _kind(name), bits) for name, bits in decoded.section_bits.items()]
    parts += [
        ("coder overhead", CONTAINER, payload_bits - sum(decoded.section_bits.values())),
        ("checksums", CONTAINER, 8.0 * CHECKSUM_BYTES),
    ]
    total = file_bytes(container)
    bits = [part[2] for part in parts]
    sizes = apportion(bits, total)
    hundredths = apportion(bits, _HUNDREDTHS)
    return Inspection(
        container.header,
        total,
        tuple(
            Part(*part, num_bytes=size, percent=share / 100)
            for part, size, share in zip(parts, sizes, hundredths, strict=True)
        ),
    )


def describe_decoder(synthesis_id: int, widths: tuple[int, ...]) -> str:
    """Return a decoder in words."""
    listed = ", ".join(str(width) for width in widths)
    if synthesis_id == PYRAMID:
        return f"pyramid, hidden widths {listed}"
    if synthesis_id == PIXELS:
        return "none, pixels themselves"
    colours = ", colour at half size" if synthesis_id == WAVELET_HALF_CHROMA else ""
    return f"wavelet{colours}, refinement {listed or 'none'}"


def describe_labels(header: Header) -> str:
    """Return in words what students learn from a file."""
    if header.labeler is not None:
        weights = f"{header.labeler.num_weights:,} weights"
        return f"by a labeler of {len(header.labeler_layers)} layers, {weights}, for any view"
    if header.label_mode == LABEL_MODE_SOFT:
        return f"soft, {header.num_classes} logits an image"
    return "hard"


def apportion(weights: list[float], total: int) -> list[int]:
    """Share out a whole number in proportion to weights, by largest remainders."""
    scale = total / sum(weights)
    exact = [weight * scale for weight in weights]
    shares = [floor(value) for value in exact]
    by_remainder = sorted(range(len(exact)), key=lambda index: shares[index] - exact[index])
    for index in by_remainder[: total - sum(shares)]:
        shares[index] += 1
    return shares


def _kind(section: str) -> str:
    if section in _NETWORKS:
        return IMPLICIT
    if section == "labels" or section.startswith("latents"):
        return EXPLICIT
    return CONTAINER
