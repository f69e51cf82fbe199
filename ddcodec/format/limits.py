"""What a file may ask of the machine that decodes it (design, promise 4)."""

from dataclasses import dataclass

MAX_HEADER_BYTES = 4096
MAX_IMAGES = 1 << 20
MAX_SIDE = 512
MAX_CHANNELS = 4
MAX_LEVELS = 9
MAX_CLASSES = 65_536
MAX_LAYERS = 8
MAX_WIDTH = 2048
MAX_WEIGHTS = 10**7
MAX_SYMBOLS = 1 << 28
MAX_HINTS = 64
MAX_LABELER_LAYERS = 64
MAX_LABELER_CHANNELS = 1024


@dataclass(frozen=True)
class DecodeLimits:
    """Bounds a user may raise for files they trust.

    Attributes:
        max_file_bytes: largest file that is read at all.
        max_bytes: largest decoded training set, pixels and symbols, in bytes.
        max_macs: largest number of multiply-adds spent on the networks of one file.
    """

    max_file_bytes: int = 64 << 20
    max_bytes: int = 2 << 30
    max_macs: int = 10**12


UNBOUNDED = DecodeLimits(max_file_bytes=1 << 62, max_bytes=1 << 62, max_macs=1 << 62)
"""For files that this very process has made."""
