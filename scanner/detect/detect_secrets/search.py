"""Detect: run detect-secrets on the lines of a file in which a prefilter matched."""

from __future__ import annotations

import functools
import re
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from scanner.detect.detect_secrets import candidate_lines
from scanner.detect.detect_secrets.found import FoundSecret
from scanner.detect.detect_secrets.ini import ini_lines
from scanner.detect.detect_secrets.limits import MAX_LINES, SplitLines, offsets_of, require_at_most
from scanner.detect.detect_secrets.settings import ALLOWLIST, DetectSecretsSettings

_YAML = (".yaml", ".yml", ".eyaml")
# A double-quoted YAML text with an escape that may hide text from the prefilters: `: "\x41`.
_ESCAPE = re.compile(
    rb'(?:^|[:,\[{?-])[ \t]*(?:[&!][^\s"]{0,100}[ \t]+){0,2}"(?:[^"\\]|\\[nrt"\\])*\\[^nrt"\\]',
    re.MULTILINE,
)
# A YAML file that begins with a section may also be INI.
_SECTION_FIRST = re.compile(rb"(?:\s*[#;][^\r\n]*[\r\n])*\s*\[")
_ALIAS_AS_KEY = re.compile(rb"\*[^\s,\[\]{}]{1,200}[ \t]+:\s")
_LINE_END = re.compile(rb"\r\n?|\n")
_MAX_SEARCHED = 100_000_000  # bytes
# The characters around a value that locate it best.
_AROUND = (('"', '"'), ("'", "'"), ("`", "`"), (":", "@"))


class _LineSequence(Protocol):
    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> str: ...


class _Candidates(NamedTuple):
    """The lines of a file, or of its transformation, with the plugins to run on them.

    plugins: for each line to search, numbered from 0, the plugins to run; None for all.
    extents: for lines of a transformation, the first and last line of the file that they were made
        from, numbered from 1; (0, 0) if unknown.
    """

    lines: _LineSequence
    plugins: Mapping[int, frozenset[str] | None]
    extents: Mapping[int, tuple[int, int]] = {}


def scan(
    path: str,
    data: bytes,
    ends: Sequence[int],
    settings: DetectSecretsSettings,
    numbers: Sequence[int] | None = None,
) -> tuple[FoundSecret, ...]:
    """Return the findings of `detect-secrets scan --all-files -n` in one file.

    data: the whole file. One that is not UTF-8 has no findings, as in detect-secrets.
    ends: the sorted end offsets of the prefilters' matches.
    numbers: the number of the prefilter for each of `ends`; without them, all plugins run.

    Raises TooLargeError for a file that would take too much memory.
    """
    path = path.encode(errors="surrogateescape").decode(errors="replace")  # RE2 needs UTF-8
    is_yaml = path.endswith(_YAML)
    ini = bool(not is_yaml or _SECTION_FIRST.match(data))
    hit = candidate_lines.lines(data, ends, numbers, settings, ini=ini) if ends else {}
    if not hit and not (is_yaml and _may_hide_text(data)):
        return ()
    scanner = _line_scanner(settings)
    if scanner.ignores_file(path):
        return ()
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return ()
    if "\r" in text:
        text = text.replace("\r\n", "\n")
        if "\r" in text:  # a line break for detect-secrets, but not for the prefilter
            text = text.replace("\r", "\n")
            require_at_most(text.count("\n"), MAX_LINES)
            every = frozenset(component.name for component in settings.plugins)
            hit = dict.fromkeys(range(text.count("\n") + 1), every)
    for candidates in _readings(path, text, hit, scanner):
        found = _search(path, candidates, scanner)
        if found:
            locator = _Locator(data)
            return tuple(locator.locate(secret, extent) for secret, extent in found)
    return ()


def _may_hide_text(data: bytes) -> bool:
    """May this YAML contain texts that no prefilter sees?"""
    return bool(
        (b"\\" in data and _ESCAPE.search(data)) or (b"*" in data and _ALIAS_AS_KEY.search(data))
    )


def _readings(
    path: str, text: str, hit: candidate_lines.CandidateLines, scanner: _LineScanner
) -> Iterator[_Candidates]:
    """Yield the readings of a file that detect-secrets tries until one has a secret."""
    lines = ini_lines(text, scanner.is_pragma, sectionless=False)
    if lines:
        yield _all_lines(lines, hit)
    else:
        transformed = _yaml(text, hit) if path.endswith(_YAML) else None
        yield transformed or _Candidates(lines=SplitLines(text), plugins=hit)
    if scanner.has_unknown_type(path):
        lines = ini_lines(text, scanner.is_pragma, sectionless=True)
        if lines:
            yield _all_lines(lines, hit)


def _all_lines(lines: list[str], hit: candidate_lines.CandidateLines) -> _Candidates:
    """Return all lines of INI with all plugins, since a value may be far from its key."""
    plugins = frozenset().union(*hit.values())
    return _Candidates(lines=lines, plugins=dict.fromkeys(range(len(lines)), plugins))


def _yaml(text: str, hit: candidate_lines.CandidateLines) -> _Candidates | None:
    """Return the transformed lines of YAML; None if it is not one document, or has no text."""
    from scanner.detect.detect_secrets.yaml_lines import yaml_lines

    lines = yaml_lines(text)
    if lines is None:
        return None
    numbers = list(hit)
    plugins: dict[int, frozenset[str] | None] = {}
    extents: dict[int, tuple[int, int]] = {}
    for index, source in enumerate(lines.sources):
        if source:
            low = bisect_left(numbers, source.first - 1)
            hits = numbers[low : bisect_left(numbers, source.last, low)]
            if hits or source.escaped:
                matched = frozenset().union(*(hit[number] for number in hits))
                plugins[index] = None if source.escaped else matched
                extents[index] = source.first, source.last
    return _Candidates(lines=lines, plugins=plugins, extents=extents)


class _Secret(NamedTuple):
    """The type and the text of a secret in a line."""

    kind: str
    text: str


class _LineScanner:
    """Plugins and filters of one configuration, created for the first file with a candidate."""

    def __init__(self, settings: DetectSecretsSettings) -> None:
        from scanner.detect.detect_secrets import library, plugins
        from scanner.detect.detect_secrets.filters import Filters
        from scanner.detect.detect_secrets.linear_regex import linear

        self._plugins = [plugins.create(component) for component in settings.plugins]
        self._filters = Filters(settings)
        self._types = library.module("util.filetype")
        allowlist = library.module(ALLOWLIST.split(".", 1)[1].rsplit(".", 1)[0])
        pragmas = [allowlist.get_allowlist_regexes((mark, ""), nextline=True) for mark in "#;"]
        self._pragmas = [linear(regex) for regex in pragmas]

    def ignores_file(self, path: str) -> bool:
        """Does a filter ignore the file?"""
        return self._filters.ignore("filename", filename=path)

    def has_unknown_type(self, path: str) -> bool:
        """Has the file no known type? Then detect-secrets also tries INI without a section."""
        unknown: bool = self._types.determine_file_type(path) == self._types.FileType.OTHER
        return unknown

    def is_pragma(self, line: str) -> bool:
        """Is the line a comment that allows a secret in the next line?"""
        return "pragma" in line and any(regex.search(line) for regex in self._pragmas)

    def secrets(
        self, path: str, line: str, previous: str, names: frozenset[str] | None
    ) -> Iterator[_Secret]:
        """Yield the secrets of a line that no filter ignores.

        `names` are the plugins to run; None for all. `previous` is the line before.
        """
        lowered = line.lower() if line.isascii() else ""
        found = [
            (plugin, secret)
            for plugin in self._plugins
            if (names is None or plugin.name in names)
            and (not lowered or plugin.may_match(line, lowered))
            for secret in plugin.secrets(path, line)
        ]
        if not found or self._filters.ignore("line", filename=path, line=line, previous=previous):
            return
        for plugin, secret in found:
            values = {"secret": secret, "line": line, "plugin": plugin.library_plugin}
            if not self._filters.ignore("secret", filename=path, **values):
                yield _Secret(kind=plugin.kind, text=secret)


@functools.lru_cache(maxsize=4)
def _line_scanner(settings: DetectSecretsSettings) -> _LineScanner:
    return _LineScanner(settings)


_Extent = tuple[int, int]


def _search(
    path: str, candidates: _Candidates, scanner: _LineScanner
) -> list[tuple[FoundSecret, _Extent]]:
    """Return the first occurrence of each secret, with the lines of the file that it is from."""
    hashed: Callable[[str], str] = _hash()
    found: dict[tuple[str, str], tuple[FoundSecret, _Extent]] = {}
    for number, names in candidates.plugins.items():
        if number >= len(candidates.lines):
            continue
        line = candidates.lines[number].rstrip()
        previous = candidates.lines[number - 1] if number else ""
        for secret in scanner.secrets(path, line, previous, names):
            try:
                digest = hashed(secret.text)
            except UnicodeEncodeError:  # a YAML escape gives half a surrogate pair
                continue
            occurrence = FoundSecret(
                kind=secret.kind, hashed_secret=digest, line=number + 1, secret=secret.text
            )
            extent = candidates.extents.get(number, (number + 1, number + 1))
            found.setdefault((secret.kind, digest), (occurrence, extent))
    return list(found.values())


def _hash() -> Callable[[str], str]:
    from scanner.detect.detect_secrets import library

    function: Callable[[str], str]
    function = library.module("core.potential_secret").PotentialSecret.hash_secret
    return function


class _Locator:
    """Finds the offsets of values in a file. It stops after a limit, to bound the time."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._starts = array("I", [0])
        if b"\r" in data:
            self._starts.extend(found.end() for found in _LINE_END.finditer(data))
        else:
            self._starts.extend(at + 1 for at in offsets_of(b"\n", data))
        self._starts.append(len(data))
        self._left = _MAX_SEARCHED

    def locate(self, found: FoundSecret, extent: _Extent) -> FoundSecret:
        """Return the finding with the span of its value, if the file's lines contain it."""
        first, last = extent if extent[0] else (1, len(self._starts))
        start = self._starts[min(first, len(self._starts)) - 1]
        end = self._starts[min(last, len(self._starts) - 1)]
        self._left -= end - start
        if self._left < 0:
            return found
        value = found.secret.encode()
        for before, after in _AROUND:
            at = self._data.find(before.encode() + value + after.encode(), start, end)
            if at >= 0:
                return found._replace(start=at + 1, end=at + 1 + len(value))
        at = self._data.rfind(value, start, end)
        return found if at < 0 else found._replace(start=at, end=at + len(value))
