"""A live log: what is in it, and what is written to it later, across its rotation."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from scanner.trail.event import Event
from scanner.trail.reading.log import Log

PAUSE = 0.5
"""Seconds between two looks at the file."""


def followed(
    log: Log, reopen: Callable[[], Log | None], sleep: Callable[[float], None]
) -> Iterator[tuple[Log, Event]]:
    """The events of a log, and those that are added, without an end.

    A log that was renamed, or cut to a shorter length, is read to its end and then opened anew.
    """
    while True:
        log.stream.look_again()
        for event in log.events(to_end=False):
            yield log, event
        other = reopen()
        if other is not None and _is_another(log, other):
            for event in log.events():
                yield log, event
            log.stream.close()
            log = other
            continue
        if other is not None:
            other.stream.close()
        sleep(PAUSE)


def _is_another(log: Log, other: Log) -> bool:
    """Is it another file now, or the same one cut short?"""
    before, now = os.fstat(log.stream.descriptor), os.fstat(other.stream.descriptor)
    if (before.st_dev, before.st_ino) != (now.st_dev, now.st_ino):
        return True
    return not log.stream.is_compressed and now.st_size < log.lines.offset
