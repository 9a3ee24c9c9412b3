"""Measurements on a policy that leave it as it is."""
