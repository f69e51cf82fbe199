"""The version of the package, which files of runs and records name."""

__version__ = "0.1.0"
