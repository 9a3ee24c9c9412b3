"""Supervised pre-training."""
