"""Datasets of images with prompts, for pre-training."""
