"""What a distillation loss is and is built from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddcodec.datasets.base import Pixels, rows_of_classes
from ddcodec.errors import RecipeError
from ddcodec.ranks import ALONE, Ranks

DEFAULT_ARCH, DEFAULT_NETWORK_WIDTH = "convnet", 64

Options = TypeVar("Options")


@dataclass(frozen=True)
class LossSettings:
    """Settings every distillation loss understands.

    Attributes:
        mean: Per channel, of pixels scaled to [0, 1].
        std: Per channel, of pixels scaled to [0, 1].
        num_classes: Classes of the dataset; labels are below it.
        seed: Everything random is a function of it and of the step.
        batch_real: Real images per class and draw.
        arch: A key of `ddcodec.networks.NETWORKS`; None is that of the pool or the experts, and
            the ConvNet without either.
        network_width: Channels of the networks, a narrow one makes cheaper steps; None is that
            of the pool or the experts, and 64 without either.
        steps_per_network: Steps a network is kept; None is the loss's own choice.
        classes_per_step: Classes whose images one step uses, or None for all.
        device: Where the networks live.
        bfloat16: Compute networks in bfloat16; None does where it pays.
        pool: Folder of `ddc pool`, whose networks and statistics of the real images replace
            random networks and real batches; None for those.
        experts: Folder of `ddc experts`, for losses that follow trajectories.
        options: Settings of one loss alone, by the names of its options class.
        ranks: Processes that compute the loss with equal arguments, and may share the work; see
            `DistillationLoss.shared_by_ranks`.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    num_classes: int
    seed: int = 0
    batch_real: int = 128
    arch: str | None = None
    network_width: int | None = None
    steps_per_network: int | None = None
    classes_per_step: int | None = None
    device: str = "cpu"
    bfloat16: bool | None = None
    pool: str | None = None
    experts: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    ranks: Ranks = ALONE

    def __post_init__(self) -> None:
        """Refuse what no loss can work with.

        Raises:
            RecipeError: A count is below 1 or the seed below 0.
        """
        if self.seed < 0:
            raise RecipeError(f"seed must be at least 0, not {self.seed}.")
        counts = ("num_classes", "batch_real", "network_width", "steps_per_network")
        for name in (*counts, "classes_per_step"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise RecipeError(f"{name} must be at least 1, not {value}.")


def read_options(kind: type[Options], options: Mapping[str, Any]) -> Options:
    """Build a loss's options, a frozen dataclass of numbers, from settings by name.

    Raises:
        RecipeError: A name is unknown, or a value is no number or no whole one where it must be.
    """
    defaults = {field.name: field.default for field in fields(kind)}  # type: ignore[arg-type]
    for name, value in options.items():
        if name not in defaults:
            known = ", ".join(sorted(defaults)) or "none"
            raise RecipeError(f"Unknown option '{name}' of this loss; it has: {known}.")
        whole = isinstance(defaults[name], int)
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            what = "a whole number" if whole else "a number"
            raise RecipeError(f"The loss's option {name} must be {what}, not {value!r}.")
    return kind(**options)


@runtime_checkable
class DistillationLoss(Protocol):
    """How far the synthetic images are from teaching what the real ones teach.

    A loss that inherits from this class has to define `__call__` alone. Most losses are functions
    of their arguments and the seed. One that also remembers something from step to step, such as
    a network trained along the way, hands it out by `state_dict` and takes it back by
    `load_state_dict`: a checkpoint holds it, and a resumed run goes on as an uninterrupted one.
    """

    class_by_class: ClassVar[bool] = False
    """Whether classes are matched apart from each other: a step then takes all images of a few."""

    sees_all_images: ClassVar[bool] = False
    """Whether a step takes all images because it costs about as much as with a few."""

    shared_by_ranks: ClassVar[bool] = False
    """Whether several processes share the work; of other losses each of them does all."""

    def classes_for_step(self, step: int) -> Tensor | None:
        """Return the classes (int64, K) whose synthetic images a step wants, or None for all."""
        return None

    def __call__(self, images: Tensor, labels: Tensor, step: int) -> Tensor:
        """Compute the loss of a step; the same arguments always give the same loss.

        Args:
            images: Synthetic images, normalised float N×C×H×W; gradients flow to them.
            labels: Their classes, int64 N.
            step: Counts from 0; with the settings' seed it fixes every random choice.

        Returns:
            A scalar float32.
        """
        ...

    def parameters(self) -> Sequence[Tensor]:
        """Return leaf tensors to be optimised along with the images; gradients flow to them."""
        return ()

    def state_dict(self) -> dict[str, Tensor]:
        """Return copies of what the next step depends on beyond its arguments and the seed.

        Returns:
            Named tensors on the CPU; empty for a loss that remembers nothing.
        """
        return {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue where the loss stood that `state_dict` was called on.

        Args:
            state: From a loss built with the same data and settings.
        """


class LossBuilder(Protocol):
    """Build a loss from real data: what every class of `LOSSES` is called with."""

    def __call__(
        self,
        real_images: Pixels,
        real_labels: NDArray[np.integer],
        settings: LossSettings,
    ) -> DistillationLoss:
        """Take real images uint8 N×C×H×W and their labels N."""
        ...


def rows_by_class(labels: NDArray[np.integer], num_classes: int) -> list[Tensor]:
    """Return for every class the rows (int64) of its images.

    Raises:
        DataError: A label is out of range.
    """
    rows = rows_of_classes(labels.astype(np.int64), num_classes)
    return [torch.from_numpy(members) for members in rows]
