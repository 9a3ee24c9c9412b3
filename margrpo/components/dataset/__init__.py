"""Images with prompts, for pre-training."""
