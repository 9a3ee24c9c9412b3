"""Training: the loop around roll out, judge, learn."""
