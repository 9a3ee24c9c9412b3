"""How components come in: kinds, the hooks, our own entries and the registry; imports no torch."""
