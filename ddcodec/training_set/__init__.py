"""The training set inside a file, for whoever trains on it."""

from ddcodec.training_set.training_set import StudentRecipe, TrainingSet, load

__all__ = ["StudentRecipe", "TrainingSet", "load"]
