"""What policies are evaluated on."""
