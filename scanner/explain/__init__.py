"""Use case: explain why a line was reported or ignored."""
