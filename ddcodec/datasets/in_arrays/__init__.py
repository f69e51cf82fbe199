"""Images in arrays: in memory, in `.npz` and `.pt`."""
