"""Detect: what detect-secrets finds in a file, from the places where a prefilter matched."""

from __future__ import annotations

import functools
import re
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from scanner.detect.detect_secrets import candidate_lines
from scanner.detect.detect_secrets.found import Found
from scanner.detect.detect_secrets.ini import ini_lines
from scanner.detect.detect_secrets.limits import MOST_LINES, Split, demand, places
from scanner.detect.detect_secrets.settings import ALLOWLIST, DetectSecretsSettings

_YAML = (".yaml", ".yml", ".eyaml")
# In double quotes, an escape that makes other text than what the prefilters see.
_ESCAPE = re.compile(
    rb'(?:^|[:,\[{?-])[ \t]*(?:[&!][^\s"]{0,100}[ \t]+){0,2}"(?:[^"\\]|\\[nrt"\\])*\\[^nrt"\\]',
    re.MULTILINE,
)
# A YAML file is INI, too, where a section comes first.
_SECTION_FIRST = re.compile(rb"(?:\s*[#;][^\r\n]*[\r\n])*\s*\[")
_ALIAS_AS_KEY = re.compile(rb"\*[^\s,\[\]{}]{1,200}[ \t]+:\s")
_LINE_END = re.compile(rb"\r\n?|\n")
_MOST_SEARCHED = 100_000_000
_AROUND = (('"', '"'), ("'", "'"), ("`", "`"), (":", "@"))


class _Lines(Protocol):
    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> str: ...


class _Candidates(NamedTuple):
    """Lines as the plugins see them.

    `plugins`: the numbers (from 0) of lines to look at, and the plugins that can find something
    there, None for any. `extents`: the lines of the file (from 1) that a line was made of, where
    it is not just itself.
    """

    lines: _Lines
    plugins: Mapping[int, frozenset[str] | None]
    extents: Mapping[int, tuple[int, int]] = {}


def scan(
    path: str,
    data: bytes,
    ends: Sequence[int],
    settings: DetectSecretsSettings,
    numbers: Sequence[int] | None = None,
) -> tuple[Found, ...]:
    """The findings of `detect-secrets scan --all-files -n` in one file, by kind and hash.

    `ends`: where prefilters matched, as rising end offsets into `data`, the whole file;
    `numbers[i]`: the number of the prefilter that matched at `ends[i]`, which spares most of the
    work. A file that detect-secrets cannot read (not UTF-8) has no findings. TooLargeError for one
    that would take too much memory.
    """
    path = path.encode(errors="surrogateescape").decode(errors="replace")  # as RE2 takes it
    is_yaml = path.endswith(_YAML)
    ini = bool(not is_yaml or _SECTION_FIRST.match(data))
    hit = candidate_lines.lines(data, ends, numbers, settings, ini=ini) if ends else {}
    if not hit and not (is_yaml and _is_odd(data)):
        return ()
    checks = _checks(settings)
    if checks.passed_over(path):
        return ()
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return ()
    if "\r" in text:
        text = text.replace("\r\n", "\n")
        if "\r" in text:  # breaks of lines that a matcher does not take for such
            text = text.replace("\r", "\n")
            demand(text.count("\n"), MOST_LINES)
            every = frozenset(part.name for part in settings.plugins)
            hit = dict.fromkeys(range(text.count("\n") + 1), every)
    for candidates in _passes(path, text, hit, checks):
        found = _search(path, candidates, checks)
        if found:
            places = _Places(data)
            return tuple(places.located(one, extent) for one, extent in found)
    return ()


def _is_odd(data: bytes) -> bool:
    """Can this YAML hold texts that no prefilter sees?"""
    return bool(
        (b"\\" in data and _ESCAPE.search(data)) or (b"*" in data and _ALIAS_AS_KEY.search(data))
    )


def _passes(
    path: str, text: str, hit: candidate_lines.Lines, checks: _Checks
) -> Iterator[_Candidates]:
    """The readings of a file that detect-secrets tries until one has a secret."""
    lines = ini_lines(text, checks.is_pragma, headless=False)
    if lines:
        yield _everywhere(lines, hit)
    else:
        transformed = _yaml(text, hit) if path.endswith(_YAML) else None
        yield transformed or _Candidates(Split(text), hit)
    if checks.is_other(path):
        lines = ini_lines(text, checks.is_pragma, headless=True)
        if lines:
            yield _everywhere(lines, hit)


def _everywhere(lines: list[str], hit: candidate_lines.Lines) -> _Candidates:
    """In INI, a value may stand far from its key: what matched anywhere may be in any line."""
    plugins = frozenset().union(*hit.values())
    return _Candidates(lines, dict.fromkeys(range(len(lines)), plugins))


def _yaml(text: str, hit: candidate_lines.Lines) -> _Candidates | None:
    """A YAML file as its transformer writes it; None if it is not one document, or has no text."""
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
            met = numbers[low : bisect_left(numbers, source.last, low)]
            if met or source.escaped:
                known = frozenset().union(*(hit[number] for number in met))
                plugins[index] = None if source.escaped else known
                extents[index] = source.first, source.last
    return _Candidates(lines, plugins, extents)


class _Checks:
    """Plugins and filters of one configuration, loaded when the first file has a candidate."""

    def __init__(self, settings: DetectSecretsSettings) -> None:
        from scanner.detect.detect_secrets import library, plugins
        from scanner.detect.detect_secrets.filters import Filters
        from scanner.detect.detect_secrets.linear_regex import linear

        self._plugins = [plugins.make(part) for part in settings.plugins]
        self._filters = Filters(settings)
        self._types = library.module("util.filetype")
        allowlist = library.module(ALLOWLIST.split(".", 1)[1].rsplit(".", 1)[0])
        pragmas = [allowlist.get_allowlist_regexes((mark, ""), nextline=True) for mark in "#;"]
        self._pragmas = [linear(regex) for regex in pragmas]

    def passed_over(self, path: str) -> bool:
        return self._filters.hide("filename", filename=path)

    def is_other(self, path: str) -> bool:
        """Of no known type: the kind of file that may be INI without a section."""
        other: bool = self._types.determine_file_type(path) == self._types.FileType.OTHER
        return other

    def is_pragma(self, line: str) -> bool:
        return "pragma" in line and any(regex.search(line) for regex in self._pragmas)

    def secrets(
        self, path: str, line: str, previous: str, names: frozenset[str] | None
    ) -> Iterator[tuple[str, str]]:
        """(kind, secret) of one line, by the plugins `names`, or any."""
        lowered = line.lower() if line.isascii() else ""
        found = [
            (plugin, secret)
            for plugin in self._plugins
            if (names is None or plugin.name in names)
            and (not lowered or plugin.wanted(line, lowered))
            for secret in plugin.secrets(path, line)
        ]
        hidden = found and self._filters.hide("line", filename=path, line=line, previous=previous)
        for plugin, secret in found if not hidden else ():
            values = {"secret": secret, "line": line, "plugin": plugin.own}
            if not self._filters.hide("secret", filename=path, **values):
                yield plugin.kind, secret


@functools.lru_cache(maxsize=4)
def _checks(settings: DetectSecretsSettings) -> _Checks:
    return _Checks(settings)


_Extent = tuple[int, int]


def _search(path: str, candidates: _Candidates, checks: _Checks) -> list[tuple[Found, _Extent]]:
    """The first place of each secret, and the lines of the file that it is in."""
    hashed: Callable[[str], str] = _hash()
    found: dict[tuple[str, str], tuple[Found, _Extent]] = {}
    for number, names in candidates.plugins.items():
        if number >= len(candidates.lines):
            continue
        line = candidates.lines[number].rstrip()
        previous = candidates.lines[number - 1] if number else ""
        for kind, secret in checks.secrets(path, line, previous, names):
            try:
                key = kind, hashed(secret)
            except UnicodeEncodeError:  # half a surrogate pair, from an escape in YAML
                continue
            extent = candidates.extents.get(number, (number + 1, number + 1))
            found.setdefault(key, (Found(*key, number + 1, secret), extent))
    return list(found.values())


def _hash() -> Callable[[str], str]:
    from scanner.detect.detect_secrets import library

    function: Callable[[str], str]
    function = library.module("core.potential_secret").PotentialSecret.hash_secret
    return function


class _Places:
    """Where values stand in the bytes of a file, for as many as that can be asked in short time."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._starts = array("I", [0])
        if b"\r" in data:
            self._starts.extend(found.end() for found in _LINE_END.finditer(data))
        else:
            self._starts.extend(at + 1 for at in places(b"\n", data))
        self._starts.append(len(data))
        self._left = _MOST_SEARCHED

    def located(self, found: Found, extent: _Extent) -> Found:
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
