"""Networks trained on a training set."""
