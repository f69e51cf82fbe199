"""The examples run on small files."""

import argparse
import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

import ddcodec
from ddcodec.budget import parse_bytes
from ddcodec.codec.decode import decode_bytes
from ddcodec.codec.encode import encode_content
from ddcodec.datasets import ImageSplit
from ddcodec.distill.recipe.recipe_file import read_recipe

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def test_decode_and_train(tmp_path: Path) -> None:
    """It learns from a file and tests on a folder with the same shape of images."""
    random = np.random.default_rng(0)
    for split in ("train", "test"):
        for name in ("a", "b", "c"):
            (tmp_path / "data" / split / name).mkdir(parents=True)
            pixels = random.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / split / name / "0.png")
    arrays = tmp_path / "set.npz"
    images = random.integers(0, 256, (3, 3, 16, 16), dtype=np.uint8)
    np.savez(arrays, images=images, labels=np.arange(3))
    environment = os.environ | {"PYTHONPATH": str(ROOT), "DDC_CACHE": str(tmp_path / "cache")}

    def run(*command: object) -> str:
        words = [sys.executable, *map(str, command)]
        result = subprocess.run(
            words, env=environment, capture_output=True, text=True, cwd=tmp_path, check=False
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    run("-m", "ddcodec.cli", "encode", arrays, "--bpc", "1k", "--fit-steps", "8", "-o", "x.ddc")
    output = run(EXAMPLES / "decode_and_train.py", "x.ddc", tmp_path / "data")
    lines = output.splitlines()
    assert len(lines) == 21 and lines[20].startswith("test accuracy ")
    first, last = (float(lines[index].split()[-1]) for index in (0, 19))
    assert last < first


def test_train_with_labeler(tmp_path: Path) -> None:
    """It follows what the file advises, and refuses a file without a labeler by name."""
    decoded = decode_bytes((ROOT / "tests" / "golden" / "labeler.ddc").read_bytes())
    header = replace(decoded.header, hints=((2, 2), (3, 4), (4, 8), (5, 2000), (6, 1000)))
    (tmp_path / "x.ddc").write_bytes(encode_content(header, decoded.content).data)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "DDC_CACHE": str(tmp_path / "cache")}

    def run(name: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(EXAMPLES / "train_with_labeler.py"), name]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, cwd=tmp_path, check=False
        )

    result = run("x.ddc")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert [line.split()[1] for line in lines] == ["1/4", "2/4", "3/4", "4/4"]
    assert all(float(line.split()[-1]) > 0 for line in lines)
    result = run(str(ROOT / "tests" / "golden" / "wavelet.ddc"))
    assert result.returncode == 1 and "this file has no labeler" in result.stderr


# SHA-256 of the pixels of all images: as they are, and in the second rendition.
FILES = {
    "cifar10-3k": (
        "f96494245f080e0a226ae432029c1a0f3cf4afb4362e4ed444813816909780da",
        "bbd6f4c2c1f32b96e763eb285fe78535bdae5576bba3762ea9b300533f073123",
    ),
    "cifar10-10k": (
        "12d14e56889c8573a61f47d0ce6c38e2cb1b515636221cfe4cd03014d2a9a359",
        "aa64c9cdd42530a7f304368ffb54b7d0085a113eef54d2020419d67d60e1309f",
    ),
    "cifar10-13k": (
        "a915e4fec9a83448ec26133ef4d49daba878fafa7476813e448c16adafb2ffbe",
        "be7ef2247e4d5961ce2924e4f274bd4d5fbc16b00eae9beda5b7d96bbe1dadbc",
    ),
    "cifar10-97k": (
        "966a795d343fa00cf3c0b2eb219fd63100011590eff68b3e185ad83554ac8d1e",
        "4f8985c89690379461d5976bb5a204781cd0ab8eb5bb11962f7087829c4ec5c7",
    ),
    "cifar10-1k-labeler": (
        "a69fbe7cc902fa1dd8583c68a50416442d986c0161d0ea0f4dcb5bc7e1ef4522",
        "eb02a149b66f90fd319384a3d605ec572882df57e938d6d134963006e087748d",
    ),
    "cifar10-3k-labeler": (
        "1026fda96368478b5281f813bf3113864a73846cf4c2b56d1c3ecd1d892fd36e",
        "26fc0b0d133f6207cc1f13125eece5cfd2ceb08176bb4aff54f49c6f31779c1c",
    ),
    "cifar10-10k-labeler": (
        "0483a04c0e48642667612b0b5ec89a5c73ff9aa1bdc5e2ebf6823e8171835ae4",
        "5851051c6c1f54afeeee7766b5623c5d0ba8c6170189a558dd6e93d3f12130b8",
    ),
    "cifar10-100k-labeler": (
        "b90b1b48f8cf0d98be5b06cdc1b442571e579cc9e253d3d4441ebcf091a9bebd",
        "cae9dced614d2eb64f779783cf0c54719a27d28dc865cc341669f446611e9275",
    ),
    # Large pictures: drawn once, which takes as long as all others.
    "imagenette128-19k": ("2d4590db170adc328ebefcab57cd3680341b4afcf364adee678db53821780faf",),
    "imagenette128-9k-hard": ("13d63087b6a56a9ffc809f7b7a10bb1394128d33ec7b2b06e5c061139bf3d1c9",),
    "imagenette128-19k-hard": ("30e3a2c127e44b93bfe37456053798b53592894e902dbd4f564e12372cca05ec",),
}


def test_all_files_are_listed() -> None:
    """Every file of the examples is among those that are decoded here."""
    assert {path.stem for path in EXAMPLES.glob("*.ddc")} == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_files_stay_what_they_are(name: str) -> None:
    """Each decodes to the same pixels and details, within the budget of the recipe beside it."""
    count = len(FILES[name])
    drawn = ddcodec.load(EXAMPLES / f"{name}.ddc", renditions=count)
    digests = tuple(
        hashlib.sha256(drawn.images[first::count].contiguous().numpy().tobytes()).hexdigest()
        for first in range(count)
    )
    assert digests == FILES[name]
    recipe = read_recipe(str(EXAMPLES / "recipes" / f"{name}.toml"))
    assert recipe.budget is not None
    budget_bytes = 10 * parse_bytes(recipe.budget)
    assert 0.97 * budget_bytes <= drawn.file_size_bytes <= budget_bytes
    assert (drawn.labeler is not None) == (recipe.settings.get("labels") == "labeler")
    assert drawn.recipe.renditions == 8


@pytest.fixture
def replay(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The example of replay memories as a module."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import continual_replay

    return continual_replay


@pytest.mark.parametrize("memory", ["none", "raw", "png", "webp", "ddc"])
def test_memories_keep_within_their_bytes(memory: str, replay: ModuleType) -> None:
    """Each memory says how many bytes it takes, and takes no more than it may."""
    options = argparse.Namespace(bytes_per_class=900, fit_steps=8, seed=0)
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (24, 3, 8, 8), generator=generator, dtype=torch.uint8)
    labels = torch.tensor([2, 3] * 12)
    (kept, kept_labels), size = replay.MEMORIES[memory]((images, labels), 1, options)
    assert size <= 2 * 900 and len(kept) == len(kept_labels)
    assert set(kept_labels.tolist()) == (set() if memory == "none" else {2, 3})
    if memory == "raw":
        assert len(kept) == 2 * (900 // 192) and size == 192 * len(kept)
        assert torch.equal(kept, torch.cat([images[0:8:2], images[1:8:2]]))


def test_a_memory_that_nothing_fits_is_empty(replay: ModuleType) -> None:
    """Fewer bytes than an image takes hold none."""
    options = argparse.Namespace(bytes_per_class=9, seed=0)
    task = torch.zeros(4, 3, 8, 8, dtype=torch.uint8), torch.tensor([0, 1, 0, 1])
    for memory in ("raw", "png", "webp"):
        (kept, labels), size = replay.MEMORIES[memory](task, 0, options)
        assert kept.shape == (0, 3, 8, 8) and labels.dtype == torch.int64 and size == 0


@pytest.fixture
def federated(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The example of sites that send files as a module."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import federated_sites

    return federated_sites


def test_sites_share_all_images(federated: ModuleType) -> None:
    """Every image is at one site; classes of which a site has too few are left out."""
    labels = np.arange(600) % 3
    images = np.zeros((600, 3, 8, 8), dtype=np.uint8)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = np.arange(600) % 256, np.arange(600) // 256
    options = argparse.Namespace(sites=4, concentration=0.5, seed=1)
    sites = federated.spread(ImageSplit(images, labels), ("a", "b", "c"), options)
    numbers = np.concatenate([site.train.images[:, 0, 0, :2].astype(int) for site in sites])
    found = numbers[:, 0] + 256 * numbers[:, 1]
    assert len(set(found.tolist())) == len(found) > 560
    for site in sites:
        first = site.train.images[:, 0, 0, 0] + 256 * site.train.images[:, 0, 0, 1].astype(int)
        names = np.array(site.class_names)[site.train.labels]
        assert names.tolist() == [("a", "b", "c")[number % 3] for number in first]
        assert np.bincount(site.train.labels).min() >= federated.LEAST_IMAGES


@pytest.mark.parametrize("send", ["raw", "webp", "ddc"])
def test_sites_send_within_their_bytes(send: str, federated: ModuleType) -> None:
    """Each way says how many bytes it takes, and takes no more than it may."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (24, 3, 8, 8), dtype=np.uint8)
    site = ddcodec.datasets.from_arrays(images, np.arange(24) % 2, class_names=("cat", "dog"))
    options = argparse.Namespace(bytes_per_site=1500, fit_steps=8, seed=0)
    (kept, labels), size = federated.SENDERS[send](site, options)
    assert 0 < size <= 1500 and len(kept) == len(labels) > 0
    assert set(labels.tolist()) == {0, 1} and kept.dtype == torch.uint8
    if send == "raw":
        assert len(kept) == 1500 // 192 and size == 192 * len(kept)
