"""Policy: canonical ids of secrets, and the globs that match them.

`*` stands for any characters within a part, `**` as a whole part for any number of parts. What a
declaration does not say fits whatever stands in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from scanner import globs
from scanner.policy.terms import Declared

_DEEP = "**"
Part = str | Callable[[str], bool]


class Pattern(NamedTuple):
    """A `match:` of keywatch.yaml, ready to be asked."""

    scheme: str
    parts: tuple[Part, ...]
    key: Callable[[str], bool]

    def fits(self, declared: Declared) -> bool:
        return (
            self.scheme == declared.scheme
            and fits(self.parts, declared.segments)
            and (not declared.key or self.key(declared.key))
        )


def pattern(match: str) -> Pattern:
    """The Pattern of `vault://*/*/secret/app/**#key`; without `#` it takes every key."""
    scheme, _, rest = match.partition("://")
    path, has_key, key = rest.partition("#")
    return Pattern(scheme, parts(path), _part(key) if has_key else lambda _key: True)


def parts(path: str) -> tuple[Part, ...]:
    """The parts of a glob, each `**` or a function that says whether it fits a part of a name."""
    return tuple(_DEEP if part == _DEEP else _part(part) for part in path.strip("/").split("/"))


def _part(glob: str) -> Callable[[str], bool]:
    return globs.matcher([glob]) if "*" in glob or "?" in glob else glob.__eq__


def fits(glob: Sequence[Part], name: Sequence[str | None]) -> bool:
    """Does the whole glob fit the whole name? In time of the product of their lengths."""
    if not _takes(glob, len(glob) - 1, name[-1]):
        return False  # most differ at their ends
    at = _closed({0}, glob)
    for part in name:
        at = _closed({_next(glob, i) for i in at if _takes(glob, i, part)}, glob)
    return len(glob) in at


def _takes(glob: Sequence[Part], index: int, part: str | None) -> bool:
    if index == len(glob):
        return False
    one = glob[index]
    return isinstance(one, str) or part is None or one(part)


def _next(glob: Sequence[Part], index: int) -> int:
    return index if glob[index] == _DEEP else index + 1


def _closed(at: set[int], glob: Sequence[Part]) -> set[int]:
    """With all that is reached because a `**` may stand for nothing."""
    out = set()
    for start in at:
        index = start
        out.add(index)
        while index < len(glob) and glob[index] == _DEEP and index + 1 not in out:
            index += 1
            out.add(index)
    return out
