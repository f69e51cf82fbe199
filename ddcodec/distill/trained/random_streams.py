"""Random streams by purpose, so that a run can be resumed at any step."""

import numpy as np
import torch


def derived_seed(seed: int, *purpose: int) -> int:
    """Return a seed in 0 … 2^63 − 1 that is unrelated to those of other purposes."""
    state = np.random.SeedSequence([seed, *purpose]).generate_state(1, np.uint64)
    # manual_seed takes signed integers.
    return int(state[0]) >> 1


def random_stream(seed: int, *purpose: int) -> torch.Generator:
    """Return a generator on the CPU that depends on the arguments only."""
    return torch.Generator().manual_seed(derived_seed(seed, *purpose))


def normal_table(seed: int, *shape: int) -> torch.Tensor:
    """Return standard normal numbers, float32 of a shape, the same for every library release.

    Torch and NumPy are free to change what their generators return; the words of PCG64 are not.
    """
    count = int(np.prod(shape))
    words = np.random.PCG64([seed]).random_raw(2 * count)
    uniforms = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
    radius = np.sqrt(-2.0 * np.log1p(-uniforms[:count]))  # Box and Muller, 1958
    normal = radius * np.cos(2.0 * np.pi * uniforms[count:])
    return torch.from_numpy(normal.astype(np.float32)).reshape(shape)
