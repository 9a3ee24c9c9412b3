"""The interchangeable components; siblings never import one another."""
