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

SMALL_FILE_BYTES = 200
"""A file of so many bytes or fewer gets the least of time and memory; each further byte adds."""

LEAST_SECONDS, SECONDS_PER_BYTE, ENOUGH_SECONDS = 0.05, 0.005, 10.0
LARGE_FILE_BYTES, SECONDS_PER_LARGE_BYTE, MOST_SECONDS = 20_000, 400e-6, 60.0
"""Beyond 10 s time grows as ordinary files need it: 1,000 images of 128×128 in 90 kB claim 31 s and
take 5 of a quiet machine."""

LEAST_BYTES, BYTES_PER_BYTE, ENOUGH_BYTES = 50_000_000, 50_000, 500_000_000
BYTES_PER_LARGE_BYTE, MOST_BYTES = 1_500, 1_000_000_000
"""Memory grows alike: 2,000 images of 128×128 in 187 kB have to be held, and eight times where
students are shown renditions."""

FURTHER_WORK = 8
"""Times the limit of decoding that renditions and the labels of an export may take: as many
renditions as files advise, before students train for minutes."""


FURTHER_MEMORY = 4
"""Times the limit of memory that renditions may take."""


@dataclass(frozen=True)
class DecodeLimits:
    """Bounds a user may raise for files they trust.

    Attributes:
        max_file_bytes: largest file that is read at all.
        max_bytes: most memory that decoding may claim, in bytes; None for what the size of the
            file earns: 50 MB for up to 200 bytes, 50 kB for each further byte up to 500 MB, then
            1.5 kB for each byte beyond 20 kB, at most 1 GB.
        max_seconds: most time that decoding may claim, in seconds of one core; None likewise:
            0.05 s for up to 200 bytes, 5 ms for each further byte up to 10 s (2,190 bytes), then
            0.4 ms for each byte beyond 20 kB, at most 60 s.
    """

    max_file_bytes: int = 64 << 20
    max_bytes: int | None = None
    max_seconds: float | None = None

    def bytes_for(self, file_bytes: int) -> int:
        """Return the memory that a file of this size may claim, in bytes."""
        if self.max_bytes is not None:
            return self.max_bytes
        steps = (LEAST_BYTES, BYTES_PER_BYTE, ENOUGH_BYTES, BYTES_PER_LARGE_BYTE, MOST_BYTES)
        return int(_earned(file_bytes, *steps))

    def seconds_for(self, file_bytes: int) -> float:
        """Return the time that a file of this size may claim, in seconds."""
        if self.max_seconds is not None:
            return self.max_seconds
        steps = (LEAST_SECONDS, SECONDS_PER_BYTE, ENOUGH_SECONDS)
        return _earned(file_bytes, *steps, SECONDS_PER_LARGE_BYTE, MOST_SECONDS)


def _earned(
    file_bytes: int, least: float, per_byte: float, enough: float, per_large: float, most: float
) -> float:
    """Return what a file earns: more for each byte up to enough, then for each of a large file."""
    small = min(enough, least + per_byte * max(0, file_bytes - SMALL_FILE_BYTES))
    return min(most, small + per_large * max(0, file_bytes - LARGE_FILE_BYTES))


UNBOUNDED = DecodeLimits(max_file_bytes=1 << 62, max_bytes=1 << 62, max_seconds=float("inf"))
"""For files that this very process has made."""
