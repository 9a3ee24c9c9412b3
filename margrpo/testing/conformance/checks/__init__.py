"""What the components of each kind promise, each promise a function that raises where it is broken."""
