"""Pictures that a run draws for people."""
