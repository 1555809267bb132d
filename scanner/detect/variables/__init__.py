"""Detect: names of variables that files use or declare."""
