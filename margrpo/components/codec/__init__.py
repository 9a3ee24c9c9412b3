"""Codecs between images and tokens, one file per codec."""
