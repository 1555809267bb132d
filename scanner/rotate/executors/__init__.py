"""Executors: how each kind of secret is rotated. Values exist only in memory, only here."""
