"""Measure what each stage of `ddc distill --recipe staged` takes, and project it to ImageNet-1K.

    python benchmarks/safety/stages.py measure --classes 10 -- --bpc 1k --spc 10 \
        --fit-steps 160 --labeler-epochs 50
    python benchmarks/safety/stages.py project

`measure` takes some images of the first classes of glyphs, at 16×16, and runs stage after stage
with an empty cache. Every command is run twice: the second time it finds everything done, so that
the difference is the work of the stage, and what is left is starting and loading. `project` knows
the figures of docs/scaling/stages.md.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

STAGES = ("teacher", "labels", "select", "code", "file")
SIDE = 16
FEWEST_GLYPHS = 50  # classes of the set that images are taken from
_CHILD = (
    "import resource, subprocess, sys\n"
    "status = subprocess.call(sys.argv[1:])\n"
    "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
    "print(used.ru_utime + used.ru_stime, used.ru_maxrss)\n"
    "sys.exit(status)"
)


@dataclass(frozen=True)
class Cost:
    """What a command took: CPU seconds, and the peak of its memory in MiB."""

    seconds: float
    mebibytes: float


def cost(command: list[str], environment: dict[str, str]) -> Cost:
    """Run a command and return what it took; leave with its message if it fails."""
    child = [sys.executable, "-c", _CHILD, *command]
    done = subprocess.run(child, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    seconds, kibibytes = done.stdout.strip().splitlines()[-1].split()
    return Cost(float(seconds), int(kibibytes) / 1024)


def write_set(path: Path, num_classes: int, per_class: int) -> None:
    """Write some images of the first classes as arrays."""
    import ddcodec

    name = f"glyphs-{max(num_classes, FEWEST_GLYPHS)}"
    train = ddcodec.load_dataset(name, size=SIDE).train
    rows = [np.flatnonzero(train.labels == label)[:per_class] for label in range(num_classes)]
    chosen = np.concatenate(rows)
    np.savez(path, images=np.asarray(train.images[chosen]), labels=train.labels[chosen])


def measure(num_classes: int, per_class: int, options: list[str]) -> None:
    """Print what every stage took for so many classes."""
    with tempfile.TemporaryDirectory() as folder:
        data, output = Path(folder, "set.npz"), Path(folder, "x.ddc")
        write_set(data, num_classes, per_class)
        environment = {**os.environ, "DDC_CACHE": str(Path(folder, "cache"))}
        environment["OMP_NUM_THREADS"] = "1"
        ddc = [sys.executable, "-m", "ddcodec", "distill", str(data), "--recipe", "staged"]
        ddc += [*options, "-o", str(output)]
        print(f"{num_classes} classes, {per_class} images of each", flush=True)
        again = cost([sys.executable, "-m", "ddcodec", "datasets", str(data)], environment)
        for number, stage in enumerate(STAGES):
            until = [] if stage == "file" else ["--until", stage]
            first = cost([*ddc, *until, *(["--resume"] if number else [])], environment)
            if until:
                again = cost([*ddc, *until, "--resume"], environment)
            # Landing has no second time: what it loads is what the stage before it loaded.
            seconds = first.seconds - again.seconds
            print(
                f"{stage:8} {seconds:7.2f} s, {1000 * seconds / num_classes:7.1f} ms a class, "
                f"peak {first.mebibytes:4.0f} MiB, again {again.seconds:.2f} s",
                flush=True,
            )
        print(f"{output.stat().st_size:,} bytes")


@dataclass(frozen=True)
class Units:
    """CPU seconds of one core that `measure` gave, for 16×16 images.

    Attributes:
        training: of a teacher, for each image it is shown and 10⁶ multiplications of its network.
        looking: of `select`, for each candidate, which is an image with its five crops.
        fitting: of `code`, for each step on 64 images.
        coding: of `code`, for each image that is coded, in all sweeps and starts.
        landing: of the way from there to the file, likewise.
    """

    training: float
    looking: float
    fitting: float
    coding: float
    landing: float


MEASURED = Units(
    training=28.15 / (420 * 64 * 25.33),
    looking=89.89 / 54_000,
    fitting=(17.32 - 10.14) / 800,
    coding=(48.85 - 6.43) / 9900,
    landing=(7.77 - 0.12) / 9900,
)
"""Training from 50 classes, fitting from 960 steps less 160, both with loading and of 10 classes,
the others from 1,000 classes, less 10: docs/scaling/stages.md."""

IMAGES, CLASSES, LARGE_SIDE = 1_281_167, 1000, 128
"""ImageNet-1K, brought to 128×128."""

JPEG_BYTES = 4262
"""Mean of every 19th training image of imagenette128 as JPEG of quality 75."""

EPOCHS, LABELER_SHARE = 24, 0.3
CANDIDATES, FULL_COLOUR_BYTES = 300, 200_000


def multiplications(side: int, num_classes: int) -> float:
    """Return those of the network of a teacher for an image, in millions."""
    from ddcodec.distill.labels.architecture import labeler_shape
    from ddcodec.distill.labels.making import TeacherSettings

    shape = labeler_shape((3, side, side), num_classes, TeacherSettings().last_width)
    channels, total = 3, 0
    for layer in shape.layers:
        total += layer.kernel**2 * channels * layer.channels * side**2
        channels, side = layer.channels, side // 2 if layer.pooled else side
    return (total + channels * num_classes) / 1e6


def project() -> None:
    """Print hours of one core for ImageNet-1K at as many bytes as 1, 10 and 50 JPEG per class.

    Trainings grow with the images shown and the multiplications of the network, looking with
    candidates and multiplications, coding with images and pixels. A weight of the labeler takes a
    byte at most.
    """
    from ddcodec.distill.labels.architecture import labeler_shape
    from ddcodec.distill.labels.making import TeacherSettings
    from ddcodec.distill.latent_run import FIT_STEPS
    from ddcodec.distill.rate.images_per_class import labelled_images_per_class

    cost_of_look = multiplications(LARGE_SIDE, CLASSES) / multiplications(SIDE, 10)
    pixels = (LARGE_SIDE / SIDE) ** 2
    part = round(0.9 * IMAGES)
    shown = EPOCHS * part * multiplications(LARGE_SIDE, CLASSES)
    width = TeacherSettings().last_width
    weights = labeler_shape((3, LARGE_SIDE, LARGE_SIDE), CLASSES, width).num_weights
    for per_class in (1, 10, 50):
        budget = per_class * JPEG_BYTES
        labeler = min(LABELER_SHARE * budget, weights / CLASSES)
        wanted = labelled_images_per_class(budget - labeler, 3 * LARGE_SIDE**2)
        count = min(wanted, part // CLASSES)
        groups = -(-count // (CANDIDATES // 2))
        candidates = CLASSES * min(groups * CANDIDATES, part // CLASSES)
        seconds = {
            "teacher": MEASURED.training * shown,
            # A labeler as wide as its teacher, which it asks about every view: a pass of three.
            "labels": MEASURED.training * shown * 4 / 3,
            "select": MEASURED.looking * candidates * cost_of_look,
            "code": pixels * (MEASURED.fitting * FIT_STEPS + MEASURED.coding * count * CLASSES),
            "file": pixels * MEASURED.landing * count * CLASSES,
        }
        # Below 200 kB a class the finest level of the two colour components is left out.
        latents = LARGE_SIDE**2 * (3 if budget >= FULL_COLOUR_BYTES else 1.5)
        gigabytes = 4 * latents * count * CLASSES / 1e9
        hours = ", ".join(f"{stage} {value / 3600:,.1f}" for stage, value in seconds.items())
        print(
            f"{per_class} JPEG a class: {budget * CLASSES / 1e6:,.1f} MB, {count} images a class, "
            f"{candidates:,} candidates, {gigabytes:.1f} GB of latents; hours: {hours}"
        )


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    commands = parser.add_subparsers(dest="command", required=True)
    measuring = commands.add_parser("measure")
    measuring.add_argument("--classes", type=int, nargs="+", default=[10, 50])
    measuring.add_argument("--images", type=int, default=60, help="of each class")
    measuring.add_argument("words", nargs="*", help="options of ddc distill, after --")
    commands.add_parser("project")
    asked = parser.parse_args()
    if asked.command == "measure":
        for num_classes in asked.classes:
            measure(num_classes, asked.images, asked.words)
    else:
        project()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
