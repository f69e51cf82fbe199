"""What a network is shown at an update: augmented and mixed images, and their targets."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ddcodec.evaluation.protocols import Protocol
from ddcodec.evaluation.students.labelled_images import LabelledImages, check_logits
from ddcodec.evaluation.students.mixing import mix, mix_singly
from ddcodec.networks import augment
from ddcodec.networks.augment import AugmentationDraw
from ddcodec.networks.jitter import jitter
from ddcodec.networks.replay import Replayed


class Views:
    """Batches of a training set as a protocol wants them.

    Args:
        training: The training set, checked; its richest labels are used where the protocol says
            so, otherwise the hard ones.
        num_classes: Classes of targets.
        protocol: The recipe.
        generator: Source of all randomness; lives on the CPU.
        device: Where images and targets are made.
    """

    def __init__(
        self,
        training: LabelledImages,
        num_classes: int,
        protocol: Protocol,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        self.images = training.normalised(device)
        self._renditions = training.renditions
        self._num_classes = num_classes
        self._protocol = protocol
        self._generator = generator
        self._labeler = training.labeler if protocol.all_labels else None
        self._label = Replayed(self._labelled, device)
        self._targets = training.labels.to(device, torch.int64)
        if protocol.all_labels and training.soft_labels is not None:
            self._targets = training.soft_labels.to(device, torch.float32)
        elif protocol.mixes:
            even = protocol.label_smoothing / num_classes
            one_hot = F.one_hot(self._targets, num_classes).float()
            self._targets = (1 - protocol.label_smoothing) * one_hot + even

    def batch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the views of some images and their targets.

        Args:
            rows: Which images, int64 B, on the CPU; each is shown in a rendition chosen at random.

        Returns:
            Normalised images, float32 B×C×H×W, and targets, int64 B or probabilities B×classes.

        Raises:
            DataError: A labeler returns something else than logits of these classes.
        """
        protocol, generator = self._protocol, self._generator
        if self._renditions > 1:
            chosen = torch.randint(self._renditions, rows.shape, generator=generator)
            rows = self._renditions * rows + chosen
        rows = rows.to(self.images.device)
        images, targets = self.images[rows], self._targets[rows]
        for operation in protocol.always:
            uniforms = augment.draw(generator, len(rows), siamese=False).uniforms
            images = augment.apply(images, AugmentationDraw(operation, uniforms))
        if protocol.singly:
            images = jitter(images, generator)
        elif protocol.augment:
            draw = augment.draw(generator, len(rows), False, protocol.operations)
            images = augment.apply(images, draw)
        if protocol.cutmix or protocol.mixup:
            how = mix_singly if protocol.singly else mix
            images, targets = how(images, targets, generator, protocol.cutmix, protocol.mixup)
        images = images.contiguous()
        return images, targets if self._labeler is None else self._label(images)

    @torch.no_grad()
    def _labelled(self, images: Tensor) -> Tensor:
        assert self._labeler is not None
        logits = self._labeler(images)
        check_logits(logits, len(images), self._num_classes)
        return logits.float().softmax(dim=1)
