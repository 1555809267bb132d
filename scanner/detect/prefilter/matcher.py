"""Detect: the prefilter. It searches a file for many patterns in one pass.

A hit is `(pattern number, end offset)`. It says where the engine should look, and does not mean
that a secret is there. Hyperscan is the default matcher. The `re` matcher does the same without
compiled code: tests compare the two, and it is the fallback if Hyperscan has no wheel.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from scanner import cache
from scanner.errors import ConfigError

Hit = tuple[int, int]
OWN = 1 << 15
"""The number of a repository's first own rule. The shipped rules begin at 0."""

NAME, CONTENT = "name", "content"
"""Scopes: searched only in the names of files, and only in their contents."""

# The patterns are compiled into one database for all files, and small ones for some of them. With
# one whole database for each scope, the first scan on a new machine would take four times as long.
_COMMON = "common"
_OF_SCOPE = {
    "": (_COMMON,),
    "any": (_COMMON, "code", "config"),
    "code": (_COMMON, "code"),
    "config": (_COMMON, "config"),
    NAME: (_COMMON, NAME),
}
DATABASES = (_COMMON, "code", "config", NAME)

# `(?i:github|gitlab)`, which is not repeated
_FIRST_WORDS = re.compile(r"\(\?i:([a-z0-9]+(?:\|[a-z0-9]+)+)\)(?![?*+{])")
# An escape, a class, or a single character
_SYNTAX = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)

# The lower bits of an expression's ID are the number of its pattern; the upper bits make the IDs
# unique. Hyperscan takes twice as long to compile several expressions with the same ID.
_NUMBER_BITS = 16
_NUMBER = (1 << _NUMBER_BITS) - 1


class Pattern(NamedTuple):
    """A pattern that the prefilter searches.

    anchor: a regular expression; each match is a hit.
    keywords: lower-case literals; each match contains at least one of them.
    once: report only one hit in a text, at a match of the anchor.
    scope: "code" or "config" for a pattern that is searched only in such files, NAME, CONTENT, or
        "" for all of them. A pattern with any other scope is never searched. Names of files may
        have hits of patterns for CONTENT, which mean nothing.
    in_code: the anchor for code, if it differs.
    literals: texts of at least four characters. If given, the hits are their ends. Hyperscan
        searches thousands of literals at no cost. The `re` matcher cannot, so it searches them only
        near matches of the anchor.
    """

    anchor: str
    ignore_case: bool = False
    keywords: tuple[str, ...] = ()
    once: bool = False
    scope: str = ""
    in_code: str = ""
    literals: tuple[str, ...] = ()


_FEW_HITS = 1 << 17


def most_hits(size: int) -> int:
    """Return how many hits are kept of a text of `size` bytes.

    A text with more of them was not searched to its end: they would take much memory.
    """
    return _FEW_HITS + size // 64


class Matcher(Protocol):
    """Searches texts for one set of patterns."""

    @property
    def name(self) -> str: ...

    def hits(self, data: bytes, scope: str = "") -> list[Hit]:
        """Return hits in any order: at least one in the lines of each match of a pattern.

        `scope` is "code", "config", "any" (the patterns of both), NAME or "" (only patterns without
        a scope, and those for CONTENT). Patterns without a scope are always searched.
        """

    def has_hit(self, data: bytes, scope: str, ignored: Container[int]) -> bool:
        """Is there a hit of a pattern whose number is not in `ignored`?"""

    def missing(self, scopes: Iterable[str]) -> list[str]:
        """Return the databases for these scopes that must still be compiled."""

    def load(self, databases: Iterable[str]) -> None:
        """Load these databases, or compile them, which takes up to a second for each."""


PatternSource = Callable[[], Mapping[int, Pattern]]
"""Returns the patterns by number. It is called only if they are not in the cache."""


def build(name: str, patterns: PatternSource, key: str, cache_folder: str | None) -> Matcher:
    """Return the matcher `name`: "hyperscan", "re" or "auto" (Hyperscan if it is installed).

    `key` identifies the patterns in the cache. Raises ConfigError if `name` is
    "hyperscan" and it is not installed.
    """
    if name != "re":
        try:
            import hyperscan
        except ImportError:
            if name == "hyperscan":
                raise ConfigError(
                    "the matcher hyperscan is not installed",
                    todo="pip install hyperscan, or omit --matcher to use the slower re matcher",
                ) from None
        else:
            cached = _CachedPatterns(patterns=patterns, key=key, folder=cache_folder)

            def is_compiled(database: str) -> bool:
                name = _database_name(hyperscan, key, database)
                return cache.has(name, cache_folder)

            def make(database: str) -> _Hyperscan:
                return _Hyperscan(hyperscan, cached, database)

            return _ScopedMatcher("hyperscan", make, is_compiled)
    return _ScopedMatcher("re", lambda database: _ReMatcher(_of_database(patterns(), database)))


class CombinedMatcher(NamedTuple):
    """Combines the matcher of the shipped patterns with that of a repository's own patterns.

    They are separate because the shipped patterns then need not be compiled again for each
    repository. Two passes take no longer than one.

    scopes: where the hits of the second matcher count: scopes by the numbers of its patterns. For
        that matcher, these patterns have no scope.
    """

    first: Matcher
    second: Matcher
    scopes: Mapping[int, str]

    @property
    def name(self) -> str:
        return self.first.name

    def hits(self, data: bytes, scope: str = "") -> list[Hit]:
        return self.first.hits(data, scope) + self._hits_of_second(data, scope)

    def has_hit(self, data: bytes, scope: str, ignored: Container[int]) -> bool:
        if self.first.has_hit(data, scope, ignored):
            return True
        return any(number not in ignored for number, _ in self._hits_of_second(data, scope))

    def missing(self, scopes: Iterable[str]) -> list[str]:
        return self.first.missing(scopes)

    def load(self, databases: Iterable[str]) -> None:
        self.first.load(databases)

    def _hits_of_second(self, data: bytes, scope: str) -> list[Hit]:
        wanted = _wanted(scope)
        return [hit for hit in self.second.hits(data) if self.scopes.get(hit[0], "") in wanted]


def _wanted(scope: str) -> set[str]:
    """Return the scopes of the patterns that count in a file of this scope."""
    wanted = {"code", "config"} if scope == "any" else {scope}
    return wanted | ({""} if scope == NAME else {"", CONTENT})


def _of_database(patterns: Mapping[int, Pattern], database: str) -> list[tuple[int, Pattern]]:
    """Return the patterns in a database, with their numbers."""
    found = [(number, each) for number, each in patterns.items() if database in _databases(each)]
    if database != "code":
        return found
    return [(number, each._replace(anchor=each.in_code or each.anchor)) for number, each in found]


def _databases(pattern: Pattern) -> tuple[str, ...]:
    """Return the databases that contain a pattern."""
    if pattern.in_code:
        return ("code", "config", NAME)
    return (_COMMON,) if pattern.scope in {"", CONTENT} else (pattern.scope,)


class _Engine(Protocol):
    """Searches texts with one database."""

    def hits(self, data: bytes) -> list[Hit]: ...
    def has_hit(self, data: bytes, ignored: Container[int]) -> bool: ...


class _ScopedMatcher:
    """A matcher whose databases are loaded when they are first needed."""

    def __init__(
        self,
        name: str,
        make: Callable[[str], _Engine],
        is_compiled: Callable[[str], bool] = lambda _database: True,
    ) -> None:
        self.name = name
        self._make = make
        self._is_compiled = is_compiled
        self._engines: dict[str, _Engine] = {}

    def hits(self, data: bytes, scope: str = "") -> list[Hit]:
        found = self._engine(_COMMON).hits(data)
        for database in _OF_SCOPE[scope][1:]:
            found += self._engine(database).hits(data)
        return found

    def has_hit(self, data: bytes, scope: str, ignored: Container[int]) -> bool:
        return any(self._engine(each).has_hit(data, ignored) for each in _OF_SCOPE[scope])

    def missing(self, scopes: Iterable[str]) -> list[str]:
        needed = dict.fromkeys(each for scope in scopes for each in _OF_SCOPE[scope])
        not_loaded = (each for each in needed if each not in self._engines)
        return [each for each in not_loaded if not self._is_compiled(each)]

    def load(self, databases: Iterable[str]) -> None:
        for each in databases:
            self._engine(each)

    def _engine(self, database: str) -> _Engine:
        engine = self._engines.get(database)
        if engine is None:
            engine = self._engines[database] = self._make(database)
        return engine


_NO_PATTERNS = b"no patterns"  # not b"", which may be a damaged file


class _CachedPatterns(NamedTuple):
    """Patterns, their cache key, and the cache folder (None: do not cache)."""

    patterns: PatternSource
    key: str
    folder: str | None


class _PatternNumbers(dict[int, int]):
    """Maps the ID of an expression to the number of its pattern.

    All hits of a pattern share one int object, because a text may have millions of hits.
    """

    def __missing__(self, expression: int) -> int:
        number = self[expression] = expression & _NUMBER
        return number


class _Hyperscan:
    """Searches with a compiled Hyperscan database, which is kept in the cache."""

    def __init__(self, engine: Any, cached: _CachedPatterns, database: str) -> None:
        self._engine = engine
        self._patterns = cached.patterns
        self._name = database
        self._numbers = _PatternNumbers()
        self._db = self._load(_database_name(engine, cached.key, database), cached.folder)
        if self._db:
            self._scratch = engine.Scratch(self._db)
            self._db.scratch = self._scratch

    def hits(self, data: bytes) -> list[Hit]:
        found: list[Hit] = []
        if not self._db:
            return found
        numbers = self._numbers
        if len(data) < _FEW_HITS:  # it cannot have too many hits for memory
            self._db.scan(
                data,
                lambda number, _from, to, _flags, _context: found.append((numbers[number], to)),
            )
            return found
        most = most_hits(len(data))

        def add(number: int, _from: int, to: int, _flags: int, _context: object) -> bool:
            found.append((numbers[number], to))
            return len(found) > most

        with contextlib.suppress(self._engine.ScanTerminated):
            self._db.scan(data, add)
        return found

    def has_hit(self, data: bytes, ignored: Container[int]) -> bool:
        if not self._db:
            return False
        numbers = self._numbers
        try:  # a callback that returns True stops the scan
            self._db.scan(data, lambda number, *_: numbers[number] not in ignored)
        except self._engine.ScanTerminated:
            return True
        return False

    def _load(self, name: str, cache_folder: str | None) -> Any:
        """The database, or None if it has no patterns, for which the cache holds _NO_PATTERNS."""
        mode = self._engine.HS_MODE_BLOCK
        data = cache.cached(name, lambda: self._dumped(self._compile()), cache_folder)
        try:
            return None if data == _NO_PATTERNS else self._engine.loadb(data, mode)
        except self._engine.error:  # it was compiled by another version or for another processor
            database = self._compile()
            if cache_folder:
                cache.store(name, self._dumped(database), cache_folder)
            return database

    def _dumped(self, database: Any) -> bytes:
        data: bytes = self._engine.dumpb(database) if database else _NO_PATTERNS
        return data

    def _compile(self) -> Any:
        hs = self._engine
        flags = hs.HS_FLAG_MULTILINE | hs.HS_FLAG_ALLOWEMPTY
        database = hs.Database(mode=hs.HS_MODE_BLOCK)
        patterns = [
            (number | place << _NUMBER_BITS, expression.encode(), pattern)
            for number, pattern in _of_database(self._patterns(), self._name)
            for place, expression in enumerate(_expressions(pattern))
        ]
        if not patterns:
            return None
        try:
            database.compile(
                expressions=[expression for _, expression, _ in patterns],
                ids=[expression_id for expression_id, _, _ in patterns],
                flags=[
                    flags
                    | hs.HS_FLAG_CASELESS * pattern.ignore_case
                    | hs.HS_FLAG_SINGLEMATCH * pattern.once
                    for _, _, pattern in patterns
                ],
            )
        except hs.error as error:
            raise ConfigError(
                "a rule's pattern does not compile in Hyperscan",
                why=str(error)[:300],
                todo="make its repetitions smaller, or give the rule a shorter anchor",
            ) from None
        return database


def _expressions(pattern: Pattern) -> list[str]:
    """What Hyperscan looks for: the literals, or the anchor.

    An anchor that begins with one of many words becomes an expression for each word. Hyperscan then
    finds the words with its matcher of literals, in a tenth of the time (`bench/run.py trees`).
    """
    if pattern.literals:
        return [*map(re.escape, pattern.literals)]
    words = _FIRST_WORDS.match(pattern.anchor)
    if not words or _has_alternatives(pattern.anchor[words.end() :]):
        return [pattern.anchor]
    rest = pattern.anchor[words.end() :]
    return [f"(?i:{word}){rest}" for word in words[1].split("|")]


def _has_alternatives(expression: str) -> bool:
    """Is there a `|` outside of all groups?"""
    depth = 0
    for part in _SYNTAX.findall(expression):
        depth += (part == "(") - (part == ")")
        if part == "|" and not depth:
            return True
    return False


def _database_name(engine: Any, key: str, database: str) -> str:
    """Return the file name of a compiled database in the cache.

    It depends on the version of Hyperscan and on the processor, as the database does.
    """
    platform = cache.key(f"{engine.__version__} {_processor()}")[:16]
    return f"database-{key}-{database}-{platform}.hs"


@functools.cache
def _processor() -> str:
    """Return a text that differs between processors with different features."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith(("flags", "Features")):
                    return line
    except OSError:
        pass
    import platform

    return f"{platform.machine()} {platform.processor()}"


class _ReMatcher:
    """Searches with `re`. It reports the same lines as Hyperscan, in more time."""

    def __init__(self, patterns: Sequence[tuple[int, Pattern]]) -> None:
        self._by_keyword: dict[bytes, list[int]] = {}
        self._by_regex: list[tuple[int, re.Pattern[bytes]]] = []
        self._once: dict[int, re.Pattern[bytes]] = {}
        self._by_literals: list[tuple[int, re.Pattern[bytes], _LiteralsByHead]] = []
        for index, pattern in patterns:
            for keyword in pattern.keywords:
                self._by_keyword.setdefault(keyword.encode(), []).append(index)
            flags = re.MULTILINE | (re.IGNORECASE if pattern.ignore_case else 0)
            if pattern.once:
                self._once[index] = re.compile(pattern.anchor.encode(), flags)
            elif pattern.literals:
                anchor = re.compile(pattern.anchor.encode(), flags)
                self._by_literals.append((index, anchor, _by_head(pattern.literals)))
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
        for index, anchor, literals in self._by_literals:
            text = lowered if anchor.flags & re.IGNORECASE else data
            found += [(index, to) for to in _literal_ends(literals, anchor, text)]
        return self._with_single_hits(found, data) if self._once else found

    def has_hit(self, data: bytes, ignored: Container[int]) -> bool:
        return any(number not in ignored for number, _ in self.hits(data))

    def _with_single_hits(self, found: list[Hit], data: bytes) -> list[Hit]:
        """Replace the hits of each pattern that has `once` with the first match of its anchor."""
        indexes = {index for index, _ in found if index in self._once}
        single = [(i, m.end()) for i in indexes if (m := self._once[i].search(data))]
        return [hit for hit in found if hit[0] not in self._once] + single


_LiteralsByHead = dict[bytes, list[bytes]]
_HEAD = 4  # bytes: the literals are indexed by their head
_NEAR = 128  # bytes around a match of the anchor in which literals are searched


def _by_head(literals: Sequence[str]) -> _LiteralsByHead:
    by_head: _LiteralsByHead = {}
    for literal in map(str.encode, literals):
        by_head.setdefault(literal[:_HEAD], []).append(literal)
    return by_head


def _literal_ends(
    by_head: _LiteralsByHead, anchor: re.Pattern[bytes], text: bytes
) -> Iterator[int]:
    """Return the ends of the literals near the matches of the anchor."""
    reached = 0
    for m in anchor.finditer(text):
        for at in range(max(reached, m.start() - _NEAR), m.end() + _NEAR):
            for literal in by_head.get(text[at : at + _HEAD], ()):
                if text.startswith(literal, at):
                    yield at + len(literal)
        reached = max(reached, m.end() + _NEAR)


def _places(needle: bytes, text: bytes) -> Sequence[int]:
    """Return where `needle` begins: at most one offset for each line, or for 256 bytes of it."""
    places = []
    at = text.find(needle)
    while at >= 0:
        places.append(at)
        end_of_line = text.find(b"\n", at)
        skip = min(end_of_line if end_of_line >= 0 else len(text), at + 256)
        at = text.find(needle, max(skip, at + 1))
    return places
