"""What the parts of a training step cost on this machine."""
