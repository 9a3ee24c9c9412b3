"""The verdict: images in, advantages out."""
