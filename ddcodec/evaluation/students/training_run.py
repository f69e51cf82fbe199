"""One network in training: an update at a time, and all that the next one depends on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ddcodec import networks
from ddcodec.evaluation.protocols import Protocol
from ddcodec.evaluation.students.gradients import (
    TrainingOptions,
    add_gradients,
    compiled_where_it_pays,
    loss_function,
)
from ddcodec.evaluation.students.labelled_images import LabelledImages
from ddcodec.evaluation.students.optimisers import adamw_of, build_optimisers, learning_rate
from ddcodec.evaluation.students.stage_matching import StageMatching
from ddcodec.evaluation.students.unfinished import State
from ddcodec.evaluation.students.views import Views
from ddcodec.kept.state import check_rows, checked_count, checked_threads, restore_optimiser
from ddcodec.networks import Classifier
from ddcodec.networks.replay import Rate, Replayed


class TrainingRun:
    """A network with its optimisers and its order of images.

    Torch's own random state is part of the run: it is to be the seed's when the run is made, and
    nothing else may draw from it between updates.

    Args:
        training: Checked.
        num_classes: Outputs of the network.
        protocol: The recipe.
        seed: Fixes initial weights, order of images and augmentations.
        arch: A name that `ddcodec.networks.parse_arch` knows.
        options: How to compute.

    Raises:
        RecipeError: The architecture is unknown or does not fit the images.
    """

    def __init__(
        self,
        training: LabelledImages,
        num_classes: int,
        protocol: Protocol,
        seed: int,
        arch: str,
        options: TrainingOptions,
    ) -> None:
        device = torch.device(options.device)
        matched = protocol.all_labels and protocol.stage_weight > 0
        stages = training.stages if matched else None
        shown = training if stages is None else replace(training, labeler=None)
        self._protocol = protocol
        self._generator = _generator(seed)
        self._views = Views(shown, num_classes, protocol, self._generator, device)
        N, (C, H, W) = training.num_images, self._views.images.shape[1:]
        width = protocol.network_width
        network = networks.build(arch, (C, H, W), num_classes, seed=seed, network_width=width)
        self.network = network.to(device).train()
        self._optimisers = [*build_optimisers(self.network, protocol)]
        self.updates = protocol.total_updates(N)
        self.done = 0
        self._order = BatchOrder(N, protocol, self._generator)
        squares = H * W / 32**2
        images_in_all = self.updates * min(N, protocol.batch_size) * squares
        self._trained: list[torch.nn.Module] = [self.network]
        self._matching: StageMatching | None = None
        if stages is None:
            self._loss_of = loss_function(options, images_in_all)
        else:
            self._matching = StageMatching(
                self.network,
                stages,
                self._views.images,
                protocol.stage_weight,
                options.computes_in_bfloat16,
                lambda loss: compiled_where_it_pays(loss, options, images_in_all),
            )
            self._loss_of = self._matching.loss
            self._optimisers.append(adamw_of(self._matching.parameters(), protocol))
            self._trained.append(self._matching)
        self._rate = Rate(device if device.type == "cuda" else None)
        self._learn = Replayed(self._updated, device)

    def update(self) -> Tensor:
        """Make the next update; return its loss, which the one after it may overwrite.

        Raises:
            DataError: A labeler returns something else than logits of these classes.
        """
        images, targets = self._views.batch(self._order.next_rows())
        rate = learning_rate(self._protocol, self.done, self.updates)
        for optimiser in self._optimisers:
            self._rate.set(optimiser, rate)
        loss = self._learn(images, targets)
        self.done += 1
        return loss

    def _updated(self, images: Tensor, targets: Tensor) -> Tensor:
        for optimiser in self._optimisers:
            optimiser.zero_grad()
        loss = add_gradients(self._loss_of, self.network, images, targets)
        for optimiser in self._optimisers:
            optimiser.step()
        return loss

    def finished_network(self) -> Classifier:
        """Return the network in evaluation mode; the run cannot go on."""
        if self._matching is not None:
            self._matching.close()
        return self.network.eval()

    def state(self) -> State:
        """Return all that the next update depends on; its tensors are the run's own."""
        on_cuda = self._views.images.is_cuda
        return {
            "done": self.done,
            "threads": torch.get_num_threads(),
            "trained": [module.state_dict() for module in self._trained],
            "optimisers": [optimiser.state_dict() for optimiser in self._optimisers],
            "pending": self._order.pending.clone(),
            "generator": self._generator.get_state(),
            "torch_random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state() if on_cuda else None,
        }

    def restore(self, state: State) -> None:
        """Go on from the state of a run with the same arguments, by as many threads.

        Something is raised, a ValueError or what torch raises, for a state that does not fit.
        """
        # Sums that are split among other threads round differently.
        torch.set_num_threads(checked_threads(state["threads"]))
        for module, values in zip(self._trained, state["trained"], strict=True):
            module.load_state_dict(values)
        for optimiser, values in zip(self._optimisers, state["optimisers"], strict=True):
            restore_optimiser(optimiser, values)
        self._order.restore(state["pending"])
        self._generator.set_state(state["generator"])
        torch.set_rng_state(state["torch_random"])
        if state["cuda_random"] is not None and self._views.images.is_cuda:
            torch.cuda.set_rng_state(state["cuda_random"])
        self.done = checked_count(state["done"], most=self.updates)


class BatchOrder:
    """The rows of every batch of a run; see `Protocol` for the two ways.

    Attributes:
        pending: Rows that have been shuffled and not yet shown.
    """

    def __init__(self, num_images: int, protocol: Protocol, generator: torch.Generator) -> None:
        self._num_images, self._generator = num_images, generator
        self._size = min(protocol.batch_size, num_images)
        self._by_epochs = protocol.epochs is not None
        self.pending = torch.empty(0, dtype=torch.int64)

    def restore(self, pending: Tensor) -> None:
        """Take over rows; raises ValueError for those of another training set."""
        check_rows(pending, self._num_images)
        self.pending = pending

    def next_rows(self) -> Tensor:
        """Return the rows of the next batch."""
        if len(self.pending) < (1 if self._by_epochs else self._size):
            shuffled = torch.randperm(self._num_images, generator=self._generator)
            self.pending = torch.cat([self.pending, shuffled])
        rows, self.pending = self.pending[: self._size], self.pending[self._size :]
        return rows


def _generator(seed: int) -> torch.Generator:
    # Not the seed itself, which already fixes the weights: the two streams are to be unrelated.
    state = np.random.SeedSequence([seed, 1]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]) >> 1)
