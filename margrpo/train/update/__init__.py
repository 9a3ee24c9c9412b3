"""The update: from advantages to a gradient."""
