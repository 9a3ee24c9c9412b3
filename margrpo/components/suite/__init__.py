"""Suites: benchmarks that policies are evaluated on."""
