"""One round of federated learning in a few kB: each site sends one file, the server trains on all.

The images of CIFAR-10 are spread over sites unevenly: of every class each site has a share drawn
from a Dirichlet distribution, as in studies of federated learning. Once, each site sends

- raw: as many of its images as fit as uint8 pixels;
- webp: as many as fit as WebP files of quality 5;
- ddc: one `.ddc` file of the classes it has (`--loss none`: coded real images);
- network: a network trained on its images, in half precision, whatever that takes.

The server trains a network on all images that have come, or averages what the sites' networks say.

python examples/federated_sites.py --data cifar10.tar.xz --bytes-per-site 20000 [--quick]
"""

import argparse
import io
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import ddcodec
from ddcodec.datasets import Dataset, ImageSplit, from_arrays
from ddcodec.networks import build, normalise

MEAN, STD = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)
LEAST_IMAGES = 10
"""A site does not send a class of which it has fewer."""

Labelled = tuple[Tensor, Tensor]
Send = Callable[[Dataset, argparse.Namespace], tuple[Labelled, int]]
"""(a site's images, options) → (what the server gets, with labels of the site; its bytes)"""


def spread(split: ImageSplit, names: tuple[str, ...], options: argparse.Namespace) -> list[Dataset]:
    """Return the datasets of the sites that have images; other classes are none of theirs."""
    random = np.random.default_rng(options.seed)
    rows: list[list[int]] = [[] for _ in range(options.sites)]
    for label in range(len(names)):
        of_class = random.permutation(np.flatnonzero(split.labels == label))
        shares = random.dirichlet(np.full(options.sites, options.concentration))
        ends = np.rint(shares.cumsum() * len(of_class)).astype(int)
        for site, part in enumerate(np.split(of_class, ends[:-1])):
            if len(part) >= LEAST_IMAGES:
                rows[site] += part.tolist()
    return [
        from_arrays(split.images[r], split.labels[r], class_names=names, name=f"site {number}")
        for number, r in enumerate(rows)
        if r
    ]


def raw_pixels(site: Dataset, options: argparse.Namespace) -> tuple[Labelled, int]:
    """Send images one byte a pixel value."""
    return _as_many_as_fit(site, options, lambda image: (image, image.nbytes))


def webp_files(site: Dataset, options: argparse.Namespace) -> tuple[Labelled, int]:
    """Send images as WebP files; the server has what they decode to."""

    def coded(image: np.ndarray) -> tuple[np.ndarray, int]:
        stream = io.BytesIO()
        Image.fromarray(image.transpose(1, 2, 0)).save(stream, "WEBP", quality=5, method=6)
        return np.asarray(Image.open(stream)).transpose(2, 0, 1), len(stream.getvalue())

    return _as_many_as_fit(site, options, coded)


def coded_file(site: Dataset, options: argparse.Namespace) -> tuple[Labelled, int]:
    """Send a `.ddc` file."""
    recipe = ddcodec.Recipe(
        options.bytes_per_site / site.num_classes,
        loss="none",
        fit_steps=options.fit_steps,
        seed=options.seed,
    )
    data = ddcodec.distill_dataset(site, recipe).encoded.data
    # Each image several times, with details that the file leaves open.
    received = ddcodec.load(data, renditions=None)
    return (received.images, received.labels), len(data)


SENDERS: dict[str, Send] = {"raw": raw_pixels, "webp": webp_files, "ddc": coded_file}


def _as_many_as_fit(
    site: Dataset,
    options: argparse.Namespace,
    code: Callable[[np.ndarray], tuple[np.ndarray, int]],
) -> tuple[Labelled, int]:
    """Take images of all classes in turn until the next does not fit."""
    random = np.random.default_rng(options.seed)
    order = random.permutation(len(site.train))
    turn = np.empty(len(order), dtype=np.int64)
    for label in range(site.num_classes):
        of_class = site.train.labels[order] == label
        turn[of_class] = np.arange(of_class.sum())
    images, labels, total = [], [], 0
    for row in order[np.argsort(turn, kind="stable")]:
        image, size = code(site.train.images[row])
        if total + size > options.bytes_per_site:
            break
        total += size
        images.append(image)
        labels.append(int(site.train.labels[row]))
    shape = (0, *site.train.images.shape[1:])
    pixels = np.stack(images) if images else np.empty(shape, dtype=np.uint8)
    return (torch.from_numpy(pixels.copy()), torch.tensor(labels, dtype=torch.int64)), total


def train(data: Labelled, num_classes: int, options: argparse.Namespace) -> nn.Module:
    """Return a network trained on images that are flipped and shifted."""
    network = build(
        "convnet", (3, 32, 32), num_classes, seed=options.seed, network_width=options.width
    )
    generator = torch.Generator().manual_seed(options.seed)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, options.updates)
    for _ in range(options.updates):
        rows = torch.randint(len(data[1]), (64,), generator=generator)
        pixels = normalise(data[0][rows], MEAN, STD)
        flipped = torch.rand(64, generator=generator) < 0.5
        pixels = torch.where(flipped[:, None, None, None], pixels.flip(3), pixels)
        down, right = torch.randint(-3, 4, (2,), generator=generator).tolist()
        loss = cross_entropy(network(pixels.roll((down, right), (2, 3))), data[1][rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return network


@torch.no_grad()
def outputs(network: nn.Module, images: Tensor) -> Tensor:
    """Return the probabilities that a network gives test images."""
    parts = [network(normalise(part, MEAN, STD)) for part in images.split(256)]
    return torch.cat(parts).softmax(1)


def learn(dataset: Dataset, sites: list[Dataset], options: argparse.Namespace) -> None:
    """Let all sites send, train on the server, and print bytes and accuracy."""
    assert dataset.test is not None
    images, labels = (
        torch.from_numpy(np.array(part)) for part in (dataset.test.images, dataset.test.labels)
    )
    said = torch.zeros(len(labels), dataset.num_classes)
    received, sizes = [], []
    for site in sites:
        # A site numbers its own classes; their names say which they are.
        own = torch.tensor([dataset.class_names.index(name) for name in site.class_names])
        if options.send == "network":
            data = tuple(
                torch.from_numpy(np.array(part)) for part in (site.train.images, site.train.labels)
            )
            network = train(data, site.num_classes, options)
            for parameter in network.parameters():
                parameter.data = parameter.data.half().float()
            said[:, own] += outputs(network, images)
            sizes.append(2 * sum(parameter.numel() for parameter in network.parameters()))
            continue
        (pixels, numbers), size = SENDERS[options.send](site, options)
        received.append((pixels, own[numbers]))
        sizes.append(size)
    if received:
        pixels, numbers = (torch.cat(parts) for parts in zip(*received, strict=True))
        said = outputs(train((pixels, numbers), dataset.num_classes, options), images)
    accuracy = 100 * float((said.argmax(1) == labels).float().mean())
    count = sum(len(part[1]) for part in received)
    print(
        f"{options.send:8} {count:6} images  {max(sizes):9,} bytes a site at most  "
        f"{accuracy:.1f} %",
        flush=True,
    )


def main() -> None:
    """Compare what sites may send, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", help="archive of CIFAR-10; downloaded if left out")
    parser.add_argument("--sites", type=int, default=5)
    parser.add_argument("--concentration", type=float, default=0.5, help="of Dirichlet's")
    parser.add_argument("--bytes-per-site", type=int, default=20_000)
    parser.add_argument("--send", default=",".join((*SENDERS, "network")))
    parser.add_argument("--updates", type=int, default=2000, help="of each network")
    parser.add_argument("--width", type=int, default=64, help="of each network")
    parser.add_argument("--fit-steps", type=int, default=960, help="of a .ddc file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="minutes on one thread of a CPU")
    options = parser.parse_args()
    if options.quick:
        options.updates, options.width, options.fit_steps = 300, 32, 200
    dataset = ddcodec.load_dataset("cifar10", options.data)
    sites = spread(dataset.train, dataset.class_names, options)
    for site in sites:
        print(f"{site.name}: {len(site.train):,} images of {', '.join(site.class_names)}")
    for what in options.send.split(","):
        options.send = what
        learn(dataset, sites, options)


if __name__ == "__main__":
    main()
