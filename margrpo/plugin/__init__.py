"""Plugins: kinds, hooks, built-in entries and the registry; imports no torch."""
