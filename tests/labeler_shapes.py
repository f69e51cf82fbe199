"""Strategies for labelers: any layers that fit an image and each other."""

from hypothesis import strategies as st

from ddcodec.format.labeler_layers import KERNELS, LabelerLayer


@st.composite
def labeler_layers(draw: st.DrawFn, height: int, width: int) -> tuple[LabelerLayer, ...]:
    """Draw up to five small layers for images of a size."""
    layers: list[LabelerLayer] = []
    sizes: list[tuple[int, int, int]] = []
    for index in range(draw(st.integers(1, 5))):
        pooled = min(height, width) > 1 and draw(st.booleans())
        if pooled:
            height, width = height // 2, width // 2
        channels = draw(st.sampled_from([1, 3]))
        size = channels, height, width
        fitting = [index - earlier for earlier, other in enumerate(sizes) if other == size]
        skip = draw(st.sampled_from([0, *fitting]))
        layers.append(LabelerLayer(channels, draw(st.sampled_from(KERNELS)), pooled, skip))
        sizes.append(size)
    return tuple(layers)
