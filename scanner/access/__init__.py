"""Use case: who can read which secret, and whether that is more than it needs."""
