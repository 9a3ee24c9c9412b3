"""Pictures of what a run made."""
