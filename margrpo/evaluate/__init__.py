"""Measurements on a policy that do not change it."""
