"""Inventory: what is live, as metadata. One file a backend; none of them reads a value."""
