"""Synthetic training sets as one arithmetic-coded file."""
