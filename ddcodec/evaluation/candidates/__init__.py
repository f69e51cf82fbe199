"""What can be judged: a `.ddc`, images, arrays."""
