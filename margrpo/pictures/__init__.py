"""What a run draws for people."""
