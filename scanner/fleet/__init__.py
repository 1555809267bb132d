"""Scan the repositories and audit the stores of an organisation, on a distributed engine."""
