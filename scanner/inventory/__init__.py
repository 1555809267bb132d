"""Inventory: read metadata of live secrets. One package for each kind of backend. Never a value."""
