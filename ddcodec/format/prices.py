"""What decoding costs: seconds and bytes for each thing that a file can ask for many of.

Measured by `benchmarks/safety/decode_costs.py` on one thread of a shared 2.8 GHz Xeon and rounded
up, so that a laptop of half the speed still keeps what is claimed of it for quiet machines.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class TimePrices:
    """Seconds of one core, each for one piece of work.

    Attributes:
        file: whatever the file.
        label: counting a class or an image.
        letter: a byte of a class name.
        tensor, weight: reading a tensor and building layers of it; one of its numbers.
        plane: setting up a latent plane, for each network set.
        neighbour: finding an input of a latent, once for each network set.
        wave: coding what does not depend on each other, however little.
        escape, escaped: a wave in which something escapes its table, on top; each that does.
        symbol, symbol_input: a latent; fetching one of the inputs of its prediction.
        logit: reading one of the soft labels.
        mac: a multiply-add of a matrix product.
        value: a number that is copied, added to or clamped.
        labeler_value: likewise in a labeler, whose arrays are of a whole image and leave the cache.
        call: a few numpy calls, on however little.
        basis: an entry of the matrix of a wavelet.
        detail: drawing the detail of a latent of a rendition.
        export_image, export_byte: an image as a file of another program; one of its bytes.
        sheet_row, sheet_byte: a name or picture on a contact sheet; a byte of the sheet.
    """

    file: float = 5e-3
    label: float = 1e-7
    letter: float = 1.2e-5
    tensor: float = 1.5e-4
    weight: float = 6e-7
    plane: float = 3e-4
    neighbour: float = 3e-8
    wave: float = 2e-4
    escape: float = 4e-4
    escaped: float = 4e-7
    symbol: float = 3e-7
    symbol_input: float = 3e-9
    logit: float = 8e-7
    mac: float = 1.3e-10
    value: float = 4.5e-9
    labeler_value: float = 1.8e-8
    call: float = 1.2e-4
    basis: float = 3e-9
    detail: float = 4e-7
    export_image: float = 3e-4
    export_byte: float = 1e-7
    sheet_row: float = 1e-4
    sheet_byte: float = 4e-8


@dataclass(frozen=True)
class MemoryPrices:
    """Bytes at the peak, each for one thing that is there.

    Attributes:
        file: whatever the file.
        file_byte: a byte of the file, read, cut and turned into words.
        name: a class and its name.
        label: an image and its label.
        tensor: the objects that hold a tensor and the layer made of it.
        plane: the object that holds the latents of a plane of a network set.
        weight: a number of a network, as an integer and in its layer.
        reading: one of many numbers read in a single call: its table, what was read, the result.
        symbol: a latent, in the result, in work and on its way to the checksum.
        neighbour: the place of an input of a latent, while its plane is coded.
        wave: a latent of the wave in work.
        input: an input of a latent of the wave in work.
        number: a number in work.
        basis: an entry of the matrices of a wavelet.
        detail: a latent with the details of a rendition, and its scale.
        drawing: a latent of the plane whose details are drawn.
        probability: what a labeler says of an image and a class of an export.
        sheet_pixel: a pixel of a contact sheet and of the PNG made of it.
    """

    file: int = 4 << 20
    file_byte: int = 4
    name: int = 200
    label: int = 40
    tensor: int = 1500
    plane: int = 300
    weight: int = 32
    reading: int = 120
    symbol: int = 6
    neighbour: int = 24
    wave: int = 160
    input: int = 3
    number: int = 8
    basis: int = 100
    detail: int = 16
    drawing: int = 120
    probability: int = 48
    sheet_pixel: int = 7


TIME = TimePrices()
MEMORY = MemoryPrices()
