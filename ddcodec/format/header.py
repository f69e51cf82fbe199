"""The fixed facts of a file: read, checked and bounded before anything is allocated."""

from dataclasses import dataclass
from functools import cached_property

from ddcodec.errors import FormatError
from ddcodec.format import limits
from ddcodec.format.labeler_layers import LabelerLayer, LabelerShape
from ddcodec.format.planes import (
    PIXELS,
    PYRAMID,
    WAVELET,
    WAVELET_HALF_CHROMA,
    Plane,
    planes_of,
)

LABEL_MODE_HARD, LABEL_MODE_SOFT, LABEL_MODE_LABELER = 0, 1, 2
LABELER_PROBES = 16
"""Images whose labels by the labeler are part of the content checksum."""

CONTEXTS_OF = {PYRAMID: (1, 2), WAVELET: (3,), WAVELET_HALF_CHROMA: (3,), PIXELS: (4,)}
"""The context models that go with each synthesis id."""

CONTEXT_WIDTHS = (8, 16, 24, 32)
SYNTHESIS_KERNEL_TAPS = 9
UPSAMPLING_TAPS = 4
WAVELET_TAPS = 9


@dataclass(frozen=True)
class Header:
    """Everything a decoder must know before the payload.

    Attributes:
        num_classes: classes, numbered from 0.
        num_images: images over all classes.
        height, width: image size in pixels.
        channels: 1 (grey) or 3 (RGB).
        num_levels: levels of a pyramid, or times a wavelet halves the image; 1 for pixels.
        num_sets: sets of networks; classes are assigned to them in the payload.
        context_id, context_width, context_depth: the context model, its inputs and hidden layers.
        synthesis_id: the decoder family.
        synthesis_widths: its hidden widths.
        label_mode: 0 hard labels, 1 a vector of logits for each image, 2 a labeler network.
        mean, std: per channel, in 1/256 of the range 0…1, for `TrainingSet.normalize`.
        hints: (id, value) pairs for the student; readers ignore ids they do not know.
        has_class_names: whether the payload keeps the names of the classes.
        labeler_layers: convolutions of the labeler; none in the other label modes.
    """

    num_classes: int
    num_images: int
    height: int
    width: int
    channels: int
    num_levels: int
    num_sets: int
    context_id: int
    context_width: int
    context_depth: int
    synthesis_id: int
    synthesis_widths: tuple[int, ...]
    label_mode: int
    mean: tuple[int, ...]
    std: tuple[int, ...]
    hints: tuple[tuple[int, int], ...]
    has_class_names: bool
    labeler_layers: tuple[LabelerLayer, ...] = ()

    def __post_init__(self) -> None:
        _check_ranges(self)

    @cached_property
    def planes(self) -> tuple[Plane, ...]:
        """Latent planes of an image, the finest first."""
        return planes_of(self.synthesis_id, self.num_levels, self.channels, self.height, self.width)

    @cached_property
    def labeler(self) -> LabelerShape | None:
        """Shape of the labeler, if the file has one."""
        if self.label_mode != LABEL_MODE_LABELER:
            return None
        image_shape = self.channels, self.height, self.width
        return LabelerShape(self.labeler_layers, image_shape, self.num_classes)

    @property
    def positions_per_image(self) -> int:
        """Latent symbols of one image."""
        return sum(plane.size for plane in self.planes)

    @property
    def num_symbols(self) -> int:
        """Latent symbols of the whole set."""
        return self.num_images * self.positions_per_image

    @property
    def weights_per_set(self) -> int:
        """Network parameters of one set."""
        inputs, layers = self.context_width, self.context_depth
        context = layers * (inputs * inputs + inputs) + 2 * inputs + 2 * len(self.planes)
        return context + self._transform_weights + self._synthesis_weights + self._synthesis_biases

    @property
    def num_weights(self) -> int:
        """Numbers in all networks and in the tables of soft labels."""
        total = self.num_sets * self.weights_per_set
        if self.label_mode == LABEL_MODE_SOFT:
            total += 2 * self.num_classes**2
        return total + (self.labeler.num_weights if self.labeler else 0)

    @property
    def num_label_symbols(self) -> int:
        """Logits that the payload lists."""
        soft = self.label_mode == LABEL_MODE_SOFT
        return self.num_images * self.num_classes if soft else 0

    @property
    def _transform_weights(self) -> int:
        if self.synthesis_id == PIXELS:
            return 0
        if self.synthesis_id == PYRAMID:
            return UPSAMPLING_TAPS
        return WAVELET_TAPS + len({(plane.level, plane.colour) for plane in self.planes})

    @property
    def _synthesis_weights(self) -> int:
        if self.synthesis_id == PIXELS:
            return 0
        if self.synthesis_id == PYRAMID:
            widths = (self.num_levels, *self.synthesis_widths, self.channels)
            dense = sum(a * b for a, b in zip(widths, widths[1:], strict=False))
            return dense + 2 * SYNTHESIS_KERNEL_TAPS * self.channels**2
        widths = self.synthesis_widths
        if not widths:
            return self.channels**2
        inner = sum(a * b for a, b in zip(widths, widths[1:], strict=False))
        ends = SYNTHESIS_KERNEL_TAPS * self.channels * (widths[0] + widths[-1])
        return self.channels**2 + inner + ends

    @property
    def _synthesis_biases(self) -> int:
        if self.synthesis_id == PIXELS:
            return 0
        if self.synthesis_id == PYRAMID:
            return sum(self.synthesis_widths) + 3 * self.channels
        refinement = sum(self.synthesis_widths) + self.channels if self.synthesis_widths else 0
        return self.channels + refinement


def _check_ranges(header: Header) -> None:
    """Refuse every value outside version 1, in plain Python integers."""
    bounds: dict[str, tuple[int, int]] = {
        "num_classes": (1, limits.MAX_CLASSES),
        "num_images": (1, limits.MAX_IMAGES),
        "height": (1, limits.MAX_SIDE),
        "width": (1, limits.MAX_SIDE),
        "channels": (1, limits.MAX_CHANNELS),
        "num_levels": (1, limits.MAX_LEVELS),
        "num_sets": (1, header.num_classes),
        "context_id": (1, max(max(ids) for ids in CONTEXTS_OF.values())),
        "context_depth": (1, limits.MAX_LAYERS),
        "synthesis_id": (1, max(CONTEXTS_OF)),
        "label_mode": (LABEL_MODE_HARD, LABEL_MODE_LABELER),
    }
    for name, (low, high) in bounds.items():
        if not low <= getattr(header, name) <= high:
            raise FormatError(
                f"The header says {name} = {getattr(header, name)}, but this release decodes "
                f"{low} to {high}; the file is damaged or newer."
            )
    if header.context_width not in CONTEXT_WIDTHS:
        raise FormatError(f"Context width {header.context_width} is not one of {CONTEXT_WIDTHS}.")
    if header.channels not in (1, 3):
        raise FormatError(
            f"Images of {header.channels} channels are not part of version 1 of the format."
        )
    if header.context_id not in CONTEXTS_OF[header.synthesis_id]:
        raise FormatError(
            f"Context model {header.context_id} does not fit synthesis {header.synthesis_id}."
        )
    if header.synthesis_id == PIXELS and (header.num_levels > 1 or header.synthesis_widths):
        raise FormatError("Pixels have one level and no decoder layers; the file is damaged.")
    fewest = 1 if header.synthesis_id == PYRAMID else 0
    if not fewest <= len(header.synthesis_widths) <= limits.MAX_LAYERS:
        raise FormatError(f"The decoder must have between {fewest} and 8 hidden layers.")
    if not all(1 <= width <= limits.MAX_WIDTH for width in header.synthesis_widths):
        raise FormatError(f"A decoder layer is wider than {limits.MAX_WIDTH} or empty.")
    if not len(header.mean) == len(header.std) == header.channels:
        raise FormatError("The normalisation does not fit the image channels.")
    if len(header.hints) > limits.MAX_HINTS:
        raise FormatError(f"The header lists {len(header.hints)} student hints; 64 are allowed.")
    if not all(0 <= value <= 256 for value in header.mean):
        raise FormatError("The normalisation mean lies outside the image range.")
    if not all(1 <= value <= 256 for value in header.std):
        raise FormatError("The normalisation deviation lies outside the image range.")
    _check_labels(header)
    if header.num_weights > limits.MAX_WEIGHTS:
        raise FormatError(f"The file holds more than {limits.MAX_WEIGHTS} weights; refused.")


def _check_labels(header: Header) -> None:
    if header.labeler_layers and header.label_mode != LABEL_MODE_LABELER:
        raise FormatError("Only files with a labeler list its layers; the file is damaged.")
    if header.num_symbols + header.num_label_symbols > limits.MAX_SYMBOLS:
        raise FormatError(f"The file holds more than {limits.MAX_SYMBOLS} symbols; refused.")
    if header.label_mode == LABEL_MODE_LABELER:
        LabelerShape(header.labeler_layers, (header.channels, header.height, header.width), 1)
