"""Policy: canonical ids of secrets, and globs that match them.

`*` matches any characters within a part. `**` as a whole part matches any number of parts. A part
of a declared secret that is unknown (None) matches every glob.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from scanner import globs
from scanner.policy.declarations.model import DeclaredSecret

SCHEMES = ("vault", "k8s", "aws", "azure")
DEEP = "**"
PartMatcher = Callable[[str], bool]
Glob = tuple[tuple[PartMatcher, ...], ...]
"""The parts of a glob, split at each `**`."""


class Pattern(NamedTuple):
    """A compiled `match:` of keywatch.yaml. `words` are its parts without wildcards."""

    scheme: str
    glob: Glob
    key: PartMatcher | None
    words: tuple[str, ...]

    def fits(self, declared: DeclaredSecret) -> bool:
        keys = (declared.key,) if declared.key else None
        return self.matches(declared.scheme, declared.segments, keys)

    def matches(
        self, scheme: str, segments: Sequence[str | None], keys: Iterable[str] | None
    ) -> bool:
        """Whether the pattern matches the secret or one of its keys (None: keys unknown)."""
        return (
            scheme == self.scheme
            and fits(self.glob, segments)
            and (self.key is None or keys is None or any(map(self.key, keys)))
        )


def pattern(match: str) -> Pattern:
    """Compile a glob such as `vault://*/*/secret/app/**#key`. Without `#` it matches all keys."""
    address, has_key, key = match.partition("#")
    scheme, path = split(address)
    words = tuple(part for part in path if not has_wildcard(part))
    return Pattern(scheme, compile_glob(path), _part(key) if has_key else None, words)


def split(address: str) -> tuple[str, list[str]]:
    """The scheme and the parts of a canonical id or of a glob."""
    scheme, _, path = address.partition("://")
    return scheme, path.strip("/").split("/")


def has_wildcard(part: str) -> bool:
    return "*" in part or "?" in part


def compile_glob(path: Iterable[str]) -> Glob:
    """Compile the parts of a glob into functions that match one part of a name."""
    found: list[list[PartMatcher]] = [[]]
    for part in path:
        if part == DEEP:
            found.append([])
        else:
            found[-1].append(_part(part))
    return tuple(map(tuple, found))


def _part(glob: str) -> PartMatcher:
    if glob == "*":
        return _anything
    return globs.matcher([glob]) if has_wildcard(glob) else glob.__eq__


def _anything(_part: str) -> bool:
    return True


def fits(glob: Glob, name: Sequence[str | None]) -> bool:
    """Whether the glob matches the whole name.

    Each run is placed at its first match. This never needs backtracking, so the time is at most
    the product of both lengths.
    """
    head, *rest = glob
    if not rest:
        return len(head) == len(name) and _matches_at(head, name, 0)
    *middle, tail = rest
    at, end = len(head), len(name) - len(tail)
    if at > end or not (_matches_at(tail, name, end) and _matches_at(head, name, 0)):
        return False
    for run in middle:
        last = end - len(run)
        while at <= last and not _matches_at(run, name, at):
            at += 1
        if at > last:
            return False
        at += len(run)
    return True


def _matches_at(run: Sequence[PartMatcher], name: Sequence[str | None], at: int) -> bool:
    for one, part in zip(run, name[at : at + len(run)], strict=True):
        if part is not None and not one(part):
            return False
    return True
