"""Several logs as one, in the order of the events' times.

Logs of several devices repeat each other, and rotated logs follow each other. A log is opened when
its first event is due, so that a year of rotated logs takes no more memory than one.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from scanner.trail.event import Event
from scanner.trail.reading.log import Log

Item = tuple[Log, Event]


class Opener(NamedTuple):
    """A log that is not open yet, and the time of its first event."""

    start: float
    open: Callable[[], Log]


class _Waiting(NamedTuple):
    """A log in the queue. `number` keeps the order of logs with equal times."""

    time: float
    number: int
    log: Log | None
    events: Iterator[Event]


def merged(openers: Sequence[Opener]) -> Iterator[Item]:
    """All events of all logs. Events of one log keep their order."""
    waiting = [_Waiting(each.start, n, None, iter(())) for n, each in enumerate(openers)]
    heapq.heapify(waiting)
    while waiting:
        _, number, log, events = heapq.heappop(waiting)
        until = waiting[0].time if waiting else float("inf")
        if log is None:
            log = openers[number].open()
            events = log.events()
        for event in events:
            if event.time > until:
                again = _Waiting(event.time, number, log, chain((event,), events))
                heapq.heappush(waiting, again)
                break
            yield log, event
