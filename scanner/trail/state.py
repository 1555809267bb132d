"""What a run leaves for the next one (`--state FILE`): how far each log was read, recent event ids,
the windows of correlations, and what is known of each identity and secret.

It holds names of identities, addresses and paths, and no values; tokens are HMACs or digests. A
name that contains a secret is left out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from scanner import files
from scanner.errors import ConfigError, unreadable
from scanner.masking import masked
from scanner.trail.reading.streams import Position
from scanner.trail.sigma.correlation import BETWEEN

VERSION = 1
MOST_POSITIONS = 10_000
"""Logs whose position is kept; the oldest are forgotten."""


class State(NamedTuple):
    """`analysis` is what `Analysis.saved` gave, None without an earlier run."""

    positions: tuple[Position, ...] = ()
    analysis: dict[str, Any] | None = None


def load(path: str) -> State:
    """The state in a file, an empty one if there is no file. ConfigError for another file."""
    try:
        with open(path, "rb") as file:
            data = json.load(file)
        _demand(data["schema_version"] == VERSION)
        positions = (Position(str(d), int(n), int(o), int(m)) for d, n, o, m in data["positions"])
        return State(tuple(positions), data["analysis"])
    except FileNotFoundError:
        return State()
    except OSError as error:
        raise unreadable(path, error) from None
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise not_a_state(path) from None


def _demand(answer: object) -> None:
    if not answer:
        raise ValueError


def not_a_state(path: str) -> ConfigError:
    return ConfigError(
        f"{path} is not a state of keywatch trail, or one of another version",
        todo="name another file, or delete it: the logs are then read from their beginning",
    )


def save(path: str, state: State) -> None:
    """Replace the file as a whole; only its owner can read it. OutputError says why not."""
    document = {
        "schema_version": VERSION,
        "positions": state.positions[-MOST_POSITIONS:],
        "analysis": _without_secrets(state.analysis or {}),
    }
    pieces = json.JSONEncoder(allow_nan=False).iterencode(document)
    files.write_pieces(path, _batches(pieces), mode=files.PRIVATE)


def _batches(pieces: Iterable[str]) -> Iterator[bytes]:
    """Fewer and larger pieces than the encoder's."""
    held: list[str] = []
    for piece in pieces:
        held.append(piece)
        if len(held) >= 4096:
            yield "".join(held).encode()
            held.clear()
    yield "".join(held).encode()


def together(known: Iterable[Position], now: Iterable[Position]) -> tuple[Position, ...]:
    """The positions of this run in place of earlier ones of the same logs."""
    by_digest = {each.digest: each for each in known}
    for each in now:
        by_digest.pop(each.digest, None)
        by_digest[each.digest] = each
    return tuple(by_digest.values())


def _without_secrets(saved: dict[str, Any]) -> dict[str, Any]:
    """The same without what has a secret in its name."""
    clean = _Clean()
    return {
        **saved,
        "windows": {
            rule: [group for group in groups if clean.all(group)]
            for rule, groups in saved.get("windows", {}).items()
        },
        "profiles": {name: it for name, it in saved.get("profiles", {}).items() if clean(name)},
        "versions": {
            name: (version, None if time == float("inf") else time)
            for name, (version, time) in saved.get("versions", {}).items()
            if clean(name)
        },
        "uses": [use for use in saved.get("uses", ()) if clean.all(use)],
        "rotated": {name: time for name, time in saved.get("rotated", {}).items() if clean(name)},
    }


class _Clean:
    """Says whether a name contains no secret; each name is looked at once."""

    def __init__(self) -> None:
        self._known: dict[str, bool] = {}

    def __call__(self, name: str) -> bool:
        known = self._known.get(name)
        if known is None:
            # What Vault's HMACs and ids look like is no name.
            is_plain = name.startswith(("hmac-sha256:", "raw:")) or _is_uuid(name)
            known = self._known[name] = is_plain or masked(name) == name
        return known

    def all(self, data: Any) -> bool:
        """The same of all text in lists."""
        if isinstance(data, str):
            return all(map(self, data.split(BETWEEN)))
        return all(map(self.all, data)) if isinstance(data, (list, tuple)) else True


def _is_uuid(name: str) -> bool:
    return len(name) == 36 and name.count("-") == 4


def place(given: str, folder: str) -> str:
    return os.path.join(folder, given)
