"""Worlds: small sources of images, captions and exact scores."""
