"""A run on one or several processes."""
