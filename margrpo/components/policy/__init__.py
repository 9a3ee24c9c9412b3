"""Policies: the generators that can be trained."""
