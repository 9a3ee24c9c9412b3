"""Supervised pre-training of a policy."""
