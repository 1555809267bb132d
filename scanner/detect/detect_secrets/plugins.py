"""Detect: the plugins of detect-secrets on one line, in linear time.

Each is the library's own object with its own rules. What `re` would take quadratic time for on a
hostile line, the linear engine finds: it runs a plugin's own patterns, and for the few that it
cannot express it says where their match begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from scanner.detect.detect_secrets import library
from scanner.detect.detect_secrets.linear_regex import Linear, UnsupportedError, linear
from scanner.detect.detect_secrets.settings import PLUGINS, Part, least_distinct


class _Need(NamedTuple):
    """What a line must be or hold for a plugin to find anything in it."""

    length: int
    exact: tuple[str, ...]  # one of these words, as they are
    lower: tuple[str, ...]  # or one of these in the line's lower case

    def met(self, line: str, lowered: str) -> bool:
        if len(line) < self.length:
            return False
        for word in self.exact:  # no any(): this is asked for every line and plugin
            if word in line:
                return True
        return bool(self.lower) and any(word in lowered for word in self.lower)


def _need(length: int, exact: str = "", lower: str = "") -> _Need:
    return _Need(length, tuple(exact.split()), tuple(lower.split()))


_NEEDS: Mapping[str, _Need] = {
    "ArtifactoryDetector": _need(11, "AKC AP"),
    "AWSKeyDetector": _need(20, "AKIA ASIA ABIA ACCA A3T", "aws"),
    "AzureStorageKeyDetector": _need(99, "AccountKey="),
    "Base64HighEntropyString": _need(3, "\" '"),
    "BasicAuthDetector": _need(7, "://"),
    "CloudantDetector": _need(29, "", "clou clk clp clt cl_ cl- clap"),
    "DiscordBotTokenDetector": _need(59, "."),
    "GitHubTokenDetector": _need(40, "ghp_ gho_ ghu_ ghs_ ghr_"),
    "GitLabTokenDetector": _need(
        25, "glpat glrt gldt glft glsoat glcbt glimt glptt glagent gloas GR1348941"
    ),
    "HexHighEntropyString": _need(3, "\" '"),
    "IbmCloudIamDetector": _need(48, "", "key pwd pass token"),
    "IbmCosHmacDetector": _need(58, "", "secret"),
    "IPPublicDetector": _need(7, "."),
    "JwtTokenDetector": _need(6, "eyJ"),
    "KeywordDetector": _need(5, "", "key pass pwd secret contrase"),
    "MailchimpDetector": _need(36, "-us"),
    "NpmDetector": _need(20, "/:_authToken="),
    "OpenAIDetector": _need(51, "T3BlbkFJ"),
    "PrivateKeyDetector": _need(17, "BEGIN PuTTY"),
    "PypiTokenDetector": _need(86, "pypi-AgE"),
    "SendGridDetector": _need(69, "SG."),
    "SlackDetector": _need(8, "", "xox hooks.slack.com"),
    "SoftlayerDetector": _need(68, "", "softlayer slk slp slt sl_ sl- slap"),
    "SquareOAuthDetector": _need(50, "sq0csp-"),
    "StripeDetector": _need(32, "k_live_"),
    "TelegramBotTokenDetector": _need(44, ":"),
    "TwilioKeyDetector": _need(34, "AC SK"),
}
_LONG = 500
_MANY_SPACES = re.compile(" {4,}")


class Plugin:
    """One plugin, loaded when the first line asks for it."""

    def __init__(self, part: Part) -> None:
        self.name = part.name
        self.kind = PLUGINS[part.name]
        self.by_pattern = True  # as the library tells some filters
        self._part = part
        self._need = _NEEDS[part.name]
        self._made: Any = None

    def wanted(self, line: str, lowered: str) -> bool:
        """Can it find anything in a line of ASCII? `lowered`: the line in lower case."""
        return self._need.met(line, lowered)

    def secrets(self, path: str, line: str) -> Iterable[str]:
        """The secrets that the plugin finds in a line."""
        return list(self._search(path, line))

    @property
    def own(self) -> Any:
        """The library's object."""
        if self._made is None:
            self._made = library.plugin(self._part.name, dict(self._part.options))
            self._prepare()
        return self._made

    def _prepare(self) -> None:
        self._made.denylist = [linear(regex) for regex in self._made.denylist]

    def _search(self, _path: str, line: str) -> Iterable[str]:
        found: Iterable[str] = self.own.analyze_string(line)
        return found


class _Spaced(Plugin):
    """Its patterns allow three runs of spaces in a row. No secret of it holds a space."""

    def _search(self, path: str, line: str) -> Iterable[str]:
        return super()._search(path, _MANY_SPACES.sub("   ", line))


class _Jwt(Plugin):
    def _search(self, _path: str, line: str) -> Iterator[str]:
        try:
            yield from self.own.analyze_string(line)
        except RecursionError:  # a token of brackets; the library ends here
            return


class _Entropy(Plugin):
    """Measures only what has enough different characters to pass.

    A match is made of quotes and the plugin's own characters, so runs of these are all that its
    pattern needs to see; in a long line, RE2 finds those that are long enough.
    """

    def __init__(self, part: Part) -> None:
        super().__init__(part)
        self.by_pattern = False
        self._limit: float = part.option("limit")
        self._least = least_distinct(self._limit)
        self._runs: Any = None

    def _prepare(self) -> None:
        inside = re.escape(self._made.charset)
        self._runs = linear(re.compile(rf"[{inside}'\"]{{{min(self._least, 100)},}}"))

    def _search(self, _path: str, line: str) -> Iterator[str]:
        own = self.own
        parts = self._runs.findall(line) if len(line) > _LONG else [line]
        for text in (text for part in parts for text in own.analyze_string(part)):
            enough = len(set(text)) >= self._least
            if enough and own.calculate_shannon_entropy(text) > self._limit:
                yield text


class _Keyword(Plugin):
    def __init__(self, part: Part) -> None:
        super().__init__(part)
        self.by_pattern = False

    def _prepare(self) -> None:
        excluded = self._part.option("keyword_exclude")
        if excluded:
            self._made.keyword_exclude = Linear(excluded, re.IGNORECASE)
        self._types = library.module("util.filetype").determine_file_type
        self._library = library.module("plugins.keyword")
        self._tables: dict[int, dict[_Anchored, int]] = {}

    def _search(self, path: str, line: str) -> Iterable[str]:
        own = self.own
        table = self._library.REGEX_BY_FILETYPE.get(
            self._types(path), self._library.QUOTES_REQUIRED_DENYLIST_REGEX_TO_GROUP
        )
        if id(table) not in self._tables:
            self._tables[id(table)] = {
                anchored(regex, self._library): group for regex, group in table.items()
            }
        found: Iterable[str] = own.analyze_string(line, self._tables[id(table)])
        return found


class _Anchored:
    """A pattern with back-references: a twin finds where it matches, and it says what."""

    def __init__(self, regex: re.Pattern[str], twin: Linear) -> None:
        self._regex = regex
        self._twin = twin

    def search(self, text: str) -> re.Match[str] | None:
        found = self._twin.search(text)
        return self._regex.match(text, found.start()) if found else None


def anchored(regex: re.Pattern[str], keyword: Any) -> Any:
    """The pattern with its quoted secret spelt out for each kind of quote."""
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


_KINDS: Mapping[str, type[Plugin]] = {
    "Base64HighEntropyString": _Entropy,
    "CloudantDetector": _Spaced,
    "HexHighEntropyString": _Entropy,
    "IbmCloudIamDetector": _Spaced,
    "IbmCosHmacDetector": _Spaced,
    "JwtTokenDetector": _Jwt,
    "KeywordDetector": _Keyword,
    "SoftlayerDetector": _Spaced,
}


def make(part: Part) -> Plugin:
    return _KINDS.get(part.name, Plugin)(part)
