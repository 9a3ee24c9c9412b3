"""Rewards that a server computes or a cache remembers."""
