"""Policy: patterns of Vault policies: which known paths one matches, and where two overlap."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

_ANY = "any"


class Paths:
    """Known paths in a trie of their segments, each with a value."""

    def __init__(self, paths: Iterable[tuple[str, Any]]) -> None:
        self._tree: dict[str | None, Any] = {}
        for path, value in paths:
            node = self._tree
            for part in path.split("/"):
                node = node.setdefault(part, {})
            node.setdefault(None, []).append((path, value))

    def matching(self, pattern: str) -> list[tuple[str, Any]]:
        """The known paths that the pattern matches, whatever other patterns say."""
        is_glob = pattern.endswith("*")
        parts = (pattern[:-1] if is_glob else pattern).split("/")
        nodes = [self._tree]
        last = parts.pop() if is_glob else None
        for part in parts:
            if part == "+":
                nodes = [
                    inner for node in nodes for name, inner in node.items() if name is not None
                ]
            else:  # a + in a known path is any name
                names = (part, "+") if part else (part,)
                nodes = [node[name] for node in nodes for name in names if name in node]
            if not nodes:
                return []
        if last is None:
            return [found for node in nodes for found in node.get(None, ())]
        found: list[tuple[str, Any]] = []
        stack = [
            inner
            for node in nodes
            for part, inner in node.items()
            if part is not None and part.startswith(last)
        ]
        while stack:
            for part, inner in stack.pop().items():
                if part is None:
                    found += inner
                else:
                    stack.append(inner)
        return found


def matches(pattern: str, path: str) -> bool:
    return overlap(pattern, path, literal=True) is not None


def overlap(one: str, other: str, *, literal: bool = False) -> str | None:
    """A path that both patterns match; None if there is none. `literal`: `other` is a path."""
    head, tail = _head(one), other if literal else _head(other)
    if not (head.startswith(tail) or tail.startswith(head)):
        return None
    first, second = _Shape(one), _Shape(other, literal=literal)
    found = []
    for at in range(max(len(first.parts), len(second.parts))):
        part = _both(first.at(at), second.at(at))
        if part is None:
            return None
        found.append(part)
    return "/".join(found)


@lru_cache(100_000)
def _head(pattern: str) -> str:
    """What every path that the pattern matches begins with."""
    parts = pattern.split("/")
    if "+" in parts:
        return "/".join(parts[: parts.index("+")])
    return pattern.removesuffix("*")


class _Shape:
    """A pattern as what each segment may be: a name, the beginning of one, or anything."""

    def __init__(self, pattern: str, *, literal: bool = False) -> None:
        self.is_glob = pattern.endswith("*") and not literal
        self.parts = (pattern[:-1] if self.is_glob else pattern).split("/")
        self._literal = literal

    def at(self, index: int) -> tuple[str, bool] | None:
        """(text, whether more may follow in the segment); None past the end."""
        last = len(self.parts) - 1
        if index > last:
            return ("", True) if self.is_glob else None
        part = self.parts[index]
        if self.is_glob and index == last:
            return part, True
        return ("", True) if part == "+" and not self._literal else (part, False)


def _both(one: tuple[str, bool] | None, other: tuple[str, bool] | None) -> str | None:
    if one is None or other is None:
        return None
    (first, first_open), (second, second_open) = one, other
    if first_open and second_open:
        longer, shorter = (first, second) if len(first) >= len(second) else (second, first)
        return (longer or _ANY) if longer.startswith(shorter) else None
    if first_open:
        return second if second.startswith(first) else None
    if second_open:
        return first if first.startswith(second) else None
    return first if first == second else None
