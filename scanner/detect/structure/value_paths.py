"""Detect: paths to values, as rules write them: `spec.containers[*].env[?name=~/PASS/].value`.

Keys are parted by dots (one with a dot stands in quotes), `*` is any one key, `**` any number of
them. `[*]` is any item, `[3]` the fourth, `[?key=text]` and `[?key=~/pattern/]` an item, or at the
very beginning the document, of which a value says so; `[!key]` and `[!key=text]` one of which none
does. An index that a path does not name is
passed over, so `containers.env.value` means the same as with `[*]`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from scanner.detect.structure import Leaf, Path

_STEP = re.compile(
    r"""(?:^|\.)(?:"(?P<quoted>[^"]*)"|(?P<key>[^.\[\]"]+))|\[(?P<index>\*|\d+)\]"""
    r"""|\[(?P<test>[?!])(?P<field>[^=~\]]+)"""
    r"""(?:=~/(?P<pattern>(?:[^/\\]|\\.)*)/(?P<flag>i?)|=(?!~)(?P<text>[^\]]*))?\]"""
)

ValueOf = Callable[[Path], str | None]


class Step(NamedTuple):
    """One step of a path: a key, an index, or a test on what stands beside."""

    key: str = ""
    item: str = ""
    field: tuple[str, ...] = ()
    text: str | None = None
    pattern: str = ""
    absent: bool = False


_MOST_OPEN = 2  # `**` in one path: each multiplies the ways in which it may match


def parse(path: str) -> tuple[Step, ...]:
    """The steps of a path. ValueError says what is wrong, and where (from 1)."""
    steps: list[Step] = []
    at = 0
    while at < len(path):
        found = _STEP.match(path, at)
        if not found or found.end() == at:
            raise ValueError(f"cannot be read from character {at + 1} on")
        at = found.end()
        if found["index"]:
            steps.append(Step(item=found["index"]))
        elif found["field"]:
            flag = "(?i)" if found["flag"] else ""
            pattern = flag + found["pattern"].replace(r"\/", "/") if found["pattern"] else ""
            fields, text = tuple(found["field"].split(".")), found["text"]
            steps.append(
                Step(
                    key="",
                    item="",
                    field=fields,
                    text=text,
                    pattern=pattern,
                    absent=found["test"] == "!",
                )
            )
        else:
            steps.append(Step(key=found["key"] or found["quoted"] or ""))
    if sum(step.key == "**" for step in steps) > _MOST_OPEN:
        raise ValueError(f"holds more than {_MOST_OPEN} of `**`")
    return tuple(steps)


def last_key(steps: Sequence[Step]) -> str:
    """The last key that a path names itself, "" for none: where it matches, the file holds it."""
    return next((s.key for s in reversed(steps) if s.key and "*" not in s.key), "")


class Matcher(NamedTuple):
    """Says whether a path is one of those that the steps describe. `compiled`: a linear pattern."""

    steps: tuple[Step, ...]
    compiled: Callable[[str], Any]

    def matches(self, path: Path, value_of: ValueOf) -> bool:
        """Is it one? `value_of`: the text at a path. Linear in the path for each step."""
        places = {0}
        for wanted in self.steps:
            places = {to for at in places for to in self._after(wanted, path, at, value_of)}
        return any(all(isinstance(part, int) for part in path[at:]) for at in places)

    def _after(self, wanted: Step, path: Path, at: int, value_of: ValueOf) -> Iterable[int]:
        """Where a path goes on after a step that begins at one of its parts."""
        if wanted.key == "**":
            return range(at, len(path) + 1)
        if wanted.field:
            at += at < len(path) and isinstance(path[at], int)
            return [at] if self._says(wanted, value_of((*path[:at], *wanted.field))) else []
        while not wanted.item and at < len(path) and isinstance(path[at], int):
            at += 1
        is_this = at < len(path) and (_is_index(wanted, path[at]) or _is_key(wanted, path[at]))
        return [at + 1] if is_this else []

    def _says(self, wanted: Step, text: str | None) -> bool:
        if text is None:
            said = False
        elif wanted.pattern:
            said = bool(self.compiled(wanted.pattern).search(text.encode("latin-1")))
        else:
            said = wanted.text is None or text == wanted.text
        return said is not wanted.absent


def _is_index(wanted: Step, part: str | int) -> bool:
    return isinstance(part, int) and wanted.item in {"*", str(part)}


def _is_key(wanted: Step, part: str | int) -> bool:
    if isinstance(part, int) or wanted.item:
        return False
    head, star, tail = wanted.key.partition("*")
    if not star:
        return wanted.key == part
    return len(part) >= len(head) + len(tail) and part.startswith(head) and part.endswith(tail)


def values(leaves: Sequence[Leaf], data: bytes) -> Mapping[Path, str]:
    """The text of each leaf by its path."""
    return {leaf.path: data[leaf.start : leaf.end].decode("latin-1") for leaf in leaves}
