"""Detect: the plugins of detect-secrets on one line, in linear time.

Each is the library's own object with its own rules. What `re` would take quadratic time for on a
hostile line, the linear engine finds: it runs a plugin's own patterns, and for the few that it
cannot express it says where their match begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from scanner.detect.classic import library
from scanner.detect.classic.linear import Linear, UnsupportedError, linear
from scanner.detect.classic.settings import PLUGINS, Part, least_distinct


class _Need(NamedTuple):
    """What a line must be or hold for a plugin to find anything in it."""

    length: int
    exact: str = ""  # one of these words, as they are
    lower: str = ""  # or one of these in the line's lower case

    def met(self, line: str, lowered: str) -> bool:
        return len(line) >= self.length and (
            any(word in line for word in self.exact.split())
            or any(word in lowered for word in self.lower.split())
        )


_NEEDS: Mapping[str, _Need] = {
    "ArtifactoryDetector": _Need(11, exact="AKC AP"),
    "AWSKeyDetector": _Need(20, exact="AKIA ASIA ABIA ACCA A3T", lower="aws"),
    "AzureStorageKeyDetector": _Need(99, exact="AccountKey="),
    "Base64HighEntropyString": _Need(3, exact="\" '"),
    "BasicAuthDetector": _Need(7, exact="://"),
    "CloudantDetector": _Need(29, lower="clou clk clp clt cl_ cl- clap"),
    "DiscordBotTokenDetector": _Need(59, exact="."),
    "GitHubTokenDetector": _Need(40, exact="ghp_ gho_ ghu_ ghs_ ghr_"),
    "GitLabTokenDetector": _Need(
        25, exact="glpat glrt gldt glft glsoat glcbt glimt glptt glagent gloas GR1348941"
    ),
    "HexHighEntropyString": _Need(3, exact="\" '"),
    "IbmCloudIamDetector": _Need(48, lower="key pwd pass token"),
    "IbmCosHmacDetector": _Need(58, lower="secret"),
    "IPPublicDetector": _Need(7, exact="."),
    "JwtTokenDetector": _Need(6, exact="eyJ"),
    "KeywordDetector": _Need(5, lower="key pass pwd secret contrase"),
    "MailchimpDetector": _Need(36, exact="-us"),
    "NpmDetector": _Need(20, exact="/:_authToken="),
    "OpenAIDetector": _Need(51, exact="T3BlbkFJ"),
    "PrivateKeyDetector": _Need(17, exact="BEGIN PuTTY"),
    "PypiTokenDetector": _Need(86, exact="pypi-AgE"),
    "SendGridDetector": _Need(69, exact="SG."),
    "SlackDetector": _Need(8, lower="xox hooks.slack.com"),
    "SoftlayerDetector": _Need(68, lower="softlayer slk slp slt sl_ sl- slap"),
    "SquareOAuthDetector": _Need(50, exact="sq0csp-"),
    "StripeDetector": _Need(32, exact="k_live_"),
    "TelegramBotTokenDetector": _Need(44, exact=":"),
    "TwilioKeyDetector": _Need(34, exact="AC SK"),
}
_LONG = 500
_MANY_SPACES = re.compile(" {4,}")


class Plugin:
    """One plugin, loaded when the first line asks for it."""

    def __init__(self, part: Part) -> None:
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
                _anchored(regex, self._library): group for regex, group in table.items()
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


def _anchored(regex: re.Pattern[str], keyword: Any) -> Any:
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
