"""Pools as losses use them: networks, and what each sees in real images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ddcodec.distill.trained import network_files, store
from ddcodec.distill.trained.class_statistics import frequency_table
from ddcodec.distill.trained.pools import KIND, STATISTICS, VERSION, WEIGHTS, tensor_shapes
from ddcodec.distill.trained.weights import FlatNetwork
from ddcodec.kept.state import belonging, check_shapes
from ddcodec.networks import Classifier, augment


@dataclass(frozen=True)
class PoolView:
    """A member of a pool under one of its augmentations.

    Attributes:
        network: In evaluation mode, on the pool's device.
        judge: The same network as its training ended, which is the one that knows the classes.
        augmentation: The same for every class.
        means: float32 K×D, of the embeddings of real images.
        spreads: float32 K.
        characteristic: float32 K×2×F, at `Pool.frequencies` divided by the spread.
    """

    network: Classifier
    judge: Classifier
    augmentation: augment.AugmentationDraw
    means: Tensor
    spreads: Tensor
    characteristic: Tensor


class Pool:
    """A finished pool, read from its folder.

    Args:
        folder: Made by `make_pool`.
        device: Where its networks compute.
        wanted: Facts it has to agree with, such as the fingerprint; None agrees with anything.

    Raises:
        DataError: The folder holds no complete pool, or one of other facts.
    """

    def __init__(self, folder: Path, device: torch.device, wanted: Mapping[str, Any]) -> None:
        facts = store.read_complete(folder, KIND, {"version": VERSION, **wanted})
        self.device = device
        files = [network_files.network_file(folder, number) for number in range(facts[store.COUNT])]
        self._networks = [
            network_files.load_tensors(file, (WEIGHTS, *STATISTICS)) for file in files
        ]
        with belonging(folder, KIND):
            self.mean, self.std = tuple(facts["mean"]), tuple(facts["std"])
            self._network = FlatNetwork.of_facts(facts, device)
            members = len(facts["epochs"]) + len(facts["mixes"])
            expected = tensor_shapes(
                members, facts["draws"], facts["num_classes"], self._network, facts["frequencies"]
            )
            for tensors in self._networks:
                check_shapes(tensors, expected)
            self._last_member = len(facts["epochs"]) - 1
        self._table: Tensor | None = None
        self._last: list[Classifier] = []

    @property
    def num_views(self) -> int:
        """Members times augmentations."""
        return len(self._networks) * self._networks[0]["operations"].numel()

    @property
    def frequencies(self) -> Tensor:
        """Frequency arguments, float32 F×D, for embeddings of unit spread."""
        if self._table is None:
            count = self._networks[0]["characteristic"].shape[-1]
            size = self._networks[0]["means"].shape[-1]
            self._table = frequency_table(count, size).to(self.device)
        return self._table

    def last_networks(self) -> list[Classifier]:
        """Return every network as its training ended, in evaluation mode, on the pool's device."""
        if not self._last:
            self._last = [
                self._network.classifier(tensors[WEIGHTS][self._last_member])
                for tensors in self._networks
            ]
        return self._last

    def view(self, index: int) -> PoolView:
        """Return one of `num_views`."""
        members, draws = self._networks[0]["operations"].shape
        number, rest = divmod(index, members * draws)
        member, draw = divmod(rest, draws)
        tensors = self._networks[number]
        operation = list(augment.OPERATIONS)[int(tensors["operations"][member, draw])]
        uniforms = tensors["uniforms"][member, draw][None].clone()
        statistics = (
            tensors[name][member, draw].to(self.device)
            for name in ("means", "spreads", "characteristic")
        )
        judge = network = self.last_networks()[number]
        if member != self._last_member:
            network = self._network.classifier(tensors[WEIGHTS][member])
        return PoolView(
            network,
            judge,
            augment.AugmentationDraw(operation, uniforms),
            *statistics,
        )
