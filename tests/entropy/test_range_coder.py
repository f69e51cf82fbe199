"""The range coder: round trips, literal words, and agreement with a decoder in plain Python."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from range_decoder import PlainRangeDecoder

from ddcodec.entropy.range_coder import RangeDecoder, RangeEncoder
from ddcodec.entropy.tables import laplace_bits, laplace_frequencies
from ddcodec.errors import FormatError

_TABLE = laplace_frequencies().tolist()

Call = tuple[str, list[int], list[int]]
"""("uniform", values, [size]) or ("table", indices, rows)."""


@st.composite
def uniform_calls(draw: st.DrawFn) -> Call:
    """Draw some equally likely numbers."""
    size = draw(st.sampled_from([1, 2, 3, 18, 256, 1000, 2**17, 2**20 + 1, 2**24 - 1, 2**24]))
    values = draw(st.lists(st.integers(0, size - 1) | st.sampled_from([0, size - 1]), max_size=6))
    return "uniform", values, [size]


@st.composite
def table_calls(draw: st.DrawFn) -> Call:
    """Draw some table indices and rows."""
    pairs = draw(st.lists(st.tuples(st.integers(0, 31), st.integers(0, 1023)), max_size=12))
    return "table", [index for index, _ in pairs], [row for _, row in pairs]


call_lists = st.lists(uniform_calls() | table_calls(), max_size=8)


def _integers(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def _encode(calls: list[Call]) -> RangeEncoder:
    encoder = RangeEncoder()
    for kind, values, parameters in calls:
        if kind == "uniform":
            coded = encoder.uniform(_integers(values), parameters[0], len(values))
        else:
            coded = encoder.table(_integers(values), _integers(parameters))
        assert coded.tolist() == values
    return encoder


def _decode(decoder: RangeDecoder, calls: list[Call]) -> list[list[int]]:
    return [
        decoder.uniform(None, parameters[0], len(values)).tolist()
        if kind == "uniform"
        else decoder.table(None, _integers(parameters)).tolist()
        for kind, values, parameters in calls
    ]


def _decode_plainly(decoder: PlainRangeDecoder, calls: list[Call]) -> list[list[int]]:
    return [
        [decoder.uniform(parameters[0]) if parameters[0] > 1 else 0 for _ in values]
        if kind == "uniform"
        else [decoder.table(_TABLE[row]) for row in parameters]
        for kind, values, parameters in calls
    ]


@given(call_lists)
def test_round_trip(calls: list[Call]) -> None:
    """What is written is read, the words end with it, and both sides count the same bits."""
    encoder = _encode(calls)
    decoder = RangeDecoder(encoder.payload())
    assert _decode(decoder, calls) == [values for _, values, _ in calls]
    decoder.finish()
    assert decoder.bits == pytest.approx(encoder.bits)
    assert len(encoder.payload()) <= encoder.bits / 8 + 9


@given(call_lists)
def test_plain_decoder_reads_the_same(calls: list[Call]) -> None:
    """A decoder of forty lines reads what the encoder wrote and sees its end."""
    decoder = PlainRangeDecoder(_encode(calls).payload())
    assert _decode_plainly(decoder, calls) == [values for _, values, _ in calls]
    assert decoder.exhausted()


@given(st.binary(max_size=40), call_lists)
def test_plain_decoder_agrees_on_noise(noise: bytes, calls: list[Call]) -> None:
    """On words nobody wrote both decoders read the same, refuse the same and end the same."""
    payload = noise[: len(noise) // 4 * 4]
    plain, decoder = PlainRangeDecoder(payload), RangeDecoder(payload)
    try:
        expected = _decode_plainly(plain, calls)
    except ValueError:
        with pytest.raises(FormatError):
            _decode(decoder, calls)
        return
    try:
        assert _decode(decoder, calls) == expected
    except FormatError as error:
        assert "ends before" in str(error)
        return
    if plain.exhausted():
        decoder.finish()
    else:
        with pytest.raises(FormatError, match="longer"):
            decoder.finish()


def test_literal_words() -> None:
    """Known symbols give known words."""
    assert RangeEncoder().payload() == b""
    encoder = _encode([("uniform", [2, 0, 1], [3])])
    assert encoder.payload().hex() == "5fec25b4"
    encoder = _encode([("uniform", [700], [1000]), ("table", [0, 1, 31, 2], [648, 640, 8, 1023])])
    assert encoder.payload().hex() == "c7e842b3dd2ad33e"


def test_second_word_of_the_seal() -> None:
    """Where one word cannot tell the end of the interval, a zero word follows."""
    one = _encode([("uniform", [0], [2**24]), ("uniform", [0], [255])]).payload()
    two = _encode([("uniform", [14_449_601], [2**24]), ("uniform", [253], [255])]).payload()
    assert one.hex() == "00000000"
    assert two.hex() == "fec17bdc00000000"


def test_bits_are_those_of_the_models() -> None:
    """Information content adds up over calls; the last uniform value takes what is left over."""
    encoder = _encode([("uniform", [0, 2], [3]), ("table", [4], [700])])
    share = 2**24 // 3
    expected = 48 - np.log2(share) - np.log2(2**24 - 2 * share) + laplace_bits()[700, 4]
    assert encoder.bits == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("value", [-1, 5])
def test_encoder_refuses_values_out_of_range(value: int) -> None:
    """A value the model does not know is a programming error, found before the coder sees it."""
    with pytest.raises(ValueError, match="outside 0 … 4"):
        RangeEncoder().uniform(_integers([value]), 5, 1)


def test_encoder_needs_its_values() -> None:
    """An encoder without values, or with too few, complains."""
    with pytest.raises(ValueError, match="needs the values"):
        RangeEncoder().uniform(None, 5, 1)
    with pytest.raises(ValueError, match="needs the values"):
        RangeEncoder().uniform(_integers([1]), 5, 2)
    with pytest.raises(ValueError, match="one index for each row"):
        RangeEncoder().table(_integers([1]), _integers([1, 2]))


def test_reading_past_the_end_is_noticed() -> None:
    """More information than the words hold is refused, though a coder would go on for ever."""
    payload = _encode([("uniform", [1] * 10, [2**20])]).payload()
    decoder = RangeDecoder(payload)
    decoder.uniform(None, 2**20, 10)
    with pytest.raises(FormatError, match="ends before"):
        decoder.uniform(None, 2**20, 10)


def test_words_left_over_are_noticed() -> None:
    """Words after the last symbol are refused."""
    payload = _encode([("uniform", [1] * 10, [2**20])]).payload()
    decoder = RangeDecoder(payload)
    decoder.uniform(None, 2**20, 5)
    with pytest.raises(FormatError, match="longer"):
        decoder.finish()
