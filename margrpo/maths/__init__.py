"""Pure functions: tensors in, tensors out; no state, no settings."""
