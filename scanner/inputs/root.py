"""Find the repository that paths belong to."""

from __future__ import annotations

import os
from collections.abc import Sequence

from scanner.errors import UsageError
from scanner.inputs.git import commands


def root_of(paths: Sequence[str], cwd: str) -> str:
    """The repository that holds all paths, or else their common folder.

    UsageError if the paths are in different repositories."""
    folders = [
        p if os.path.isdir(p) else os.path.dirname(p) for p in paths or [os.path.realpath(cwd)]
    ]
    tops = {commands.top_of(folder) for folder in folders}
    if len(tops) > 1:
        raise UsageError(
            "the paths are in different repositories",
            why="each has its own policy and baseline",
            todo="scan one repository at a time",
        )
    return tops.pop() or os.path.commonpath(folders)


def path_to_root(cwd: str, root: str) -> str:
    """The path from the current folder to the root: "" or a path that ends with a slash."""
    path = os.path.relpath(root, os.path.realpath(cwd)).replace(os.sep, "/")
    return "" if path == "." else path + "/"
