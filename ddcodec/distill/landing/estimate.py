"""The training-time rate of a finished file, to be held against its real size."""

from __future__ import annotations

import numpy as np
import torch

from ddcodec.codec.labels.class_counts import labels_of
from ddcodec.codec.parameters import coded_bits, estimate_rate_bits
from ddcodec.codec.stream import Content
from ddcodec.distill.labels.soft_targets import soft_label_bits
from ddcodec.distill.latents.representation import quantised_parameters
from ddcodec.distill.running.run import Run
from ddcodec.format.container import pack_container


def label_bits(content: Content) -> float:
    """Return what soft labels or a labeler cost, from the coder's own tables."""
    if content.soft_labels is not None:
        return soft_label_bits(content.soft_labels, labels_of(content.class_counts))
    return sum(coded_bits(tensor) for tensor in (content.labeler or {}).values())


def estimated_file_bytes(run: Run, content: Content) -> float:
    """Return the float rate of latents and weights plus the exact header and details, in bytes."""
    representation, header = run.representation, run.header
    networks = [quantised_parameters(own, representation.device) for own in content.networks]
    latents = torch.empty_like(representation.latents)
    for set_index, planes in enumerate(content.latents):
        rows = np.concatenate([plane.reshape(len(plane), -1) for plane in planes], axis=1)
        members = representation.image_sets == set_index
        latents[members] = torch.from_numpy(rows.astype(np.float32)).to(latents.device)
    bits = run.estimated_latent_bits(latents, networks)
    for tensors, parameters in zip(content.networks, networks, strict=True):
        for name, tensor in tensors.items():
            bits += float(estimate_rate_bits(parameters[name], tensor.step_exponent))
    bits += label_bits(content)
    counts = 1.0
    if len(set(content.class_counts.tolist())) > 1:
        counts += header.num_classes * np.log2(header.num_images + 1)
    if header.num_sets < header.num_classes:
        counts += header.num_classes * np.log2(header.num_sets)
    names = sum(5 * (len(name) + 1) for name in content.class_names or ())
    return float(bits + counts + names) / 8 + len(pack_container(header, b"", 0))
