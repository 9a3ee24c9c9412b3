"""The run folder: the files that a run writes and reads back."""
