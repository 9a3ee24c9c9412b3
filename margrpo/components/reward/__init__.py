"""Rewards: scores of finished images."""
