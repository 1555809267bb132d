"""Detect: paths that rules use to select values: `spec.containers[*].env[?name=~/PASS/].value`.

Dots separate keys; a key with a dot is quoted. `*` is any key, `**` any number of keys. `[*]` is
any item, `[3]` the fourth item. `[?key=text]` and `[?key=~/pattern/]` select an item with such a
value, `[!key]` and `[!key=text]` an item without it; at the beginning of a path they select the
document. Indexes may be omitted: `containers.env.value` means the same as with `[*]`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from scanner.detect.structure import Leaf, Path
from scanner.lazy_pattern import lazy

# `.key`, `."quoted.key"`, `[*]`, `[3]`, `[?name=X]`, `[?name=~/X/i]`, `[!name]`.
_STEP = lazy(
    r"""(?:^|\.)(?:"(?P<quoted>[^"]*)"|(?P<key>[^.\[\]"]+))|\[(?P<index>\*|\d+)\]"""
    r"""|\[(?P<test>[?!])(?P<field>[^=~\]]+)"""
    r"""(?:=~/(?P<pattern>(?:[^/\\]|\\.)*)/(?P<flag>i?)|=(?!~)(?P<text>[^\]]*))?\]"""
)

ValueOf = Callable[[Path], str | None]


class Step(NamedTuple):
    """One step of a path: a key, an index, or a test of a sibling.

    key: the key, maybe with `*`.
    item: an index, or `*`.
    field: the keys of the tested sibling.
    text, pattern: what the sibling must equal or match.
    absent: the test is negated.
    """

    key: str = ""
    item: str = ""
    field: tuple[str, ...] = ()
    text: str | None = None
    pattern: str = ""
    absent: bool = False


_MAX_DOUBLE_STARS = 2  # each multiplies the time of a match


def parse(path: str) -> tuple[Step, ...]:
    """Return the steps of a path. Raises ValueError with the reason and the position, from 1."""
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
                    field=fields,
                    text=text,
                    pattern=pattern,
                    absent=found["test"] == "!",
                )
            )
        else:
            steps.append(Step(key=found["key"] or found["quoted"] or ""))
    if sum(step.key == "**" for step in steps) > _MAX_DOUBLE_STARS:
        raise ValueError(f"holds more than {_MAX_DOUBLE_STARS} of `**`")
    return tuple(steps)


def last_key(steps: Sequence[Step]) -> str:
    """Return the last literal key of a path; "" if there is none.

    Every document in which the path matches contains this key.
    """
    return next((s.key for s in reversed(steps) if s.key and "*" not in s.key), "")


class Matcher(NamedTuple):
    """Matches paths against steps. `compiled` returns the compiled linear pattern of a text."""

    steps: tuple[Step, ...]
    compiled: Callable[[str], Any]

    def matches(self, path: Path, value_of: ValueOf) -> bool:
        """Do the steps describe the path? Takes linear time in the path for each step.

        `value_of` returns the text at a path of the document.
        """
        offsets = {0}
        for step in self.steps:
            offsets = {end for at in offsets for end in self._ends(step, path, at, value_of)}
        return any(all(isinstance(part, int) for part in path[at:]) for at in offsets)

    def _ends(self, step: Step, path: Path, at: int, value_of: ValueOf) -> Iterable[int]:
        """Return the offsets in the path at which a step that begins at `at` may end."""
        if step.key == "**":
            return range(at, len(path) + 1)
        if step.field:
            at += at < len(path) and isinstance(path[at], int)
            return [at] if self._passes(step, value_of((*path[:at], *step.field))) else []
        while not step.item and at < len(path) and isinstance(path[at], int):
            at += 1
        is_this = at < len(path) and (_is_index(step, path[at]) or _is_key(step, path[at]))
        return [at + 1] if is_this else []

    def _passes(self, step: Step, text: str | None) -> bool:
        """Does the text of the sibling, None if there is none, pass the step's test?"""
        if text is None:
            is_match = False
        elif step.pattern:
            is_match = bool(self.compiled(step.pattern).search(text.encode("latin-1")))
        else:
            is_match = step.text is None or text == step.text
        return is_match is not step.absent


def _is_index(step: Step, part: str | int) -> bool:
    return isinstance(part, int) and step.item in {"*", str(part)}


def _is_key(step: Step, part: str | int) -> bool:
    if isinstance(part, int) or step.item:
        return False
    head, star, tail = step.key.partition("*")
    if not star:
        return step.key == part
    return len(part) >= len(head) + len(tail) and part.startswith(head) and part.endswith(tail)


def values(leaves: Sequence[Leaf], data: bytes) -> Mapping[Path, str]:
    """Return the text of each leaf by its path. The last one counts if a path occurs twice."""
    return {leaf.path: data[leaf.start : leaf.end].decode("latin-1") for leaf in leaves}
