"""Between images and tokens: one file per codec."""
