"""The layers of a labeler as a header lists them, and what they ask of a decoder."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from ddcodec.errors import FormatError
from ddcodec.format import limits

KERNELS = (1, 3, 5)


@dataclass(frozen=True)
class LabelerLayer:
    """One convolution with a gain and a bias per output channel, then ReLU.

    Attributes:
        channels: outputs.
        kernel: side of the square kernel: 1, 3 or 5; zeros around the image keep its size.
        pooled: whether the maximum of every 2×2 sums is taken before gain and bias.
        skip: 0, or which earlier output is added before ReLU: that of so many layers before.
    """

    channels: int
    kernel: int
    pooled: bool = False
    skip: int = 0


@dataclass(frozen=True)
class LabelerShape:
    """A whole labeler: its convolutions, the mean over all positions, one linear layer.

    Attributes:
        layers: convolutions, first to last.
        image_shape: channels, height, width of what it looks at.
        num_classes: outputs.
    """

    layers: tuple[LabelerLayer, ...]
    image_shape: tuple[int, int, int]
    num_classes: int

    def __post_init__(self) -> None:
        """Refuse what version 1 of the format does not have.

        Raises:
            FormatError: a layer is out of range or does not fit the one it builds on.
        """
        if not 1 <= len(self.layers) <= limits.MAX_LABELER_LAYERS:
            raise FormatError(
                f"The labeler has {len(self.layers)} layers; between 1 and "
                f"{limits.MAX_LABELER_LAYERS} are allowed."
            )
        sizes = [self.image_shape]
        for index, layer in enumerate(self.layers):
            sizes.append(_output_size(index, layer, sizes))

    @property
    def sizes(self) -> tuple[tuple[int, int, int], ...]:
        """Channels, rows and columns of the image and of every layer's output."""
        sizes = [self.image_shape]
        for index, layer in enumerate(self.layers):
            sizes.append(_output_size(index, layer, sizes))
        return tuple(sizes)

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every tensor in the order of the file."""
        shapes: dict[str, tuple[int, ...]] = {}
        inputs = self.image_shape[0]
        for index, layer in enumerate(self.layers):
            shapes[f"labeler.{index}.weight"] = (layer.channels, inputs, layer.kernel, layer.kernel)
            shapes[f"labeler.{index}.gain"] = (layer.channels,)
            shapes[f"labeler.{index}.bias"] = (layer.channels,)
            inputs = layer.channels
        shapes["labeler.out.weight"] = (self.num_classes, inputs)
        shapes["labeler.out.gain"] = (self.num_classes,)
        shapes["labeler.out.bias"] = (self.num_classes,)
        return shapes

    @property
    def num_weights(self) -> int:
        """Numbers in all tensors."""
        inputs, total = self.image_shape[0], 0
        for layer in self.layers:
            total += layer.channels * (inputs * layer.kernel**2 + 2)
            inputs = layer.channels
        return total + self.num_classes * (inputs + 2)

    @property
    def macs_per_image(self) -> int:
        """Multiply-adds of one image."""
        total = 0
        for layer, (inputs, rows, columns) in zip(self.layers, self.sizes, strict=False):
            total += rows * columns * inputs * layer.kernel**2 * layer.channels
        return total + self.sizes[-1][0] * self.num_classes

    @property
    def values_per_image(self) -> int:
        """Numbers that are copied and changed one by one for an image, whatever the products."""
        return sum(self._values_of_layers)

    @property
    def working_bytes(self) -> int:
        """Memory of the exact labeler at work on one image, its weights apart.

        All outputs are kept, since any later layer may add them; the largest layer comes on top.
        """
        return 8 * (sum(map(prod, self.sizes)) + max(self._values_of_layers))

    @property
    def _values_of_layers(self) -> list[int]:
        """Each layer's padded inputs, its surroundings, and its sums before pooling, twice."""
        values = []
        for layer, (inputs, rows, columns) in zip(self.layers, self.sizes, strict=False):
            padded = inputs * (rows + layer.kernel - 1) * (columns + layer.kernel - 1)
            surroundings = inputs * layer.kernel**2
            values.append(padded + rows * columns * (surroundings + 2 * layer.channels))
        return values


def _output_size(
    index: int, layer: LabelerLayer, sizes: list[tuple[int, int, int]]
) -> tuple[int, int, int]:
    if not 1 <= layer.channels <= limits.MAX_LABELER_CHANNELS:
        raise FormatError(
            f"Labeler layer {index} has {layer.channels} channels; between 1 and "
            f"{limits.MAX_LABELER_CHANNELS} are allowed."
        )
    if layer.kernel not in KERNELS:
        raise FormatError(f"Labeler layer {index} has a kernel of {layer.kernel}, not 1, 3 or 5.")
    _, rows, columns = sizes[-1]
    if layer.pooled:
        rows, columns = rows // 2, columns // 2
    if min(rows, columns) < 1:
        raise FormatError(f"Labeler layer {index} has no pixels left to pool.")
    size = layer.channels, rows, columns
    # The image itself, number 0 of the sizes, is no output of a layer.
    fits = 1 <= layer.skip <= index and sizes[index + 1 - layer.skip] == size
    if layer.skip and not fits:
        raise FormatError(f"Labeler layer {index} adds an output that does not fit its own.")
    return size


def layer_numbers(layers: tuple[LabelerLayer, ...]) -> list[int]:
    """Return the header numbers of a list of layers (docs/format.md, section 3)."""
    numbers = [len(layers)]
    for layer in layers:
        numbers += [layer.channels, layer.kernel, int(layer.pooled), layer.skip]
    return numbers


def read_layers(read: Callable[[], int]) -> tuple[LabelerLayer, ...]:
    """Read a list of layers from header numbers.

    Raises:
        FormatError: if there are too many, or one is neither pooled nor not.
    """
    count = read()
    if count > limits.MAX_LABELER_LAYERS:
        raise FormatError(
            f"The header lists {count} labeler layers; at most {limits.MAX_LABELER_LAYERS} are "
            "allowed."
        )
    layers = []
    for index in range(count):
        channels, kernel, pooled, skip = read(), read(), read(), read()
        if pooled > 1:
            raise FormatError(f"Labeler layer {index} is pooled {pooled} times, not 0 or 1.")
        layers.append(LabelerLayer(channels, kernel, bool(pooled), skip))
    return tuple(layers)
