"""The command line; torch is imported inside commands only."""

from margrpo.cli.app import app, main

__all__ = ["app", "main"]
