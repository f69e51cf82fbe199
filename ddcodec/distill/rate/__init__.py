"""The budget: how it is shared out, and the multiplier that keeps to it."""
