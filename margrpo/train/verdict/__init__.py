"""The verdict: from images to advantages."""
