"""Files of weights: from a checkpoint's name to tensors in a module, and back to a file."""
