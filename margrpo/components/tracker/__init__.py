"""Trackers: places that the figures of a run are written to."""
