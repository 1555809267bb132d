"""Detect: run patterns written for Python's `re` in RE2, which takes linear time.

The patterns come from detect-secrets and from baselines. In `re`, some of them take hours on a
long run of spaces.

The translation uses `re._parser`, a private module of Python. RE2 reads the same text with another
meaning in places (`$`, whitespace, digits, letter case), so compiling the pattern unchanged
could give other findings. Python has no public parser for patterns.
"""

from __future__ import annotations

import contextlib
import functools
import re
import warnings
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

_SPACE = r"\t-\r\x1c-\x20"
_WIDE_SPACE = r"\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
# The inside of a character class, for ASCII text and for any text.
_CATEGORIES = {
    "CATEGORY_DIGIT": ("0-9", r"\p{Nd}"),
    "CATEGORY_SPACE": (_SPACE, _SPACE + _WIDE_SPACE),
    "CATEGORY_WORD": ("0-9A-Za-z_", r"\p{L}\p{N}_"),
}
_ANCHORS = {
    "AT_BEGINNING": r"\A",
    "AT_BEGINNING_STRING": r"\A",
    "AT_END": r"(?:\n?\z)",
    "AT_END_STRING": r"\z",
    "AT_BOUNDARY": r"\b",
    "AT_NON_BOUNDARY": r"\B",
}
_LINE_ANCHORS = {"AT_BEGINNING": "(?m:^)", "AT_END": "(?m:$)"}


class UnsupportedError(Exception):
    """A pattern has no equivalent in RE2. The message says why."""


class Linear:
    """A pattern of `re` that RE2 runs in linear time.

    Word boundaries know only the letters of ASCII.
    """

    def __init__(self, pattern: str, flags: int = 0, *, relaxed: bool = False) -> None:
        self.pattern = pattern
        self._flags = flags
        self._relaxed = relaxed
        self._ascii = self._compiled(wide=False)

    def search(self, text: str) -> Any:
        return self._for(text).search(text)

    def findall(self, text: str) -> list[Any]:
        found: list[Any] = self._for(text).findall(text)
        return found

    def _for(self, text: str) -> Any:
        return self._ascii if text.isascii() else self._wide

    @functools.cached_property
    def _wide(self) -> Any:
        return self._compiled(wide=True)

    def _compiled(self, *, wide: bool) -> Any:
        text = translate(self.pattern, self._flags, wide=wide, relaxed=self._relaxed)
        return _engine(text)


class Guarded:
    """A pattern of `re` that runs only on texts which it matches without its look-around."""

    def __init__(self, regex: re.Pattern[str]) -> None:
        self._regex = regex
        self._guard = Linear(regex.pattern, regex.flags, relaxed=True)

    def findall(self, text: str) -> list[Any]:
        return self._regex.findall(text) if self._guard.search(text) else []


def linear(regex: re.Pattern[str]) -> Any:
    """Return a pattern with the same meaning: Linear, else Guarded, else `regex` itself."""
    for make in (lambda: Linear(regex.pattern, regex.flags), lambda: Guarded(regex)):
        with contextlib.suppress(UnsupportedError):
            return make()
    return regex


def translate(pattern: str, flags: int = 0, *, wide: bool = False, relaxed: bool = False) -> str:
    """Translate a pattern of `re` to the syntax of RE2.

    wide: the result is for any text; otherwise only for ASCII text.
    relaxed: leave out look-around, so that the result matches at least as often.

    Raises UnsupportedError if the pattern is invalid, or if no pattern of RE2 means the same.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parsed = import_module("re._parser").parse(pattern, flags & ~re.DEBUG)
        text = _Writer(wide=wide, relaxed=relaxed).write(
            parsed, parsed.state.flags, ~parsed.state.flags
        )
    except (re.error, OverflowError, RecursionError) as error:
        raise UnsupportedError(f"it is not a regular expression ({error})") from None
    _engine(text)
    return text


@functools.lru_cache(maxsize=256)
def _engine(pattern: str) -> Any:
    try:
        import re2
    except ImportError:
        raise UnsupportedError("google-re2 is not installed") from None
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise UnsupportedError(f"RE2 rejects it: {error.args[0]!r}") from None


class _Writer:
    """Writes a parsed pattern of `re` in the syntax of RE2."""

    def __init__(self, *, wide: bool, relaxed: bool) -> None:
        self._wide = wide
        self._relaxed = relaxed

    def write(self, nodes: Iterable[Any], flags: int, outer: int) -> str:
        """Return the text of `nodes` with `flags`, for a surrounding pattern with flags `outer`."""
        text = "".join(self._node(str(kind), value, flags) for kind, value in nodes)
        if not (flags ^ outer) & re.IGNORECASE:
            return text
        return f"(?i:{text})" if flags & re.IGNORECASE else f"(?-i:{text})"

    def _node(self, kind: str, value: Any, flags: int) -> str:
        if kind.startswith("ASSERT") and self._relaxed:
            return ""
        name = _METHODS.get(kind)
        if name is None:
            raise UnsupportedError(f"it uses {kind.lower().replace('_', ' ')}")
        text: str = getattr(self, name)(value, flags)
        return text

    def _any_character(self, _value: None, flags: int) -> str:
        return "(?s:.)" if flags & re.DOTALL else r"[^\n]"

    def _anchor(self, value: Any, flags: int) -> str:
        return (_ANCHORS | (_LINE_ANCHORS if flags & re.MULTILINE else {}))[str(value)]

    def _branch(self, value: Any, flags: int) -> str:
        return "(?:" + "|".join(self.write(one, flags, flags) for one in value[1]) + ")"

    def _not_literal(self, code: int, flags: int) -> str:
        return f"[^{_character(code)}{self._dotted_letters(code, code, flags)}]"

    def _literal(self, code: int, flags: int) -> str:
        dotted = self._dotted_letters(code, code, flags)
        return f"[{_character(code)}{dotted}]" if dotted else _character(code)

    def _class(self, items: Sequence[tuple[Any, Any]], flags: int) -> str:
        negated = str(items[0][0]) == "NEGATE"
        items = items[1:] if negated else items
        text = ""
        for kind, value in items:
            if str(kind) == "CATEGORY":
                name = str(value)
                if len(items) == 1 and "_NOT_" in name:
                    name, negated = name.replace("_NOT_", "_"), not negated
                text += self._category(name, flags)
            else:
                low, high = value if str(kind) == "RANGE" else (value, value)
                text += f"{_character(low)}-{_character(high)}" + self._dotted_letters(
                    low, high, flags
                )
        return f"[{'^' if negated else ''}{text}]"

    def _category(self, name: str, flags: int) -> str:
        if name not in _CATEGORIES:
            raise UnsupportedError(r"it has \D, \S or \W next to other characters in a class")
        return _CATEGORIES[name][self._wide and not flags & re.ASCII]

    def _dotted_letters(self, low: int, high: int, flags: int) -> str:
        """Return the two letters that `re` treats as an i and RE2 does not; "" if not needed."""
        is_i = low <= ord("i") <= high or low <= ord("I") <= high
        apart = self._wide and flags & re.IGNORECASE and not flags & re.ASCII
        return r"\x{130}\x{131}" if is_i and apart else ""

    def _group(self, value: Any, flags: int) -> str:
        number, added, removed, inner = value
        text = self.write(inner, (flags | added) & ~removed, flags)
        return f"(?:{text})" if number is None else f"({text})"

    def _lazy_repeat(self, value: Any, flags: int) -> str:
        return self._repeat(value, flags) + "?"

    def _repeat(self, value: Any, flags: int) -> str:
        low, high, item = value
        last = "" if str(high) == "MAXREPEAT" else str(int(high))
        counts = {(0, ""): "*", (1, ""): "+", (0, "1"): "?"}
        count = counts.get((low, last), f"{{{low},{last}}}")
        return f"(?:{self.write(item, flags, flags)}){count}"


_METHODS = {
    "ANY": "_any_character",
    "AT": "_anchor",
    "BRANCH": "_branch",
    "IN": "_class",
    "LITERAL": "_literal",
    "MAX_REPEAT": "_repeat",
    "MIN_REPEAT": "_lazy_repeat",
    "NOT_LITERAL": "_not_literal",
    "SUBPATTERN": "_group",
}


def _character(code: int) -> str:
    return chr(code) if chr(code).isalnum() and code < 128 else f"\\x{{{code:x}}}"
