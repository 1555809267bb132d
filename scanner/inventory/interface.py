"""Inventory: what each backend gives, and what it is made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from scanner.model import Gap, Note
from scanner.records import Record, Sighting


class Settings(NamedTuple):
    """One entry of `backends` in the operator's file, its variables filled in. `options` are its
    keys but for `kind`, as the backend's own schema allows them. `timeout`: seconds for the whole
    backend, retries included. `known`: by canonical id, what the records of the run before said in
    `sighting`."""

    name: str
    kind: str
    options: Mapping[str, Any]
    timeout: float
    environ: Mapping[str, str]
    known: Mapping[str, Sighting] = MappingProxyType({})


class Backend(Protocol):
    """A live store, ready to be read."""

    def read(self) -> Iterator[Record | Gap | Note]:
        """All secrets of the store. A Gap stands for each that could not be read, its path the
        canonical id (of the mount, namespace or whole store where no more is known): it is listed
        and its date is not known. Raises nothing: what goes wrong is a Gap, and the rest goes on.
        Neither tokens nor values are in any text."""

    def excess(self) -> Iterator[str]:
        """The rights that this identity holds beyond need, one sentence each."""
