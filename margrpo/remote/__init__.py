"""Rewards that are computed or remembered elsewhere."""
