"""The cost of a step, computed from the recipe alone."""
