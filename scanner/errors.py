"""Ground: the exit codes and the one hierarchy of errors. Imports nothing of keywatch.

An error that a user can meet says three things: what happened, why, and what to do next. Only
`scanner.cli` prints one and turns it into an exit code; every other layer raises it.
"""

from __future__ import annotations

import enum
import errno


class ExitCode(enum.IntEnum):
    """What a run's exit code says, the same for every verb and report format."""

    CLEAN = 0
    FINDINGS = 1
    USAGE = 2
    INCOMPLETE = 3
    INTERNAL = 4
    INTERRUPTED = 130


class KeywatchError(Exception):
    """Something a user can act on.

    `what` is one sentence without a full stop; `why` and `todo` may be empty. `where` is
    `file`, `file:line` or `file:line:column`, empty where no file is at fault.
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
    """The error for a file that somebody named, or that steers a run, and that cannot be read."""
    todo = _ADVICE.get(error.errno or 0, "let the user who runs keywatch read it")
    return UsageError(f"{name} cannot be read", why=error.strerror or "", todo=todo)


class ConfigError(KeywatchError):
    """keywatch.yaml, a rule file or a baseline says something that cannot be used."""


class OutputError(KeywatchError):
    """A report, a baseline or another result could not be written: the run's result is not lost
    silently, so it counts as incomplete."""

    exit_code = ExitCode.INCOMPLETE
