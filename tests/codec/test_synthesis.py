"""The pyramid decoder: floats and integers draw the same pictures."""

import numpy as np
import pytest
import torch
from codec.renderings import check_floats_agree_with_integers, check_refused_with_weights
from sample_content import IntegerSource, sample_header, sample_networks

from ddcodec.codec.parameters import QuantizedTensor, quantize
from ddcodec.codec.pyramid.synthesis import BICUBIC_TAPS, PyramidSynthesis
from ddcodec.codec.stream import synthesis_of
from ddcodec.codec.synthesis import DECODERS, DecoderChoice, parse_decoder
from ddcodec.errors import RecipeError


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("height", "width", "num_levels"),
    [(7, 5, 3), (28, 28, 5), (24, 32, 4), (1, 1, 9), (2, 9, 6), (16, 16, 1)],
)
def test_floats_agree_with_integers(
    channels: int, height: int, width: int, num_levels: int
) -> None:
    """Every pixel of the float rendering lies within one level of the decoded one."""
    header = sample_header(
        height=height,
        width=width,
        channels=channels,
        num_levels=num_levels,
        synthesis_widths=(12, 6),
    )
    images = check_floats_agree_with_integers(header)
    assert np.unique(images).size > min(4, images.size // 3)


def _flat_grey(header_changes: dict[str, object], bias: float) -> np.ndarray:
    header = sample_header(**header_changes)
    shapes = synthesis_of(header).tensor_shapes()
    tensors = {
        name: QuantizedTensor(np.zeros(shape, np.int64), 8) for name, shape in shapes.items()
    }
    last = f"synthesis.{len(header.synthesis_widths)}.bias"
    tensors[last] = quantize(np.full(shapes[last], bias), 10)
    latents = [np.zeros((1, plane.rows, plane.columns), np.int16) for plane in header.planes]
    return synthesis_of(header).exact(tensors).decode(latents)


@pytest.mark.parametrize(
    ("bias", "pixel"),
    [(0.0, 0), (0.5, 128), (-3.0, 0), (7.0, 255), (1.0, 255), (255 / 256, 255), (127 / 1024, 31)],
)
def test_pixel_rounding(bias: float, pixel: int) -> None:
    """A pixel is floor(256 · value), clamped."""
    assert np.unique(_flat_grey({}, bias)).tolist() == [pixel]


def test_literal_upsampling() -> None:
    """Doubling mirrors the taps, repeats the edge and crops to the finer level."""
    synthesis = PyramidSynthesis(num_levels=2, widths=(1,), channels=1, height=1, width=5)
    taps = torch.tensor([1.0, 10.0, 100.0, 1000.0])
    stack = synthesis.upsample(taps, torch.tensor([[0.0] * 5 + [1.0, 2.0, 3.0]]))
    # One row: all vertical taps meet the same value, a factor of 1111.
    even = [1 + 10 + 100 + 2000, 1 + 10 + 200 + 3000, 1 + 20 + 300 + 3000]
    odd = [1000 + 100 + 20 + 3, 1000 + 200 + 30 + 3]
    expected = [even[0], odd[0], even[1], odd[1], even[2]]
    assert stack[0, 1, 0].tolist() == [1111 * value for value in expected]


def test_bicubic_start_keeps_constants() -> None:
    """The kernel that training starts with keeps a constant plane constant."""
    assert sum(BICUBIC_TAPS) == 1.0
    synthesis = PyramidSynthesis(num_levels=3, widths=(2,), channels=1, height=11, width=6)
    latents = 11 * 6 + 6 * 3 + 3 * 2
    stack = synthesis.upsample(torch.tensor(BICUBIC_TAPS), torch.full((2, latents), 3.0))
    assert stack.shape == (2, 3, 11, 6)
    assert torch.equal(stack, torch.full_like(stack, 3.0))


def test_initial_parameters_fit_and_draw_grey() -> None:
    """Untrained networks have the shapes of the file and start near the middle grey."""
    synthesis = PyramidSynthesis(num_levels=3, widths=(16, 8), channels=3, height=8, width=8)
    parameters = synthesis.initial_parameters(torch.Generator().manual_seed(0))
    shapes = {name: tuple(tensor.shape) for name, tensor in parameters.items()}
    assert shapes == synthesis.tensor_shapes()
    images = synthesis.render(parameters, torch.zeros(1, 64 + 16 + 4))
    assert torch.allclose(images, torch.tensor(0.5))


def test_rendering_has_gradients() -> None:
    """Latents and all parameters receive a gradient."""
    header = sample_header(channels=3, num_levels=3)
    tensors = sample_networks(header, IntegerSource(4))
    parameters = {
        name: torch.tensor(tensor.values, requires_grad=True) for name, tensor in tensors.items()
    }
    latents = torch.ones(1, header.positions_per_image, dtype=torch.float64, requires_grad=True)
    synthesis_of(header).render(
        {name: parameters[name] for name in synthesis_of(header).tensor_shapes()}, latents
    ).sum().backward()
    for tensor in [latents, *(parameters[n] for n in synthesis_of(header).tensor_shapes())]:
        assert tensor.grad is not None and bool(torch.isfinite(tensor.grad).all())


def test_tensor_shapes() -> None:
    """Tensors come from the latents to the pixels."""
    shapes = PyramidSynthesis(
        num_levels=2, widths=(5,), channels=3, height=8, width=8
    ).tensor_shapes()
    assert list(shapes.items()) == [
        ("upsampling.taps", (4,)),
        ("synthesis.0.weight", (5, 2)),
        ("synthesis.0.bias", (5,)),
        ("synthesis.1.weight", (3, 5)),
        ("synthesis.1.bias", (3,)),
        ("synthesis.spatial0.weight", (3, 3, 3, 3)),
        ("synthesis.spatial0.bias", (3,)),
        ("synthesis.spatial1.weight", (3, 3, 3, 3)),
        ("synthesis.spatial1.bias", (3,)),
    ]


@pytest.mark.parametrize("name", ["upsampling.taps", "synthesis.0.weight"])
def test_inexact_networks_are_refused(name: str) -> None:
    """Weights that could leave the integers of float64 are refused."""
    check_refused_with_weights(sample_header(), name, 1 << 26)


def test_names_of_decoders() -> None:
    """Decoders are read from names and from widths; anything else is refused."""
    assert DECODERS["v4"] == (160, 40) and DECODERS["v5-3"] == (480,)
    assert parse_decoder("v3-2") == DecoderChoice("pyramid", (160,))
    for text in ("240,40", "[240, 40]"):
        assert parse_decoder(text) == DecoderChoice("pyramid", (240, 40))
    assert parse_decoder("wavelet") == DecoderChoice("wavelet", ())
    assert parse_decoder("wavelet-16,8") == DecoderChoice("wavelet", (16, 8))
    for text in ("", "v99", "0", "2049", "1,2,3,4,5,6,7,8,9", "-4", "4.5", "wavelet-", "wavelet-0"):
        with pytest.raises(RecipeError, match="no decoder"):
            parse_decoder(text)


@pytest.mark.parametrize("text", ["160,40", "wavelet", "wavelet-16", "wavelet-16,8"])
def test_decoders_print_as_they_are_read(text: str) -> None:
    """What a recipe keeps of a decoder names it again."""
    assert str(parse_decoder(text)) == text
