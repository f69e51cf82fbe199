"""THE walk over all symbols of a file, the same for writing, reading and inspecting.

Order: details (class counts, names, assignment of classes to network sets) → network sets → soft
labels or labeler → latents, set by set, coarse planes first (docs/format.md, section 4).
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ddcodec.codec.context.context import ContextModel
from ddcodec.codec.labels.class_counts import code_class_counts, code_class_names, labels_of
from ddcodec.codec.labels.soft_labels import SoftLabels, code_soft_labels
from ddcodec.codec.latents import LatentCoder, PlaneArray
from ddcodec.codec.parameters import NetworkTensors, code_tensor
from ddcodec.codec.synthesis import Synthesis, build_synthesis
from ddcodec.entropy.laplace import LaplaceModel
from ddcodec.entropy.range_coder import Coder
from ddcodec.format.header import LABEL_MODE_SOFT, Header


@dataclass(frozen=True)
class Content:
    """Everything the payload carries.

    Attributes:
        class_counts: images per class, int64.
        class_names: names, or None where they are not kept.
        class_sets: network set of each class, int64.
        networks: quantised tensors of each set.
        latents: per set, per plane (finest first), N × h × w int16; images sorted by class.
        soft_labels: logits of every image, in that label mode.
        labeler: tensors of the labeler, in that label mode.
    """

    class_counts: NDArray[np.int64]
    class_names: tuple[str, ...] | None
    class_sets: NDArray[np.int64]
    networks: tuple[NetworkTensors, ...]
    latents: tuple[list[PlaneArray], ...]
    soft_labels: SoftLabels | None = None
    labeler: NetworkTensors | None = None


@dataclass
class Sections:
    """Information content of each part of the payload, in bits, in the order of the file."""

    bits: dict[str, float] = field(default_factory=dict)
    _seen: float = 0.0

    def close(self, name: str, coder: Coder) -> None:
        """Count everything coded since the last call under this name."""
        self.bits[name] = self.bits.get(name, 0.0) + coder.bits - self._seen
        self._seen = coder.bits


def context_of(header: Header) -> ContextModel:
    """Return the context model a header names."""
    return ContextModel(
        header.context_id, header.context_width, header.context_depth, header.planes
    )


def synthesis_of(header: Header) -> Synthesis:
    """Return the decoder a header names."""
    return build_synthesis(
        header.synthesis_id,
        header.num_levels,
        header.synthesis_widths,
        (header.channels, header.height, header.width),
    )


def walk(
    coder: Coder, header: Header, content: Content | None, sections: Sections | None = None
) -> Content:
    """Code a whole payload in either direction.

    Args:
        coder: an encoder, or a decoder of the payload.
        header: the fixed facts.
        content: what to write when encoding; None when decoding.
        sections: if given, receives the bits of every part.

    Returns:
        The content, as written or as read.

    Raises:
        FormatError: if what is read is not a valid payload.
    """
    sections = sections or Sections()
    shared = walk_shared(coder, header, content, sections)
    latents = walk_latents(coder, header, shared, content, sections, header.num_sets)
    return replace(shared, latents=latents)


def walk_shared(
    coder: Coder, header: Header, content: Content | None, sections: Sections
) -> Content:
    """Code what comes before all latents, in either direction; see `walk`.

    Returns:
        The content without latents.
    """
    counts = code_class_counts(
        coder, content.class_counts if content else None, header.num_classes, header.num_images
    )
    sections.close("labels", coder)
    names = None
    if header.has_class_names:
        names = code_class_names(
            coder, content.class_names if content else None, header.num_classes
        )
        sections.close("class names", coder)
    class_sets = _code_class_sets(coder, content.class_sets if content else None, header)
    sections.close("labels", coder)
    networks = tuple(
        _code_networks(coder, header, content.networks[index] if content else None, sections)
        for index in range(header.num_sets)
    )
    soft = _code_soft_labels(coder, header, content, counts, sections)
    labeler = _code_labeler(coder, header, content, sections)
    return Content(counts, names, class_sets, networks, (), soft, labeler)


def walk_latents(
    coder: Coder,
    header: Header,
    shared: Content,
    content: Content | None,
    sections: Sections,
    num_sets: int,
) -> tuple[list[PlaneArray], ...]:
    """Code the latents of the first sets, in either direction; see `walk`.

    Args:
        coder: after `walk_shared`.
        header: the fixed facts.
        shared: what `walk_shared` returned.
        content: what to write when encoding; None when decoding.
        sections: receives the bits of every part.
        num_sets: how many sets.

    Returns:
        Latents of all sets; of those that were left out, of no image.
    """
    set_images = np.bincount(
        shared.class_sets, weights=shared.class_counts, minlength=header.num_sets
    )
    return tuple(
        _code_latents(
            coder,
            header,
            shared.networks[index],
            int(set_images[index]) if index < num_sets else 0,
            content.latents[index] if content else None,
            sections,
        )
        for index in range(header.num_sets)
    )


def _code_class_sets(
    coder: Coder, class_sets: NDArray[np.int64] | None, header: Header
) -> NDArray[np.int64]:
    if header.num_sets == header.num_classes:
        return np.arange(header.num_classes, dtype=np.int64)
    return coder.uniform(class_sets, header.num_sets, header.num_classes)


def _code_soft_labels(
    coder: Coder,
    header: Header,
    content: Content | None,
    counts: NDArray[np.int64],
    sections: Sections,
) -> SoftLabels | None:
    if header.label_mode != LABEL_MODE_SOFT:
        return None
    known = content.soft_labels if content else None
    soft = code_soft_labels(coder, known, labels_of(counts), header.num_classes)
    sections.close("labels", coder)
    return soft


def _code_labeler(
    coder: Coder, header: Header, content: Content | None, sections: Sections
) -> NetworkTensors | None:
    if header.labeler is None:
        return None
    known = content.labeler if content else None
    coded = {
        name: code_tensor(coder, known[name] if known else None, shape)
        for name, shape in header.labeler.tensor_shapes().items()
    }
    sections.close("labeler", coder)
    return coded


def _code_networks(
    coder: Coder, header: Header, tensors: NetworkTensors | None, sections: Sections
) -> NetworkTensors:
    shapes = context_of(header).tensor_shapes() | synthesis_of(header).tensor_shapes()
    coded = {}
    for name, shape in shapes.items():
        tensor = tensors[name] if tensors else None
        coded[name] = code_tensor(coder, tensor, shape)
        sections.close(name.split(".")[0], coder)
    return coded


def _code_latents(
    coder: Coder,
    header: Header,
    tensors: NetworkTensors,
    num_images: int,
    latents: list[PlaneArray] | None,
    sections: Sections,
) -> list[PlaneArray]:
    if num_images == 0:
        return [np.zeros((0, plane.rows, plane.columns), np.int16) for plane in header.planes]
    context = context_of(header)
    latent_coder = LatentCoder(context, context.exact(tensors), LaplaceModel(), num_images)
    coded: list[PlaneArray] = []
    for number in reversed(range(len(header.planes))):
        coded.append(latent_coder.code(coder, number, latents[number] if latents else None))
        sections.close(header.planes[number].name, coder)
    return coded[::-1]
