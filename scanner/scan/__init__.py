"""Use case: scan a work tree, the index, a change or a history, and judge what was found."""
