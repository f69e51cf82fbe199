"""Other ways to make a file, for comparison: gradients through rounding, and plain pixels."""
