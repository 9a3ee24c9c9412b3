"""Measurements of the policy, which do not change it."""
