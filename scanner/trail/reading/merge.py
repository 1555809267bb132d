"""Several logs as one, in the order of the events' times.

Logs of several devices repeat each other, and rotated logs follow each other. A log is opened when
its first event is due, so that a year of rotated logs takes no more memory than one.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from scanner.trail.event import Event
from scanner.trail.reading.log import Log

Item = tuple[Log, Event]


class _Waiting(NamedTuple):
    time: float
    number: int
    first: Event
    log: Log
    rest: Iterator[Event]


def merged(logs: Sequence[Log]) -> Iterator[Item]:
    """All events of all logs. Events of one log keep their order."""
    if len(logs) == 1:
        (only,) = logs
        return ((only, event) for event in only.events())
    return _merged(logs)


def _merged(logs: Sequence[Log]) -> Iterator[Item]:
    waiting = []
    for number, log in enumerate(logs):
        events = log.events()
        for event in events:
            waiting.append(_Waiting(event.time, number, event, log, events))
            break
    heapq.heapify(waiting)
    while waiting:
        first = heapq.heappop(waiting)
        until = waiting[0].time if waiting else float("inf")
        log = first.log
        for event in chain((first.first,), first.rest):
            if event.time > until:
                again = _Waiting(event.time, first.number, event, log, first.rest)
                heapq.heappush(waiting, again)
                break
            yield log, event
