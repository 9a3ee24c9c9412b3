"""The loops: roll out, judge, learn."""
