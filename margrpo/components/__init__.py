"""The interchangeable parts; siblings never import one another."""
