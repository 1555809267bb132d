"""Detect: find secrets in bytes. Plaintext secrets exist only in this package."""
