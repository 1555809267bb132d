"""Policy: which service used which secret.

It is read from lines of a Vault audit log, or from what `keywatch trail --last-used` wrote.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from scanner.policy.access.patterns import Paths
from scanner.policy.access.review import Subject, Used
from scanner.policy.access.secrets import Secret
from scanner.policy.declarations import secret_ids
from scanner.policy.live.last_used import LastUsed

_MAX_LINE = 1_000_000
_OPERATIONS = {"read": "read", "create": "create", "update": "update", "patch": "patch"}


class Usage:
    """Collects uses. A use counts for the services whose role the caller has."""

    def __init__(self, subjects: Iterable[Subject], secrets: Iterable[Secret]) -> None:
        self.invalid = 0
        self._days: dict[tuple[str, str], str] = {}
        self._complete = True
        self._services: dict[str, list[str]] = defaultdict(list)
        self._names: set[str] = set()
        for subject in subjects:
            self._names.add(subject.name)
            if subject.role:
                self._services[subject.role].append(subject.name)
        secrets = [*secrets]
        self._ids: dict[str, list[tuple[str, secret_ids.Pattern]]] = defaultdict(list)
        for secret in secrets:
            self._ids[_last_part(secret.id)].append((secret.id, secret_ids.pattern(secret.id)))
        self._paths = Paths(
            (path, (secret.id, actions)) for secret in secrets for path, actions in secret.endpoints
        )

    @property
    def used(self) -> Used:
        return Used(self._days, self._complete)

    def add_last_used(self, seen: LastUsed) -> None:
        """Take in what keywatch trail saw. It calls an identity by its role, if it has one."""
        self._complete &= seen.complete
        by_secret: dict[str, list[tuple[list[str], str]]] = defaultdict(list)
        for (identity, name), when in seen.grants.items():
            services = self._services.get(identity) or [*({identity} & self._names)]
            if services:
                by_secret[name].append((services, f"{when:%Y-%m-%d}"))
        for name, uses in by_secret.items():
            for secret in self._declared(name):
                for services, day in uses:
                    self._add(services, secret, day)

    def _declared(self, name: str) -> list[str]:
        """The ids of the declared secrets that a canonical id belongs to."""
        scheme, parts = secret_ids.split(name)
        candidates = (*self._ids.get(parts[-1], ()), *self._ids.get("", ()))
        return [known for known, glob in candidates if glob.matches(scheme, parts, None)]

    def add(self, lines: Iterable[bytes]) -> None:
        """Take in the lines of a log. Lines that are not audit entries are counted."""
        for line in lines:
            if not line.strip():
                continue
            try:
                entry = json.loads(line) if len(line) <= _MAX_LINE else None
                self._take(entry)
            except (ValueError, TypeError, AttributeError, RecursionError):
                self.invalid += 1

    def _take(self, entry: Any) -> None:
        if entry["type"] not in ("request", "response") or entry.get("error"):
            return
        asked, auth = entry["request"], entry.get("auth") or {}
        metadata = auth.get("metadata") or {}
        role = metadata.get("role") or metadata.get("role_name") or auth.get("role_name") or ""
        names = self._services.get(role, ())
        operation = _OPERATIONS.get(asked.get("operation", ""))
        if not names or not operation:
            return
        day = str(entry.get("time", ""))[:10]
        for _, (secret, actions) in self._paths.matching(str(asked.get("path", "")).strip("/")):
            if operation in actions:
                self._add(names, secret, day)

    def _add(self, services: Iterable[str], secret: str, day: str) -> None:
        for name in services:
            self._days[name, secret] = max(day, self._days.get((name, secret), ""))


def _last_part(name: str) -> str:
    """The last part of a canonical id, "" if it has a wildcard."""
    last = secret_ids.split(name)[1][-1]
    return "" if secret_ids.has_wildcard(last) else last
