"""Detect: run the exact rule at each candidate and turn matches into masked observations."""
