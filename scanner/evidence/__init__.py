"""Use case: keep evidence of what was checked in an append-only ledger, and verify it."""
