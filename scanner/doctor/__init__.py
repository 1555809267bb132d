"""Use case: check that keywatch has everything it needs."""
