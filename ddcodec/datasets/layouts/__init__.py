"""Which images of a tree are of which split and class, by its folders or by lists of labels."""
