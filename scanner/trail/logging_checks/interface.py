"""What a module about one kind of store provides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from scanner.inventory.interface import Settings
from scanner.model import Gap, RuleInfo


class Fault(NamedTuple):
    """A rule that a configuration breaks, what it is about, and how."""

    rule: RuleInfo
    subject: str
    detail: str


class Module(Protocol):
    """One kind of store."""

    def recognizes(self, data: Any) -> bool:
        """Is this a configuration of its audit log? `data` is any parsed JSON or YAML."""

    def faults(self, data: Any, name: str) -> Iterator[Fault]:
        """What a configuration does not log. `name` is that of its file, ready for an ID.

        AttributeError, TypeError, LookupError: it has another form.
        """

    def live(self, settings: Settings, *, has_file: bool) -> Iterator[Fault | Gap]:
        """What the store itself says that it does not log, and what could not be known.

        `has_file`: the user gave a file with the configuration, which is checked, too.
        ImportError if the library of the backend is not installed.
        """
