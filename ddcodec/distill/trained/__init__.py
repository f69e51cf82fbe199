"""Networks trained on real images beforehand: pools, experts, and how they are kept."""
