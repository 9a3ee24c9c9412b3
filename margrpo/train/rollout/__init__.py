"""The rollout: prompts in, images and their record out."""
