"""Executors: how each kind of secret is rotated. Values exist only in the memory of these modules."""
