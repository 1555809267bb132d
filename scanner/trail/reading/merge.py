"""Several logs as one, in the order of the events' times.

Logs of several devices repeat each other, and rotated logs follow each other. A log is opened when
its first event is due, so that a year of rotated logs takes no more memory than one.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from scanner.trail.reading.log import Log, Placed

Item = tuple[Log, Placed]


class _Waiting(NamedTuple):
    time: float
    number: int
    first: Placed
    log: Log
    rest: Iterator[Placed]


def merged(logs: Sequence[Log]) -> Iterator[Item]:
    """All events of all logs. Events of one log keep their order."""
    waiting = []
    for number, log in enumerate(logs):
        events = log.events()
        for placed in events:
            waiting.append(_Waiting(placed.event.time, number, placed, log, events))
            break
    heapq.heapify(waiting)
    while waiting:
        first = heapq.heappop(waiting)
        until = waiting[0].time if waiting else float("inf")
        log = first.log
        for placed in chain((first.first,), first.rest):
            time = placed.event.time
            if time > until:
                again = _Waiting(time, first.number, placed, log, first.rest)
                heapq.heappush(waiting, again)
                break
            yield log, placed
