"""What an executor gives: the steps before and after the consumers restart, and what it needs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from scanner.rotate.config import Entry
from scanner.rotate.machine import Step, Work
from scanner.rotate.model import Outcome
from scanner.rotate.stores import SecretId, Stores

MARK = "keywatch-rotation"
"""The tag or metadata key that names the rotation which made something."""


class Target(NamedTuple):
    """A secret to rotate, how the operator config says to, and the connections for it."""

    place: SecretId
    entry: Entry
    stores: Stores
    environ: Mapping[str, str]


class Parts(NamedTuple):
    """The steps of an executor. Consumers restart between `before` and `after`.

    `overlaps`: the old credential still works after `before`; `after` revokes it.
    """

    before: Sequence[Step]
    after: Sequence[Step] = ()
    discard: Callable[[Work], str] | None = None
    overlaps: bool = False


class Traits(NamedTuple):
    """A row of the table in docs/rotate.md."""

    what: str
    overlap: str
    rollback: str
    idempotent: str
    rights: tuple[str, ...]
    """With `{mount}`, `{below}`, `{name}` of the secret's id."""


class Executor(Protocol):
    """A module that rotates one kind of secret."""

    TRAITS: Traits

    def manual(self, entry: Entry) -> str:
        """Why it cannot be rotated without more in the operator config; "" if it can."""

    def parts(self, target: Target) -> Parts: ...


def tag(values: Mapping[str, str], salt: str) -> str:
    """16 bits that tell whether a stored value is the one that was made, and confirm no guess."""
    text = json.dumps(dict(values), sort_keys=True)
    return hashlib.sha256(f"{salt}{text}".encode()).hexdigest()[:4]


def short(identifier: str) -> str:
    """Names a key in the journal without its id."""
    return hashlib.sha256(identifier.encode()).hexdigest()[:12]


def stored_at(work: Work) -> Mapping[str, str]:
    """The fact from which the overlap counts."""
    return {"stored_at": work.now().isoformat()}


def nothing(_work: Work) -> Outcome:
    return Outcome()
