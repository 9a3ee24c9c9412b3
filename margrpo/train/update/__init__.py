"""The update: advantages in, gradient out."""
