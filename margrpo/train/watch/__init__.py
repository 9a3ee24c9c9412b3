"""Measurements of the policy; nothing here changes it."""
