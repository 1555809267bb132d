"""Inventory: how a Vault is set up: who may do what, and what it logs."""
