"""Policy: who may read every secret of an Azure key vault, or give that right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from scanner.model import Finding, Location, Severity
from scanner.policy.access import rules as ids
from scanner.policy.access.rules import finding

_ONE_SECRET = "/secrets/"  # noqa: S105 - a part of a scope


class Assignment(Protocol):
    """A right on a vault (see inventory/azure/assignments.py)."""

    @property
    def vault(self) -> str: ...
    @property
    def principal(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def rights(self) -> Sequence[str]: ...
    @property
    def by(self) -> str: ...
    @property
    def scope(self) -> str: ...


def findings(held: Iterable[Assignment], anchor: Location) -> Iterator[Finding]:
    """A finding for each right on a whole vault, or on more. A role on one secret is fine."""
    for one in held:
        if _ONE_SECRET in one.scope:
            continue
        controls = [right for right in one.rights if right not in ("read", "write")]
        detail = (
            f"{one.kind} {one.principal} may {', '.join(one.rights)} all secrets of {one.vault}, "
            f"by {one.by} on {one.scope}"
        )
        context = f"{one.vault} {one.principal} {one.by} {one.scope}"
        yield finding(ids.AZURE_OPEN, anchor, detail, context, Severity.HIGH if controls else None)
