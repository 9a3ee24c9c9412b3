"""What a step will cost, told from the recipe alone."""
