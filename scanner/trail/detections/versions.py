"""Reads of an older version after a new one was written."""

from __future__ import annotations

from collections.abc import Callable

from scanner.trail.detections import rules
from scanner.trail.detections.interface import Report, by
from scanner.trail.event import Action, Event

MOST_SECRETS = 100_000
"""Secrets whose newest version is known. Over it, those that were written first are forgotten."""


class Newest:
    """The newest version of a secret, and when it appeared."""

    __slots__ = ("since", "version")

    def __init__(self, version: int, since: float) -> None:
        self.version = version
        self.since = since


class Versions:
    """What is known of the versions of each secret."""

    def __init__(
        self, overlap: Callable[[str], float], report: Report, forgot: Callable[[], None]
    ) -> None:
        self._overlap = overlap
        self._report = report
        self._forgot = forgot
        self.secrets: dict[str, Newest] = {}

    def of(self, name: str) -> Newest:
        """What is known of a secret. Version 0: nothing."""
        known = self.secrets.get(name)
        if known is None:
            if len(self.secrets) >= MOST_SECRETS:
                for each in [*self.secrets][: MOST_SECRETS // 2]:
                    del self.secrets[each]
                self._forgot()
            known = self.secrets[name] = Newest(0, float("inf"))
        return known

    def see(self, newest: Newest, event: Event) -> None:
        """An event with another version than the newest one, which the store carried out."""
        target, version = event.target, event.version
        if version > newest.version:
            # A version that is the first one seen, and was only read, may be of any age.
            is_dated = newest.version or target.action is Action.WRITE
            newest.version = version
            newest.since = event.time if is_dated else float("inf")
        elif target.action is Action.READ:
            since = newest.since + self._overlap(target.id)
            if since < event.time < float("inf"):
                detail = f"version {version} was read, the current one is {newest.version}"
                self._report(rules.OLD_VERSION, by(target, event.actor), event, detail)

    def see_previous(self, event: Event) -> None:
        """A read of the version before the current one, by its name in the store."""
        detail = "the previous version was read by its name"
        self._report(rules.OLD_VERSION, by(event.target, event.actor), event, detail)
