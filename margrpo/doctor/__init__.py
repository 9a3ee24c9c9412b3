"""Checks that this machine, its plugins and a recipe are fit for a run."""
