"""The exit codes and the hierarchy of errors. Imports nothing of keywatch.

An error that a user can meet says three things: what happened, why, and what to do next. Only
`scanner.cli` prints one and turns it into an exit code; every other layer raises it.
"""

from __future__ import annotations

import enum
import errno


class ExitCode(enum.IntEnum):
    """The exit codes, the same for every command and report format."""

    CLEAN = 0
    FINDINGS = 1
    USAGE = 2
    INCOMPLETE = 3
    INTERNAL = 4
    INTERRUPTED = 130


class KeywatchError(Exception):
    """Something a user can act on.

    `what` is one sentence without a full stop; `why` and `todo` may be empty. `where` is
    `file`, `file:line` or `file:line:column`, or "" if no file is at fault.
    """

    exit_code = ExitCode.USAGE

    def __init__(self, what: str, *, why: str = "", todo: str = "", where: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.todo = todo
        self.where = where


class UsageError(KeywatchError):
    """The command line asks for something that cannot be done."""


_ADVICE = {
    errno.ENOENT: "check the path",
    errno.EISDIR: "put a file in the folder's place, or name another path",
}


def unreadable(name: str, error: OSError) -> UsageError:
    """The error for a named file, or a file that controls the run, that cannot be read."""
    todo = _ADVICE.get(error.errno or 0, "let the user who runs keywatch read it")
    return UsageError(f"{name} cannot be read", why=error.strerror or "", todo=todo)


class ConfigError(KeywatchError):
    """keywatch.yaml, a rule file or a baseline is invalid."""


class OutputError(KeywatchError):
    """A report, a baseline or another result could not be written, so the run is incomplete."""

    exit_code = ExitCode.INCOMPLETE
