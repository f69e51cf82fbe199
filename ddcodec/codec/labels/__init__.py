"""Labels as symbols of a file: counts of classes, soft labels, a network that labels."""
