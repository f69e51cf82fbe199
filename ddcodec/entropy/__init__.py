"""Integer probabilities, exact integer layers, and the range coder."""
