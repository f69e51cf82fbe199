"""The wavelet decoder: a transform that can be undone, and the same pixels in integers."""

import numpy as np
import pytest
import torch
from codec.renderings import check_floats_agree_with_integers, check_refused_with_weights
from sample_content import IntegerSource, sample_header

from ddcodec.codec.wavelet.synthesis import CDF_TAPS, WaveletSynthesis, synthesis_matrix
from ddcodec.format.planes import planes_of

SHAPES = [(7, 5, 2), (28, 28, 4), (24, 32, 4), (1, 1, 9), (2, 9, 3), (16, 16, 1)]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("widths", [(), (6,), (6, 4)])
@pytest.mark.parametrize(("height", "width", "num_levels"), SHAPES)
def test_floats_agree_with_integers(
    channels: int, widths: tuple[int, ...], height: int, width: int, num_levels: int
) -> None:
    """Every pixel of the float rendering lies within one level of the decoded one."""
    header = sample_header(
        height=height,
        width=width,
        channels=channels,
        num_levels=num_levels,
        context_id=3,
        synthesis_id=2,
        synthesis_widths=widths,
    )
    images = check_floats_agree_with_integers(header)
    assert np.unique(images).size > min(4, images.size // 4)


@pytest.mark.parametrize(("height", "width", "num_levels"), SHAPES)
def test_analysis_undoes_synthesis(height: int, width: int, num_levels: int) -> None:
    """Rendering unrounded coefficients gives the images back, in any orthonormal colours."""
    images = IntegerSource(3).uniform(0, 255, 4, 3, height, width).astype(np.uint8)
    synthesis = WaveletSynthesis(num_levels, (), 3, height, width)
    colours, _ = np.linalg.qr(IntegerSource(4).uniform(-9, 9, 3, 3).astype(float))
    coefficients = synthesis.analyse(images, colours)
    parameters = {
        "transform.gains": torch.ones(synthesis.tensor_shapes()["transform.gains"]).double(),
        "transform.taps": torch.tensor(CDF_TAPS, dtype=torch.float64),
        "synthesis.colour.weight": torch.tensor(colours),
        "synthesis.colour.bias": torch.tensor(coefficients.mean),
    }
    rendered = synthesis.render(parameters, torch.tensor(coefficients.values).double())
    assert np.abs(256 * rendered.numpy() - 0.5 - images).max() < 0.01


def test_finest_colour_can_be_left_out() -> None:
    """With colour at half size only the first component has planes of level 0."""
    full, half = (planes_of(number, 2, 3, 8, 8) for number in (2, 3))
    assert [plane for plane in full if plane.level or not plane.colour] == list(half)
    assert {plane.colour for plane in half if plane.level == 0} == {0}
    assert sum(plane.size for plane in full) == 3 * 64
    assert sum(plane.size for plane in half) == 64 + 2 * 16


def test_order_of_planes() -> None:
    """Plane 0 is coded last: the diagonal band of the finest level of the last component."""
    planes = planes_of(2, 1, 2, 3, 5)
    order = [(p.level, p.colour, p.band, p.rows, p.columns) for p in reversed(planes)]
    assert order == [
        (1, 0, 0, 2, 3), (1, 1, 0, 2, 3),
        (0, 0, 1, 2, 2), (0, 0, 2, 1, 3), (0, 0, 3, 1, 2),
        (0, 1, 1, 2, 2), (0, 1, 2, 1, 3), (0, 1, 3, 1, 2),
    ]  # fmt: skip
    assert planes[0].name == "latents 0 chroma" and planes[-1].name == "latents 1 luma"


def test_literal_kernels() -> None:
    """A line of five: low and high in turns, mirrored at both ends without repeating the last."""
    taps = torch.tensor([1.0, 10.0, 100.0, 1000.0, 2.0, 20.0, 200.0, 2000.0, 20000.0])
    matrix = synthesis_matrix(taps, 5)
    # Row 0 sees, from −4 to 4: 4 3 2 1 0 1 2 3 4, of which 0, 2, 4 are low and 1, 3 high.
    assert matrix[0].tolist() == [1, 200, 0, 40, 4000]
    # Row 1 sees, from −3 to 5: 3 2 1 0 1 2 3 4 3.
    assert matrix[1].tolist() == [10, 1010, 1000, 202, 40200]


def test_initial_parameters_fit_and_draw_grey() -> None:
    """Untrained networks have the shapes of the file and draw the middle grey."""
    synthesis = WaveletSynthesis(3, (16, 8), 3, 8, 8)
    parameters = synthesis.initial_parameters(torch.Generator().manual_seed(0))
    shapes = {name: tuple(tensor.shape) for name, tensor in parameters.items()}
    assert shapes == synthesis.tensor_shapes()
    assert torch.allclose(synthesis.render(parameters, torch.zeros(1, 192)), torch.tensor(0.5))


def test_tensor_shapes() -> None:
    """Tensors come from the latents to the pixels."""
    shapes = WaveletSynthesis(2, (5, 4), 3, 8, 8, half_chroma=True).tensor_shapes()
    assert list(shapes.items()) == [
        ("transform.gains", (7,)),
        ("transform.taps", (9,)),
        ("synthesis.colour.weight", (3, 3)),
        ("synthesis.colour.bias", (3,)),
        ("synthesis.0.weight", (5, 3, 3, 3)),
        ("synthesis.0.bias", (5,)),
        ("synthesis.1.weight", (4, 5)),
        ("synthesis.1.bias", (4,)),
        ("synthesis.2.weight", (3, 4, 3, 3)),
        ("synthesis.2.bias", (3,)),
    ]
    assert len(WaveletSynthesis(2, (), 1, 8, 8).tensor_shapes()) == 4


@pytest.mark.parametrize(
    "name", ["transform.gains", "transform.taps", "synthesis.colour.weight", "synthesis.1.weight"]
)
def test_inexact_networks_are_refused(name: str) -> None:
    """Weights that could leave the integers of float64 are refused."""
    check_refused_with_weights(sample_header(context_id=3, synthesis_id=2), name, 1 << 39)


def test_images_are_refined_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values and gradients do not depend on how many images are refined at once."""
    synthesis = WaveletSynthesis(2, (4,), 3, 8, 8)
    generator = torch.Generator().manual_seed(0)
    parameters = synthesis.initial_parameters(generator)
    parameters["synthesis.1.weight"] = torch.randn(3, 4, 3, 3, generator=generator)
    latents = torch.randn(5, sum(plane.size for plane in synthesis.planes), generator=generator)
    leaves = [leaf.requires_grad_() for leaf in (latents, *parameters.values())]
    results = []
    for pixels in (1 << 15, 2 * 8 * 8):
        monkeypatch.setattr("ddcodec.codec.wavelet.synthesis.CHUNK_PIXELS", pixels)
        images = synthesis.render(parameters, latents)
        results.append([images, *torch.autograd.grad(images.square().sum(), leaves)])
    assert all(torch.allclose(a, b, rtol=1e-4, atol=1e-3) for a, b in zip(*results, strict=True))
