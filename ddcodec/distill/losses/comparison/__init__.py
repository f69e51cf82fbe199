"""Losses of other methods, for comparison."""
