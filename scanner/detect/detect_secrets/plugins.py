"""Detect: run the plugins of detect-secrets on one line, in linear time.

Each is the library's plugin. Its patterns run in RE2, since `re` would take quadratic time for some
on a hostile line. For patterns with back-references, RE2 finds the offset, and `re` matches there.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from scanner.detect.detect_secrets import library
from scanner.detect.detect_secrets.linear_regex import Linear, UnsupportedError, linear
from scanner.detect.detect_secrets.settings import PLUGINS, Component, min_distinct


class _Requirement(NamedTuple):
    """What a line needs for a plugin to find anything in it.

    length: its minimum length.
    exact, lower: it must contain one of `exact`, or its lower case one of `lower`.
    """

    length: int
    exact: tuple[str, ...]
    lower: tuple[str, ...]

    def is_met(self, line: str, lowered: str) -> bool:
        if len(line) < self.length:
            return False
        return any(word in line for word in self.exact) or any(
            word in lowered for word in self.lower
        )


def _requirement(length: int, exact: str = "", lower: str = "") -> _Requirement:
    return _Requirement(length=length, exact=tuple(exact.split()), lower=tuple(lower.split()))


_REQUIREMENTS: Mapping[str, _Requirement] = {
    "ArtifactoryDetector": _requirement(11, "AKC AP"),
    "AWSKeyDetector": _requirement(20, "AKIA ASIA ABIA ACCA A3T", "aws"),
    "AzureStorageKeyDetector": _requirement(99, "AccountKey="),
    "Base64HighEntropyString": _requirement(3, "\" '"),
    "BasicAuthDetector": _requirement(7, "://"),
    "CloudantDetector": _requirement(29, "", "clou clk clp clt cl_ cl- clap"),
    "DiscordBotTokenDetector": _requirement(59, "."),
    "GitHubTokenDetector": _requirement(40, "ghp_ gho_ ghu_ ghs_ ghr_"),
    "GitLabTokenDetector": _requirement(
        25, "glpat glrt gldt glft glsoat glcbt glimt glptt glagent gloas GR1348941"
    ),
    "HexHighEntropyString": _requirement(3, "\" '"),
    "IbmCloudIamDetector": _requirement(48, "", "key pwd pass token"),
    "IbmCosHmacDetector": _requirement(58, "", "secret"),
    "IPPublicDetector": _requirement(7, "."),
    "JwtTokenDetector": _requirement(6, "eyJ"),
    "KeywordDetector": _requirement(5, "", "key pass pwd secret contrase"),
    "MailchimpDetector": _requirement(36, "-us"),
    "NpmDetector": _requirement(20, "/:_authToken="),
    "OpenAIDetector": _requirement(51, "T3BlbkFJ"),
    "PrivateKeyDetector": _requirement(17, "BEGIN PuTTY"),
    "PypiTokenDetector": _requirement(86, "pypi-AgE"),
    "SendGridDetector": _requirement(69, "SG."),
    "SlackDetector": _requirement(8, "", "xox hooks.slack.com"),
    "SoftlayerDetector": _requirement(68, "", "softlayer slk slp slt sl_ sl- slap"),
    "SquareOAuthDetector": _requirement(50, "sq0csp-"),
    "StripeDetector": _requirement(32, "k_live_"),
    "TelegramBotTokenDetector": _requirement(44, ":"),
    "TwilioKeyDetector": _requirement(34, "AC SK"),
}
_LONG_LINE = 500
_MANY_SPACES = re.compile(" {4,}")


class Plugin:
    """One plugin. The library's object is created for the first line that needs it."""

    def __init__(self, component: Component) -> None:
        self.name = component.name
        self.kind = PLUGINS[component.name]
        self._component = component
        self._requirement = _REQUIREMENTS[component.name]
        self._library_plugin: Any = None

    def may_match(self, line: str, lowered: str) -> bool:
        """Can it find anything in an ASCII line? `lowered` is the line in lower case."""
        return self._requirement.is_met(line, lowered)

    def secrets(self, path: str, line: str) -> Iterable[str]:
        """Return the secrets that the plugin finds in a line."""
        return list(self._search(path, line))

    @property
    def library_plugin(self) -> Any:
        """The library's object."""
        if self._library_plugin is None:
            self._library_plugin = library.plugin(
                self._component.name, dict(self._component.options)
            )
            self._prepare()
        return self._library_plugin

    def _prepare(self) -> None:
        """Replace the patterns of the library's object with linear ones."""
        plugin = self._library_plugin
        plugin.denylist = [linear(regex) for regex in plugin.denylist]

    def _search(self, _path: str, line: str) -> Iterable[str]:
        found: Iterable[str] = self.library_plugin.analyze_string(line)
        return found


class _Spaced(Plugin):
    """Its patterns allow three runs of spaces in a row, and its secrets have no spaces.

    So longer runs are shortened, which avoids their cost.
    """

    def _search(self, path: str, line: str) -> Iterable[str]:
        return super()._search(path, _MANY_SPACES.sub("   ", line))


class _Jwt(Plugin):
    def _search(self, _path: str, line: str) -> Iterator[str]:
        try:
            yield from self.library_plugin.analyze_string(line)
        except RecursionError:  # a token of nested brackets; the library crashes on it
            return


class _Entropy(Plugin):
    """Computes the entropy only of texts with enough different characters.

    A match consists of quotes and the plugin's characters. So in a long line, the plugin's pattern
    runs only on the runs of these characters, which RE2 finds.
    """

    def __init__(self, component: Component) -> None:
        super().__init__(component)
        self._limit: float = component.option("limit")
        self._min_distinct = min_distinct(self._limit)
        self._runs: Any = None

    def _prepare(self) -> None:
        inside = re.escape(self._library_plugin.charset)
        self._runs = linear(re.compile(rf"[{inside}'\"]{{{min(self._min_distinct, 100)},}}"))

    def _search(self, _path: str, line: str) -> Iterator[str]:
        plugin = self.library_plugin  # it also prepares self._runs
        runs = self._runs.findall(line) if len(line) > _LONG_LINE else [line]
        for text in (text for run in runs for text in plugin.analyze_string(run)):
            has_enough = len(set(text)) >= self._min_distinct
            if has_enough and plugin.calculate_shannon_entropy(text) > self._limit:
                yield text


class _Keyword(Plugin):
    """Runs the patterns of the file's type."""

    def _prepare(self) -> None:
        excluded = self._component.option("keyword_exclude")
        if excluded:
            self._library_plugin.keyword_exclude = Linear(excluded, re.IGNORECASE)
        self._type_of = library.module("util.filetype").determine_file_type
        self._library = library.module("plugins.keyword")
        self._tables: dict[Any, dict[Any, int]] = {}  # by file type

    def _search(self, path: str, line: str) -> Iterable[str]:
        plugin = self.library_plugin  # it also prepares the other attributes
        file_type = self._type_of(path)
        if file_type not in self._tables:
            table = self._library.REGEX_BY_FILETYPE.get(
                file_type, self._library.QUOTES_REQUIRED_DENYLIST_REGEX_TO_GROUP
            )
            self._tables[file_type] = {
                anchored(regex, self._library): group for regex, group in table.items()
            }
        found: Iterable[str] = plugin.analyze_string(line, self._tables[file_type])
        return found


class _Anchored:
    """A pattern with back-references. A linear one finds the offset; `re` matches there."""

    def __init__(self, regex: re.Pattern[str], finder: Linear) -> None:
        self._regex = regex
        self._finder = finder

    def search(self, text: str) -> re.Match[str] | None:
        found = self._finder.search(text)
        return self._regex.match(text, found.start()) if found else None


@functools.cache  # several file types share their patterns
def anchored(regex: re.Pattern[str], keyword: Any) -> Any:
    r"""Return an equal pattern that is searched in linear time; `regex` itself if there is none.

    The linear pattern has an alternative for each kind of quote in place of the back-reference:
    `(["'`])(secret)(\1)` becomes `"secret"|'secret'|`secret``.
    """
    inside = r"""\w(?:[^\v'"]*[^\v,'"`])?"""
    quoted = {mark: f"{mark}{inside}{mark}" for mark in "'\"`"}
    every = "|".join(quoted.values())
    closing = rf"\)\({re.escape(keyword.SECRET)}\)\(\\\d\)"
    text = re.sub(
        rf"\({re.escape(keyword.QUOTE)}\?{closing}",
        lambda _: f"(?:{every}|{inside})",
        regex.pattern,
    )
    text = re.sub(rf"\({re.escape(keyword.QUOTE)}{closing}", lambda _: f"(?:{every})", text)
    text = re.sub(rf'\("{closing}', lambda _: quoted['"'], text)
    try:
        return _Anchored(regex, Linear(text, regex.flags))
    except UnsupportedError:
        return regex


_CLASSES: Mapping[str, type[Plugin]] = {
    "Base64HighEntropyString": _Entropy,
    "CloudantDetector": _Spaced,
    "HexHighEntropyString": _Entropy,
    "IbmCloudIamDetector": _Spaced,
    "IbmCosHmacDetector": _Spaced,
    "JwtTokenDetector": _Jwt,
    "KeywordDetector": _Keyword,
    "SoftlayerDetector": _Spaced,
}


def create(component: Component) -> Plugin:
    """Create a plugin."""
    return _CLASSES.get(component.name, Plugin)(component)
