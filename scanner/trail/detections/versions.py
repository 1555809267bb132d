"""Reads of an older version after a new one was written."""

from __future__ import annotations

from collections.abc import Callable

from scanner.trail.detections import rules
from scanner.trail.detections.interface import Report, by
from scanner.trail.event import Action, Event

MOST_SECRETS = 100_000
"""Secrets whose newest version is known. Over it, those that were written first are forgotten."""


class Versions:
    """By secret, its newest version and when that appeared."""

    def __init__(self, overlap: Callable[[str], float], report: Report) -> None:
        self._overlap = overlap
        self._report = report
        self.newest: dict[str, tuple[int, float]] = {}

    def see(self, event: Event) -> None:
        """An event with a version, which the store carried out."""
        target, version = event.target, event.version
        known = self.newest.get(target.id)
        if known is None:
            if len(self.newest) >= MOST_SECRETS:
                for name in [*self.newest][: MOST_SECRETS // 2]:
                    del self.newest[name]
            # A version that was only read may be of any age.
            since = event.time if target.action is Action.WRITE else float("inf")
            self.newest[target.id] = (version, since)
        elif version > known[0]:
            self.newest[target.id] = (version, event.time)
        elif version < known[0] and target.action is Action.READ:
            since = known[1] + self._overlap(target.id)
            if since < event.time < float("inf"):
                detail = f"version {version} was read, the current one is {known[0]}"
                self._report(rules.OLD_VERSION, by(target, event.actor), event, detail)

    def see_previous(self, event: Event) -> None:
        """A read of the version before the current one, by its name in the store."""
        detail = "the previous version was read by its name"
        self._report(rules.OLD_VERSION, by(event.target, event.actor), event, detail)
