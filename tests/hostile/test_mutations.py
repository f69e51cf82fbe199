"""Mutated files end in `FormatError` or decode in full: a corpus, and mutations new every day."""

import os
from datetime import date
from pathlib import Path

import pytest
from examine import examine
from file_parts import take_apart
from make_corpus import HEADERS
from mutations import CORPUS, golden_files, mutation, tiny_files

from ddcodec.format.limits import DecodeLimits

_LIMITS = DecodeLimits(max_seconds=0.05)
_SEED = int(os.environ.get("DDC_FUZZ_SEED", date.today().toordinal()))
_NUM_MUTATIONS = 20_000
_RETOLD_SHARE = 0.05
"""Fewer than in `make fuzz`: these take five times as long as others."""


def test_tiny_files_decode() -> None:
    """Each file that mutations start from decodes in full, and there is one for each header."""
    assert sorted(HEADERS) == sorted(path.stem[5:] for path in CORPUS.glob("tiny_*.ddc"))
    assert [examine(data, _LIMITS) for data in tiny_files()] == ["decoded"] * len(HEADERS)


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.ddc")), ids=lambda path: path.stem)
def test_corpus_is_decoded_or_refused(path: Path) -> None:
    """Files that once did harm, and those that attack by design, do none."""
    expected = "decoded" if path.stem.startswith("tiny_") else "refused"
    assert examine(path.read_bytes()) == expected


@pytest.mark.long
def test_fresh_mutations_are_decoded_or_refused() -> None:
    """Thousands of mutations of tiny files, others every day, do no harm; some decode in full."""
    outcomes = {"refused": 0, "decoded": 0}
    for number in range(_NUM_MUTATIONS):
        data = mutation(_SEED, number, tiny_files(), _RETOLD_SHARE)
        try:
            outcomes[examine(data, _LIMITS)] += 1
        except Exception as error:
            pytest.fail(f"mutation {number}: {error!r}; DDC_FUZZ_SEED={_SEED} repeats it")
    assert outcomes["decoded"] > _NUM_MUTATIONS // 20
    assert outcomes["refused"] > _NUM_MUTATIONS // 2


def test_mutations_repeat() -> None:
    """The same seed and number give the same bytes, others give others."""
    first = [mutation(7, number, tiny_files()) for number in range(50)]
    assert first == [mutation(7, number, tiny_files()) for number in range(50)]
    assert len(set(first)) > 40
    assert first != [mutation(8, number, tiny_files()) for number in range(50)]


def test_files_are_put_together_as_they_were() -> None:
    """A file taken apart into fields, payload and checksums is the same when put together."""
    for data in (*tiny_files(), *golden_files()):
        parts = take_apart(data)
        assert parts is not None
        assert parts.to_bytes() == data
