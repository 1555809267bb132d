"""Inventory: which events of each key vault Azure Monitor sends to a log, and where to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from scanner.inventory.azure.errors import FAILURES
from scanner.inventory.azure.manager import unread, vaults
from scanner.inventory.interface import Settings
from scanner.model import Gap

_VERSION = "2021-05-01-preview"


class Diagnostics(NamedTuple):
    """The diagnostic settings of a vault, as the API lists them. `vault` is its canonical ID."""

    vault: str
    settings: Sequence[Mapping[str, Any]]


def read(settings: Settings) -> Iterator[Diagnostics | Gap]:
    """Those of each vault. Raises nothing: what could not be read is a Gap."""
    for place, found in vaults(settings):
        if isinstance(found, Gap):
            yield found
            continue
        path = f"{found.vault['id']}/providers/Microsoft.Insights/diagnosticSettings"
        try:
            yield Diagnostics(place, [*found.manager.all(path, _VERSION)])
        except FAILURES as error:
            yield unread(place, error)
