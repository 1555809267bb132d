"""Policy: which service used which secret, from lines of a Vault audit log."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from scanner.policy.access.patterns import Paths
from scanner.policy.access.review import Subject
from scanner.policy.access.secrets import Secret

_MAX_LINE = 1_000_000
_OPERATIONS = {"read": "read", "create": "create", "update": "update", "patch": "patch"}


class Usage:
    """Reads audit logs. A request counts for the services whose role its token has.

    `days` holds, by service and secret id, the day of the last use (ISO 8601).
    """

    def __init__(self, subjects: Iterable[Subject], secrets: Iterable[Secret]) -> None:
        self.days: dict[tuple[str, str], str] = {}
        self.invalid = 0
        self._services: dict[str, list[str]] = defaultdict(list)
        for subject in subjects:
            if subject.role:
                self._services[subject.role].append(subject.name)
        self._paths = Paths(
            (path, (secret.id, actions)) for secret in secrets for path, actions in secret.endpoints
        )

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
                for name in names:
                    self.days[name, secret] = max(day, self.days.get((name, secret), ""))
