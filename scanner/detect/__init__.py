"""Detect: bytes -> Observation. The only layer in which plaintext exists."""
