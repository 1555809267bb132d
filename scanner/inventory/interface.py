"""Inventory: what each backend gives, and what it is made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from scanner.model import Gap, Note
from scanner.records import Record, Sighting


class Settings(NamedTuple):
    """One entry of `backends` in the operator's file, its variables filled in. `options` are its
    keys but for `kind`, as the backend's own schema allows them. `timeout`: seconds for the whole
    backend, retries included. `known`: by canonical id, what the records of the run before said in
    `sighting`. `fresh`: the records, by canonical id, that were read so lately that they are not
    asked for again one by one, but given as they are."""

    name: str
    kind: str
    options: Mapping[str, Any]
    timeout: float
    environ: Mapping[str, str]
    known: Mapping[str, Sighting] = MappingProxyType({})
    fresh: Mapping[str, Record] = MappingProxyType({})


class Backend(Protocol):
    """A live store, ready to be read."""

    def read(self) -> Iterator[Record | Gap | Note]:
        """All secrets of the store. A Gap stands for each that could not be read, its path the
        canonical id (of the mount, namespace or whole store where no more is known): it is listed
        and its date is not known. Raises nothing: what goes wrong is a Gap, and the rest goes on.
        Neither tokens nor values are in any text."""

    def excess(self) -> Iterator[str]:
        """The rights that this identity holds beyond need, one sentence each."""


class Module(Protocol):
    """What the module of a kind of backend offers. `connect` loads its library, nothing earlier."""

    OPTIONS: Mapping[str, Any]
    """JSON Schema of the properties that its entry in the operator's file has beside `kind`."""
    EXTRA: str
    """The extra that brings its library."""

    def connect(self, settings: Settings, now: datetime) -> Backend:
        """Ready to be read; nothing is asked for yet. ConfigError for options that cannot be."""

    def permissions(self, settings: Settings) -> str:
        """What to grant, to paste, and what the backend cannot keep from whoever holds it."""
