"""The one typed event that every format of audit log becomes."""

from __future__ import annotations

import enum
from typing import Any
from urllib.parse import quote

import msgspec

_PLAIN = "/_-.~+=,@:"
"""Characters that stay as they are in an id, the same as in the ids of `keywatch audit`. All others
are percent-encoded, so that no path or name of a log can act as markup or a command."""
_MOST_NAME = 1_000


class Action(enum.Enum):
    """What a call does to a secret or its store."""

    READ = "read"
    """It returned the value of a secret, or would have."""
    WRITE = "write"
    ROTATE = "rotate"
    LOGIN = "login"
    OTHER = "other"


class Actor(msgspec.Struct, frozen=True, gc=False):
    """Who called. `name` is shown: a role, user or display name, "" if the log does not say.

    `role` is what `services` of keywatch.yaml may name; `id` tells two actors of one name apart.
    """

    id: str
    name: str
    role: str = ""
    policies: tuple[str, ...] = ()


class Target(msgspec.Struct, frozen=True, gc=False):
    """What was called. `id` is the canonical id of the secret, or of the path for other calls."""

    id: str
    action: Action
    is_secret: bool = False


class Call(msgspec.Struct):
    """A kind of call: the same actor does the same to the same target, with the same outcome.

    Most calls of a log repeat, so what follows from this is worked out once and kept as `plan`,
    which belongs to the analysis. `ok`: the store carried it out.
    """

    actor: Actor
    target: Target
    ok: bool
    plan: Any = None


class Event(msgspec.Struct, gc=False):
    """One call. `time` is in Unix seconds.

    `entry` is the format's own typed entry, whose fields the Sigma rules name. `version` is the
    version of the value that was read or written, 0 if the log does not say.
    """

    time: float
    id: str
    call: Call
    address: str
    entry: Any
    version: int = 0
    is_old: bool = False
    """The caller asked for the value before the current one by name."""
    is_raw: bool = False
    """Its log has tokens and values in the clear."""
    line: int = 0
    """The line of the log, counted from 1."""

    @property
    def actor(self) -> Actor:
        return self.call.actor

    @property
    def target(self) -> Target:
        return self.call.target


NOBODY = Actor(id="", name="")


def quoted(name: str) -> str:
    """A name as a part of a canonical id; `*` stands for a name that the log does not say."""
    if name == "*":
        return name
    return quote(name[:_MOST_NAME], safe=_PLAIN, errors="surrogatepass")
