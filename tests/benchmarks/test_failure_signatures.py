"""The ways this method is known to fail: collapse in quantisation, a leaking entropy model."""

import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from overfit import overfit_image
from PIL import Image

from ddcodec.codec.context.context import ContextModel
from ddcodec.codec.pyramid.synthesis import PyramidSynthesis
from ddcodec.codec.quantizer import StraightThrough
from ddcodec.codec.synthesis import DECODERS, build_synthesis
from ddcodec.datasets import generate_glyphs
from ddcodec.distill.latents.representation import Representation, quantised_parameters
from ddcodec.distill.rate.post_quantisation import quantise_networks


def _real_image() -> np.ndarray:
    """Return a CIFAR-10 image (a frog), C × H × W, or skip."""
    beside = Path(__file__).parents[3] / "shared" / "data" / "cifar10.tar.xz"
    path = Path(os.environ.get("DDC_CIFAR10_ARCHIVE", beside))
    if not path.is_file():
        pytest.skip("no CIFAR-10 archive: set DDC_CIFAR10_ARCHIVE to one of image folders")
    with tarfile.open(path, "r|xz") as archive:
        for member in archive:
            if Path(member.name).match("train/frog/0003.*"):
                stream = archive.extractfile(member)
                assert stream is not None
                picture = Image.open(stream).convert("RGB")
                return np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1))
    raise AssertionError(f"{path} does not hold train/frog/0003")


@pytest.mark.slow
def test_v4_480_overfits_one_real_image() -> None:
    """One hidden layer of 480, no rate term: at least 40 dB after coding and decoding 32×32."""
    result = overfit_image(_real_image(), DECODERS["v4-480"], steps=3000)
    assert result.psnr_decoded >= 40


def test_no_collapse_in_post_quantisation() -> None:
    """A cluttered drawing loses under 1 dB from float weights and latents to the decoded file."""
    image = np.ascontiguousarray(generate_glyphs(1, seed=3).images[0])
    result = overfit_image(image, (64,), steps=400)
    assert result.psnr_float > 20
    assert result.psnr_decoded > result.psnr_float - 1


def test_quantised_networks_keep_images_and_rate() -> None:
    """Choosing coarse weights costs little error and little rate at the weight it is told."""
    synthesis = PyramidSynthesis(4, (16,), 3, 16, 16)
    representation = Representation(
        np.array([24]),
        np.array([0]),
        ContextModel(2, 16, 2, synthesis.planes),
        synthesis,
        seed=1,
        device=torch.device("cpu"),
    )
    representation.latents.data.mul_(4)
    (quantised,) = quantise_networks(representation, error_weight_bits=1e5)
    fixed = [quantised_parameters(quantised, representation.device)]
    everything = torch.arange(24)
    with torch.no_grad():
        before = representation.render(everything, StraightThrough())
        after = representation.render(everything, StraightThrough(), fixed)
    error = float((before.images - after.images).square().mean())
    assert 10 * np.log10(1 / error) > 40
    assert float(after.rate_bits) < 1.02 * float(before.rate_bits) + 100
    finest = sum(tensor.step_exponent == 12 for tensor in quantised.values())
    assert finest < len(quantised)


@pytest.mark.parametrize(("context_id", "synthesis_id"), [(1, 1), (2, 1), (3, 2), (4, 4)])
def test_entropy_model_cannot_beat_independent_noise(context_id: int, synthesis_id: int) -> None:
    """On unpredictable latents the rate stays at their entropy: nothing leaks from the future."""
    generator = torch.Generator().manual_seed(2)
    synthesis = build_synthesis(synthesis_id, 3, (4,), (1, 12, 12))
    model = ContextModel(context_id, 16, 2, synthesis.planes)
    parameters = model.initial_parameters(generator)
    for value in parameters.values():
        value.requires_grad_()
    representation = Representation(
        np.array([64]), np.array([0]), model, synthesis, seed=0, device=torch.device("cpu")
    )
    symbols = sum(plane.size for plane in synthesis.planes)
    latents = torch.randint(0, 2, (64, symbols), generator=generator).float()
    optimiser = torch.optim.Adam(parameters.values(), lr=0.02)
    bits = torch.zeros(())
    for _ in range(150):
        optimiser.zero_grad()
        bits = representation.latent_bits(parameters, latents)
        bits.backward()
        optimiser.step()
    assert 0.99 * 64 * symbols < float(bits.detach()) < 1.6 * 64 * symbols
