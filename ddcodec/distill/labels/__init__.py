"""Labelers: tiny classifiers in the file, and the teachers they learn from."""
