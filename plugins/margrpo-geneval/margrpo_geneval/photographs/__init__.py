"""Networks for photographs, on transformers."""
