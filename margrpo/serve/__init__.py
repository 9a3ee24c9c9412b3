"""Rewards in a process of their own."""
