"""Recipes by which a training set is judged; every accuracy is printed with its recipe's name."""

from dataclasses import dataclass

from ddcodec.errors import RecipeError


@dataclass(frozen=True)
class Protocol:
    """How networks are trained on a training set.

    SGD with momentum on hard labels; the learning rate is multiplied by 0.1 at half the updates.
    Exactly one of `epochs` and `updates` is set. Epochs run over the shuffled set with a smaller
    last batch, as the field does; a number of updates takes full batches from shuffles strung
    together, so that every batch has the same shape.

    Attributes:
        name: Key in `PROTOCOLS`, printed with results.
        epochs: Passes over the training set, or None.
        updates: Optimiser steps, or None.
        batch_size: Images per step; a smaller set is one batch.
        learning_rate: Of the first half.
        momentum: Of SGD.
        weight_decay: Of SGD, on all weights.
        network_width: Channels of the networks' convolutions.
        networks: Networks trained where no seeds are given.
        augment: Whether DSA is applied, one operation per batch and parameters per image.
    """

    name: str
    epochs: int | None = None
    updates: int | None = None
    batch_size: int = 256
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 5e-4
    network_width: int = 128
    networks: int = 5
    augment: bool = True

    def __post_init__(self) -> None:
        """Refuse contradictions.

        Raises:
            RecipeError: Not exactly one of epochs and updates is set, or a count is below 1.
        """
        if (self.epochs is None) == (self.updates is None):
            raise RecipeError(f"Protocol '{self.name}' needs either epochs or updates.")
        counts = (self.epochs or self.updates or 0, self.batch_size, self.networks)
        if min(counts) < 1:
            raise RecipeError(f"Protocol '{self.name}' has a count below 1.")

    def total_updates(self, num_images: int) -> int:
        """Return the optimiser steps on a set of `num_images`."""
        if self.updates is not None:
            return self.updates
        return (self.epochs or 0) * -(-num_images // self.batch_size)

    def total_epochs(self, num_images: int) -> float:
        """Return how often each image is seen on average."""
        if self.epochs is not None:
            return float(self.epochs)
        return (self.updates or 0) * min(self.batch_size, num_images) / num_images


PROTOCOLS: dict[str, Protocol] = {
    # The protocol of DC, DSA, DM and MTT (Zhao et al. 2021–2023, Cazenavette et al. 2022).
    "standard": Protocol("standard", epochs=1000),
    # The same recipe cut short, for work on a CPU.
    "quick": Protocol("quick", updates=2000, batch_size=64),
    # Shorter still: tells whether a file teaches at all, for demonstrations.
    "glance": Protocol("glance", updates=500, batch_size=64, networks=1),
}
