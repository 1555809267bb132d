"""Inventory: what every backend provides, and how a kind of backend describes itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from scanner.model import Gap, Note
from scanner.records import Record, ValueMark

Options = Mapping[str, Any]
"""The entry of one backend in the operator config without `kind`. Variables are filled in."""


class Settings(NamedTuple):
    """What a backend is created from.

    `timeout` is the number of seconds for the whole backend, retries included. `known` holds the
    value marks of the previous run by canonical ID. `fresh` holds records, by canonical ID, that
    were read so recently that they are returned as they are instead of being read again.
    `clock` is this machine's time when the run began, if the user chose another time to judge by.
    """

    name: str
    kind: str
    options: Options
    timeout: float
    environ: Mapping[str, str]
    known: Mapping[str, ValueMark] = MappingProxyType({})
    fresh: Mapping[str, Record] = MappingProxyType({})
    clock: datetime | None = None


class Variables(NamedTuple):
    """Environment variables that a backend's library reads by itself.

    `removed`: patterns of names (`*` is any text) of variables that choose a server or whom to
    trust. `local`: they are kept only if they point to this machine. `added`: set for every audit.
    """

    removed: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    added: Mapping[str, str] = MappingProxyType({})


class Backend(Protocol):
    """A live store, ready to be read."""

    def read(self) -> Iterator[Record | Gap | Note]:
        """All secrets of the store.

        A Gap stands for each secret that could not be read. Its path is the canonical ID, or the
        ID of the mount, namespace or store if the secrets in it are unknown. Raises nothing: an
        error becomes a Gap and reading goes on. No text contains tokens or values.
        """

    def excess(self) -> Iterator[str]:
        """The permissions that the auditor holds but does not need, one sentence each."""

    def close(self) -> None:
        """End the login, if the backend created one. Raises nothing.

        Called at the end; after a time limit or an interrupt also while `read` is still running.
        """


class Module(Protocol):
    """A kind of backend. Its package imports no SDK before `connect` is called."""

    SCHEME: str
    """The scheme of its canonical IDs: `vault` for `vault://…`."""
    EXTRA: str
    """The extra of keywatch that installs its library."""
    OPTIONS: Mapping[str, Any]
    """JSON Schema of the options that the operator config may give it, besides `kind`."""
    VARIABLES: Variables
    """The environment variables that its library reads by itself."""

    def connect(self, settings: Settings, now: datetime) -> Backend:
        """A backend that has sent no request yet. ConfigError for options that cannot work."""

    def permissions(self, settings: Settings) -> str:
        """What to grant to the auditor, ready to paste, and what the store cannot restrict."""

    def scopes(self, options: Options) -> Iterable[str]:
        """Globs of what it reads, as the part of a canonical ID after `SCHEME://NAME/`."""

    def addresses(self, options: Options) -> Sequence[str]:
        """The addresses of the store, as a repository may write them. Empty if there are none."""

    def login_advice(self, options: Options) -> str:
        """What an operator does so that the auditor can log in again, with a command if there is
        one. Names from the options in it are quoted for a shell."""

    def identities(self, options: Options) -> Sequence[str]:
        """Who the auditor logs in as, as a repository may write it. Empty if that is unknown."""
