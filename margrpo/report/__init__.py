"""Reports of runs and evaluations, each one HTML file that needs no other."""
