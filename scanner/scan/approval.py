"""Read the exceptions that somebody approved for a change, from outside of the change."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from scanner.configuration import repository
from scanner.errors import UsageError
from scanner.inputs.git import commands
from scanner.scan import commits

if TYPE_CHECKING:
    from scanner.console import Console
    from scanner.policy.exceptions.allow_entries import AllowEntry


def approved(given: str, config_path: str, root: str, console: Console) -> tuple[AllowEntry, ...]:
    """The `allow` entries of a commit, or of a file outside the repository.

    UsageError if `given` is neither. A file in the repository could come from the change itself.
    """
    oid = commands.objects(root).commit(given)
    if oid is not None:
        data = commits.at(root, oid).control(config_path or repository.NAME)
        return repository.load(data, f"{config_path} of {given}", None).allow
    path = os.path.realpath(os.path.join(console.cwd, given))
    if not os.path.isfile(path):
        raise UsageError(
            f"--approve {given} is neither a commit nor a file",
            todo="pass the commit that was approved, or a file with the approved `allow:` entries",
        )
    if os.path.commonpath((path, os.path.realpath(root))) == os.path.realpath(root):
        raise UsageError(
            f"--approve {given} is a file of the scanned repository",
            why="the change itself could have written it",
            todo="keep the file outside, or name the commit that was approved",
        )
    return repository.load(console.file(given), given, None).allow
