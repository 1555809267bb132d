"""Detect: the one pass over a file's bytes. Many patterns in, `(pattern number, end offset)` out.

`hyperscan` is the engine; `re` is its twin without compiled code: the oracle in tests, and the
fallback where Hyperscan has no wheel. A hit says "look here", never "this is a secret".
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from scanner import cache
from scanner.errors import ConfigError

Hit = tuple[int, int]
OWN = 1 << 15
"""The number of the first rule that a repository brings; those that are shipped begin at 0."""

NAME, CONTENT = "name", "content"
"""The scopes of what is looked for in the names of files alone, and of what never is."""

# Of an expression's id the lower bits are the pattern's number, the upper ones its place in it:
# expressions of one id are alternatives, which take the compiler twice the time.
_NUMBER_BITS = 16
_NUMBER = (1 << _NUMBER_BITS) - 1


class Pattern(NamedTuple):
    """One thing to look for. `keywords`: lower-case literals, one of which is in every match.

    `once`: that it is there is all that is asked: one hit, for a match of the anchor itself.
    `scope`: code or config, where it is for such files alone; NAME or CONTENT; no file is of any
    other.
    `in_code`: the anchor for code,
    where that is another. `literals`, of four characters or more: their ends are the hits. Near
    each is a match of the anchor, where only Hyperscan's twin looks for them: it has no other way
    to look for thousands, to Hyperscan they are free.
    """

    anchor: str
    ignore_case: bool = False
    keywords: tuple[str, ...] = ()
    once: bool = False
    scope: str = ""
    in_code: str = ""
    literals: tuple[str, ...] = ()


class Matcher(Protocol):
    """An engine that is ready for one set of patterns."""

    @property
    def name(self) -> str: ...

    def hits(self, data: bytes, scope: str = "") -> list[Hit]:
        """Where to look, in no order: for each match of a pattern at least one hit in its lines.

        `scope`: also the patterns that are for code, for config, or `any`, for both; or for names.
        """

    def meets(self, data: bytes, scope: str, but: Container[int]) -> bool:
        """Is there a hit of any pattern, but for those of these numbers?"""

    def missing(self, scopes: Iterable[str]) -> list[str]:
        """Those of these scopes that take more than a second to be compiled, and are to be."""


Numbered = Callable[[], Mapping[int, Pattern]]
"""Makes the patterns, by the numbers that their hits have."""


def build(name: str, patterns: Numbered, key: str, cache_folder: str | None) -> Matcher:
    """The engine `name` ("hyperscan", "re", or "auto": the first that is installed).

    `key` names the patterns in the cache; they are only asked for where nothing is stored.
    """
    if name != "re":
        try:
            import hyperscan
        except ImportError:
            if name == "hyperscan":
                raise ConfigError(
                    "the matcher hyperscan is not installed",
                    todo="pip install hyperscan, or leave --matcher out to use the slower twin",
                ) from None
        else:
            cached = _Cached(patterns, key, cache_folder)

            def has(scope: str) -> bool:
                name = _database(hyperscan, key, scope)
                return cache_folder is not None and cache.has(name, cache_folder)

            return _Scoped("hyperscan", lambda scope: _Hyperscan(hyperscan, cached, scope), has)
    return _Scoped("re", lambda scope: _Twin(_of_scope(patterns(), scope)))


class Joined(NamedTuple):
    """An engine of patterns that stay the same, and one of those that a repository asks for.

    Apart, another set of those compiles nothing but them, and the two passes take no longer than
    one. `scopes`: those of the second, by number, where they have one; none is for names alone, or
    has another anchor in code.
    """

    first: Matcher
    second: Matcher
    scopes: Mapping[int, str]

    @property
    def name(self) -> str:
        return self.first.name

    def hits(self, data: bytes, scope: str = "") -> list[Hit]:
        return self.first.hits(data, scope) + self._further(data, scope)

    def meets(self, data: bytes, scope: str, but: Container[int]) -> bool:
        if self.first.meets(data, scope, but):
            return True
        return any(number not in but for number, _ in self._further(data, scope))

    def missing(self, scopes: Iterable[str]) -> list[str]:
        return self.first.missing(scopes)

    def _further(self, data: bytes, scope: str) -> list[Hit]:
        wanted, of = _wanted(scope), self.scopes.get
        return [hit for hit in self.second.hits(data, "any") if of(hit[0], "") in wanted]


def _of_scope(patterns: Mapping[int, Pattern], scope: str) -> list[tuple[int, Pattern]]:
    """The patterns for a scope, with their numbers."""
    wanted = _wanted(scope)
    return [
        (number, each._replace(anchor=each.in_code) if each.in_code and scope == "code" else each)
        for number, each in patterns.items()
        if each.scope in wanted
    ]


def _wanted(scope: str) -> set[str]:
    wanted = {"code", "config"} if scope == "any" else {scope}
    return wanted | ({""} if scope == NAME else {"", CONTENT})


class _Engine(Protocol):
    def hits(self, data: bytes) -> list[Hit]: ...
    def meets(self, data: bytes, but: Container[int]) -> bool: ...


class _Scoped:
    """An engine for each scope, made when the first file of it comes."""

    def __init__(
        self,
        name: str,
        make: Callable[[str], _Engine],
        has: Callable[[str], bool] = lambda _scope: True,
    ) -> None:
        self.name = name
        self._make = make
        self._has = has
        self._made: dict[str, _Engine] = {}

    def hits(self, data: bytes, scope: str = "") -> list[Hit]:
        return self._engine(scope).hits(data)

    def meets(self, data: bytes, scope: str, but: Container[int]) -> bool:
        return self._engine(scope).meets(data, but)

    def missing(self, scopes: Iterable[str]) -> list[str]:
        return [scope for scope in scopes if scope not in self._made and not self._has(scope)]

    def _engine(self, scope: str) -> _Engine:
        engine = self._made.get(scope)
        if engine is None:
            engine = self._made[scope] = self._make(scope)
        return engine


class _Cached(NamedTuple):
    """What is compiled, and where the result is kept (None: nowhere)."""

    patterns: Numbered
    key: str
    folder: str | None


class _Numbers(dict[int, int]):
    """The pattern's number by an expression's id, one object for all hits of a pattern: a text may
    have millions."""

    def __missing__(self, expression: int) -> int:
        number = self[expression] = expression & _NUMBER
        return number


class _Hyperscan:
    def __init__(self, engine: Any, cached: _Cached, scope: str) -> None:
        self._engine = engine
        self._patterns = cached.patterns
        self._scope = scope
        self._numbers = _Numbers()
        self._db = self._load(_database(engine, cached.key, scope), cached.folder)
        self._scratch = engine.Scratch(self._db)
        self._db.scratch = self._scratch

    def hits(self, data: bytes) -> list[Hit]:
        found: list[Hit] = []
        of = self._numbers
        self._db.scan(data, lambda i, _from, to, _flags, _context: found.append((of[i], to)))
        return found

    def meets(self, data: bytes, but: Container[int]) -> bool:
        of = self._numbers
        try:  # the first hit ends it
            self._db.scan(data, lambda i, *_: of[i] not in but)
        except self._engine.ScanTerminated:
            return True
        return False

    def _load(self, name: str, cache_folder: str | None) -> Any:
        if cache_folder is None:
            return self._compile()
        mode = self._engine.HS_MODE_BLOCK
        data = cache.cached(name, lambda: self._engine.dumpb(self._compile()), cache_folder)
        try:
            return self._engine.loadb(data, mode)
        except self._engine.error:  # another engine's or processor's, under our name
            database = self._compile()
            cache.store(name, self._engine.dumpb(database), cache_folder)
            return database

    def _compile(self) -> Any:
        hs = self._engine
        flags = hs.HS_FLAG_MULTILINE | hs.HS_FLAG_ALLOWEMPTY
        database = hs.Database(mode=hs.HS_MODE_BLOCK)
        patterns = [
            (number | place << _NUMBER_BITS, expression.encode(), p)
            for number, p in _of_scope(self._patterns(), self._scope)
            for place, expression in enumerate([*map(re.escape, p.literals)] or [p.anchor])
        ]
        try:
            database.compile(
                expressions=[expression for _, expression, _ in patterns],
                ids=[number for number, _, _ in patterns],
                flags=[
                    flags | hs.HS_FLAG_CASELESS * p.ignore_case | hs.HS_FLAG_SINGLEMATCH * p.once
                    for _, _, p in patterns
                ],
            )
        except hs.error as error:
            raise ConfigError(
                "a rule's pattern does not compile in Hyperscan",
                why=str(error)[:300],
                todo="make its repetitions smaller, or give the rule a shorter anchor",
            ) from None
        return database


def _database(engine: Any, key: str, scope: str) -> str:
    """What is compiled, by the name of its file. Engine version and processor features are in it: a
    compiled database fits no others."""
    platform = cache.key(f"{engine.__version__} {_processor()}")[:16]
    return f"database-{key}-{scope or 'every'}-{platform}.hs"


@functools.cache
def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith(("flags", "Features")):
                    return line
    except OSError:
        pass
    import platform

    return f"{platform.machine()} {platform.processor()}"


class _Twin:
    def __init__(self, patterns: Sequence[tuple[int, Pattern]]) -> None:
        self._by_keyword: dict[bytes, list[int]] = {}
        self._by_regex: list[tuple[int, re.Pattern[bytes]]] = []
        self._once: dict[int, re.Pattern[bytes]] = {}
        self._spelled: list[tuple[int, re.Pattern[bytes], _Spelling]] = []
        for index, pattern in patterns:
            for keyword in pattern.keywords:
                self._by_keyword.setdefault(keyword.encode(), []).append(index)
            flags = re.MULTILINE | (re.IGNORECASE if pattern.ignore_case else 0)
            if pattern.once:
                self._once[index] = re.compile(pattern.anchor.encode(), flags)
            elif pattern.literals:
                anchor = re.compile(pattern.anchor.encode(), flags)
                self._spelled.append((index, anchor, _spelling(pattern.literals)))
            elif not pattern.keywords:
                self._by_regex.append((index, re.compile(pattern.anchor.encode(), flags)))

    def hits(self, data: bytes) -> list[Hit]:
        lowered = data.lower()
        found = [
            (index, at + len(keyword))
            for keyword, indexes in self._by_keyword.items()
            for at in _places(keyword, lowered)
            for index in indexes
        ]
        found += [(i, m.end()) for i, regex in self._by_regex for m in regex.finditer(data)]
        for index, anchor, spelling in self._spelled:
            text = lowered if anchor.flags & re.IGNORECASE else data
            found += [(index, to) for to in _spelled(spelling, anchor, text)]
        return self._without_more(found, data) if self._once else found

    def meets(self, data: bytes, but: Container[int]) -> bool:
        return any(number not in but for number, _ in self.hits(data))

    def _without_more(self, found: list[Hit], data: bytes) -> list[Hit]:
        """Of what is asked for once, one hit each, and only where the anchor itself matches."""
        met = {index for index, _ in found if index in self._once}
        single = [(i, m.end()) for i in met if (m := self._once[i].search(data))]
        return [hit for hit in found if hit[0] not in self._once] + single


_Spelling = dict[bytes, list[bytes]]
_HEAD = 4  # characters of a literal that tell which ones it may be
_NEAR = 128  # characters


def _spelling(literals: Sequence[str]) -> _Spelling:
    """The literals by their first characters."""
    by_head: _Spelling = {}
    for literal in map(str.encode, literals):
        by_head.setdefault(literal[:_HEAD], []).append(literal)
    return by_head


def _spelled(spelling: _Spelling, anchor: re.Pattern[bytes], text: bytes) -> Iterator[int]:
    """Where literals near a match of the anchor end."""
    reached = 0
    for m in anchor.finditer(text):
        for at in range(max(reached, m.start() - _NEAR), m.end() + _NEAR):
            for literal in spelling.get(text[at : at + _HEAD], ()):
                if text.startswith(literal, at):
                    yield at + len(literal)
        reached = max(reached, m.end() + _NEAR)


def _places(needle: bytes, text: bytes) -> Sequence[int]:
    """Each place of `needle`; of several in one line at most one in 256 bytes."""
    places = []
    at = text.find(needle)
    while at >= 0:
        places.append(at)
        end_of_line = text.find(b"\n", at)
        skip = min(end_of_line if end_of_line >= 0 else len(text), at + 256)
        at = text.find(needle, max(skip, at + 1))
    return places
