"""Policy: checks of the repository's own files: rotation scripts, hooks, CI jobs."""
