"""The rollout: from prompts to images and their record."""
