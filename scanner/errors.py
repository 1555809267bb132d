"""Ground: the exit codes and the one hierarchy of errors. Imports nothing of keywatch.

An error that a user can meet says three things: what happened, why, and what to do next. Only
`scanner.cli` prints one and turns it into an exit code; every other layer raises it.
"""

from __future__ import annotations

import enum


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


class ConfigError(KeywatchError):
    """keywatch.yaml, a rule file or a baseline says something that cannot be used."""


class OutputError(KeywatchError):
    """A report, a baseline or another result could not be written: the run's result is not lost
    silently, so it counts as incomplete."""

    exit_code = ExitCode.INCOMPLETE
