"""The generators that can be tuned."""
