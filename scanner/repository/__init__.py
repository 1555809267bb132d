"""Use case: read and check what a repository declares about its secrets."""
