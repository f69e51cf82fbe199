"""Starting images that are crops of real ones, chosen by networks that know the classes.

After RDED (Sun et al., "On the Diversity and Realism of Distilled Dataset", CVPR 2024, section 4):
of some random crops of an image the one with the smallest cross-entropy of its class is kept, and
of some hundred images of a class those whose crop is best.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ddcodec.datasets.base import Pixels as StoredPixels
from ddcodec.datasets.base import rows_of_classes
from ddcodec.distill.start.crops import (
    CROPS_PER_IMAGE,
    Pixels,
    as_seen,
    check_room,
    packed,
    random_boxes,
)
from ddcodec.distill.start.initial_images import CHUNK_IMAGES, Integers, at_random, no_look
from ddcodec.networks import precision

PACKS = {"crops": 1, "packed": 2}
"""Crops side by side in an image, by the names of such starts; their squares do not exceed
`CROPS_PER_IMAGE`, so that as many images as a class has can be filled."""

CANDIDATES = 300
"""Images of a class that compete with each other, as in RDED."""

Surprise = Callable[[Pixels, int], NDArray[np.float32]]
"""(images N×C×H×W, their class) → the cross-entropy of that class for each, in nats"""


class CropChoice:
    """Choose crops of the training part as starting images.

    Images of a class compete in random groups of `CANDIDATES`: the better half of each group comes
    first, the best first, group after group, and then the other halves. Only groups that are
    needed are looked at, so that what a class costs follows from the images wanted of it, not from
    those there are. Where a class has no other images left, the second-best crops of all follow.

    Args:
        images: the training part, uint8 N×C×H×W; read a few rows at a time.
        labels: int64 N.
        pack: crops side by side in each starting image.
        seed: everything random follows from it.
        surprise: asked about at most `CHUNK_IMAGES` images at once.
        on_class: called with the number of classes done and of all.

    Raises:
        RecipeError: if images have no room for pack × pack crops.
    """

    def __init__(
        self,
        images: StoredPixels,
        labels: Integers,
        pack: int,
        seed: int,
        surprise: Surprise,
        on_class: Callable[[int, int], None] = lambda done, classes: None,
    ) -> None:
        self._images, self._labels = images, labels
        self._pack, self._seed = pack, seed
        self._surprise, self._on_class = surprise, on_class
        self._height, self._width = images.shape[2:]
        check_room(self._height, self._width, pack)

    def __call__(self, counts: Integers) -> Pixels:
        """Return starting images N×C×H×W, sorted by class.

        A larger choice begins, class by class, with a smaller one.

        Args:
            counts: wanted of each class, at most as many as it has images.
        """
        each = self._pack**2
        chosen = np.empty((int(counts.sum()), *self._images.shape[1:]), dtype=np.uint8)
        done = 0
        for label, rows in enumerate(rows_of_classes(self._labels, len(counts))):
            crops = self.ranked(rows, label, int(counts[label]) * each)
            for start in range(0, len(crops), each):
                chosen[done] = self._image(crops[start : start + each])
                done += 1
            self._on_class(label + 1, len(counts))
        return chosen

    def ranked(self, rows: Integers, label: int, wanted: int) -> Integers:
        """Return the best crops of a class, the best first.

        Args:
            rows: all images of the class.
            label: the class.
            wanted: crops, at most `CROPS_PER_IMAGE` for each image.

        Returns:
            wanted × 2: the row of an image and the number of its crop.
        """
        order = at_random(rows, label, len(rows), self._seed, no_look)
        better: list[Integers] = []
        others: list[Integers] = []
        found = 0
        for start in range(0, len(order), CANDIDATES):
            if found >= wanted:
                break
            group = order[start : start + CANDIDATES]
            surprise = self._surprise_of_crops(group, label)
            by_image = np.argsort(surprise.min(axis=1), kind="stable")
            by_crop = np.argsort(surprise, axis=1, kind="stable")
            ranking = np.column_stack([group, by_crop])[by_image]
            half = (len(group) + 1) // 2
            better.append(ranking[:half])
            others.append(ranking[half:])
            found += half
        if not better:
            return np.empty((0, 2), dtype=np.int64)
        images = np.concatenate(better + others)
        numbers = images[:, 1:].T.ravel()
        return np.column_stack([np.tile(images[:, 0], CROPS_PER_IMAGE), numbers])[:wanted]

    def _surprise_of_crops(self, group: Integers, label: int) -> NDArray[np.float32]:
        """Return what networks make of all crops of some images, images × crops."""
        step = CHUNK_IMAGES // CROPS_PER_IMAGE
        parts = []
        for start in range(0, len(group), step):
            rows = group[start : start + step]
            crops = [
                as_seen(image, box, self._pack)
                for row, image in zip(rows.tolist(), self._images[rows], strict=True)
                for box in random_boxes(self._seed, row, self._height, self._width)
            ]
            parts.append(self._surprise(np.stack(crops), label))
        return np.concatenate(parts).reshape(len(group), CROPS_PER_IMAGE)

    def _image(self, crops: Integers) -> Pixels:
        """Return one starting image of pack² crops."""
        boxes = [
            random_boxes(self._seed, row, self._height, self._width)[number]
            for row, number in crops.tolist()
        ]
        return packed([self._images[row] for row in crops[:, 0]], boxes, self._pack)


def teacher_surprise(teacher: nn.Module, device: torch.device) -> Surprise:
    """Return the surprise of a teacher that gives logits of grey levels 0 … 255 on a device."""
    bfloat16 = precision.bfloat16_pays(device)

    @torch.no_grad()
    def surprise(images: Pixels, label: int) -> NDArray[np.float32]:
        with precision.autocast(device, bfloat16):
            logits = precision.looked_at(teacher, torch.from_numpy(images).to(device).float())
        own: NDArray[np.float32] = -logits.float().log_softmax(1)[:, label].cpu().numpy()
        return own

    return surprise
