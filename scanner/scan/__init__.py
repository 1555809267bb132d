"""Use case: scan a working tree, the index, a change or a history, and judge what was found."""
