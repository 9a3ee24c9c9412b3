"""nn.Modules that know nothing of reinforcement learning; importing them loads torch."""
