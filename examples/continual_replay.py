"""Replay memories of a class-incremental learner, compared at equal bytes.

CIFAR-10 comes in five tasks of two classes. After each task the learner keeps a memory of so many
bytes per class and never sees the real images again; later batches are half new images, half
memory. The memory holds

- none: nothing;
- raw: as many real images as fit as uint8 pixels, 3,072 bytes each;
- png: as many real images as fit as PNG files;
- webp: as many as fit as WebP files of quality 5, as these decode;
- ddc: one `.ddc` file of both classes of a task (`--loss none`: coded real images).

python examples/continual_replay.py --data cifar10.tar.xz --bytes-per-class 10000 [--quick]
"""

import argparse
import io
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import cross_entropy

import ddcodec
from ddcodec.datasets import Dataset, ImageSplit
from ddcodec.networks import build, normalise

TASKS, CLASSES_PER_TASK = 5, 2
Labelled = tuple[Tensor, Tensor]
Memory = Callable[[Labelled, int, argparse.Namespace], tuple[Labelled, int]]
"""(images and labels of a task, task, options) → (what is remembered of them, its bytes)"""


def nothing(task: Labelled, number: int, options: argparse.Namespace) -> tuple[Labelled, int]:
    """Remember nothing."""
    return (task[0][:0], task[1][:0]), 0


def raw_pixels(task: Labelled, number: int, options: argparse.Namespace) -> tuple[Labelled, int]:
    """Keep the first images of each class, one byte a pixel value."""
    return _first_that_fit(task, options, lambda image: (image, image.numel()))


def png_files(task: Labelled, number: int, options: argparse.Namespace) -> tuple[Labelled, int]:
    """Keep the first images of each class as the bytes of PNG files."""

    def coded(image: Tensor) -> tuple[Tensor, int]:
        stream = io.BytesIO()
        _picture(image).save(stream, "PNG", optimize=True)
        return image, len(stream.getvalue())

    return _first_that_fit(task, options, coded)


def webp_files(task: Labelled, number: int, options: argparse.Namespace) -> tuple[Labelled, int]:
    """Keep the first images of each class as WebP files, and what these decode to."""

    def coded(image: Tensor) -> tuple[Tensor, int]:
        stream = io.BytesIO()
        _picture(image).save(stream, "WEBP", quality=5, method=6)
        decoded = torch.from_numpy(np.array(Image.open(stream).convert("RGB")))
        return decoded.permute(2, 0, 1), len(stream.getvalue())

    return _first_that_fit(task, options, coded)


def _picture(image: Tensor) -> Image.Image:
    return Image.fromarray(image.permute(1, 2, 0).numpy())


def coded_file(task: Labelled, number: int, options: argparse.Namespace) -> tuple[Labelled, int]:
    """Keep a `.ddc` file; labels in it count from 0."""
    first = CLASSES_PER_TASK * number
    images, labels = task[0].numpy(), task[1].numpy() - first
    dataset = Dataset(
        f"task {number}", ("0", "1"), ImageSplit(images, labels), None, f"task {number}"
    )
    recipe = ddcodec.Recipe(
        options.bytes_per_class,
        loss="none",
        fit_steps=options.fit_steps,
        seed=options.seed,
        keep_class_names=False,
    )
    data = ddcodec.distill_dataset(dataset, recipe).encoded.data
    # From here on the file is all that is left of the task.
    # Each image several times, with details that the file leaves open.
    remembered = ddcodec.load(data, renditions=None)
    return (remembered.images, remembered.labels + first), len(data)


MEMORIES: dict[str, Memory] = {
    "none": nothing,
    "raw": raw_pixels,
    "png": png_files,
    "webp": webp_files,
    "ddc": coded_file,
}


def _first_that_fit(
    task: Labelled,
    options: argparse.Namespace,
    code: Callable[[Tensor], tuple[Tensor, int]],
) -> tuple[Labelled, int]:
    images, labels = task
    kept, kept_labels, total = [], [], 0
    for label in labels.unique().tolist():
        used = 0
        for row in (labels == label).nonzero()[:, 0].tolist():
            image, size = code(images[row])
            if used + size > options.bytes_per_class:
                break
            used += size
            kept.append(image)
            kept_labels.append(label)
        total += used
    pixels = torch.stack(kept) if kept else images[:0]
    return (pixels, torch.tensor(kept_labels, dtype=torch.int64)), total


def learn(dataset: Dataset, remember: Memory, options: argparse.Namespace) -> None:
    """Learn all tasks one after the other and print the accuracy on all classes seen."""
    network = build(
        "convnet", (3, 32, 32), dataset.num_classes, seed=options.seed, network_width=options.width
    )
    generator = torch.Generator().manual_seed(options.seed)
    memory: Labelled | None = None
    total_bytes = 0
    for number in range(TASKS):
        task = _classes(dataset.train, number, number + 1)
        optimiser = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
        for _ in range(options.updates):
            images, labels = _batch(task, memory, options.batch_size, generator)
            loss = cross_entropy(network(images), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        if number < TASKS - 1:
            kept, size = remember(task, number, options)
            memory = kept if memory is None else _joined(memory, kept)
            total_bytes += size
    num_images = 0 if memory is None else len(memory[1])
    accuracies = [
        _accuracy(network, _classes(dataset.test, number, number + 1)) for number in range(TASKS)
    ]
    by_task = " ".join(f"{value:5.1f}" for value in accuracies)
    print(
        f"{options.memory:5}  {num_images:5} images  {total_bytes:7} bytes  by task {by_task}  "
        f"mean {np.mean(accuracies):.1f} %",
        flush=True,
    )


def _classes(split: ImageSplit | None, first: int, last: int) -> Labelled:
    """Return the images of tasks `first` … `last` − 1."""
    assert split is not None
    rows = np.flatnonzero(
        (split.labels // CLASSES_PER_TASK >= first) & (split.labels // CLASSES_PER_TASK < last)
    )
    return torch.from_numpy(split.images[rows]), torch.from_numpy(split.labels[rows])


def _joined(first: Labelled, second: Labelled) -> Labelled:
    return torch.cat([first[0], second[0]]), torch.cat([first[1], second[1]])


def _batch(
    task: Labelled, memory: Labelled | None, size: int, generator: torch.Generator
) -> Labelled:
    """Return new images, and as many from the memory if there is any, flipped at random."""
    parts = [task] if memory is None or not len(memory[1]) else [task, memory]
    images, labels = [], []
    for own in parts:
        rows = torch.randint(len(own[1]), (size // len(parts),), generator=generator)
        images.append(own[0][rows])
        labels.append(own[1][rows])
    pixels = normalise(torch.cat(images), (0.49, 0.48, 0.45), (0.25, 0.24, 0.26))
    flipped = torch.rand(len(pixels), generator=generator) < 0.5
    return torch.where(flipped[:, None, None, None], pixels.flip(3), pixels), torch.cat(labels)


@torch.no_grad()
def _accuracy(network: torch.nn.Module, test: Labelled) -> float:
    right = 0
    for images, labels in zip(test[0].split(256), test[1].split(256), strict=True):
        pixels = normalise(images, (0.49, 0.48, 0.45), (0.25, 0.24, 0.26))
        right += int((network(pixels).argmax(1) == labels).sum())
    return 100 * right / len(test[1])


def main() -> None:
    """Compare the memories one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", help="archive of CIFAR-10; downloaded if left out")
    parser.add_argument("--bytes-per-class", type=int, default=10_000)
    parser.add_argument("--memories", default=",".join(MEMORIES))
    parser.add_argument("--updates", type=int, default=600, help="per task")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--width", type=int, default=64, help="of the network")
    parser.add_argument("--fit-steps", type=int, default=960, help="of a .ddc file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="minutes on one thread of a CPU")
    options = parser.parse_args()
    if options.quick:
        options.updates, options.width, options.fit_steps = 200, 32, 200
    dataset = ddcodec.load_dataset("cifar10", options.data)
    for name in options.memories.split(","):
        options.memory = name
        learn(dataset, MEMORIES[name], options)


if __name__ == "__main__":
    main()
