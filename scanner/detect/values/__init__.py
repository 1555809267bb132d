"""Detect: decide whether a value is a secret, a reference or a placeholder."""
