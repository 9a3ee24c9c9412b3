"""A server of rewards over HTTP, in a process of its own."""
