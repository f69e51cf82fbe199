"""From a dataset and a budget to a file: phases, losses, rate control."""
