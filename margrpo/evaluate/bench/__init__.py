"""The cost of the parts of a training step on this machine, for `margrpo bench`."""
