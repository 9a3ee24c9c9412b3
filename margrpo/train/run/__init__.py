"""The run folder: everything that a run writes into it and reads back."""
