r"""Detect: what the one pass looks for, so that detect-secrets need not see any other line.

Each pattern matches wherever a plugin could, in the file as it is and in what the YAML and INI
transformers make of it. Hence the white space that may hold a line break, the comments and tags
between a name and its value, and values without quotes (the transformers put quotes around them).
A value with a quote in it gains a backslash, which is one character more for an entropy plugin.

Patterns are for bytes, with the meaning that Hyperscan and `re` share. They end early, so that a
long match is one hit, and repeat in bounds where `re` would otherwise go over the same text again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from scanner.detect.classic.settings import ClassicSettings, Part, least_distinct


class Prefilter(NamedTuple):
    """One pattern for the matcher; `^` and `$` are those of lines."""

    pattern: str
    ignore_case: bool = False


def prefilters(settings: ClassicSettings) -> tuple[Prefilter, ...]:
    """The patterns for the plugins of `settings`, derived from their limits."""
    found = [_LETTERS] if settings.plugins else []
    for part in settings.plugins:
        found += _ENTROPY[part.name](part) if part.name in _ENTROPY else _PLUGINS[part.name]
    return tuple(dict.fromkeys(found))


def _exact(*patterns: str) -> tuple[Prefilter, ...]:
    return tuple(Prefilter(pattern) for pattern in patterns)


def _any_case(*patterns: str) -> tuple[Prefilter, ...]:
    return tuple(Prefilter(pattern, ignore_case=True) for pattern in patterns)


# Letters that Python takes for an s, a k and an i where case does not count.
_LETTERS = Prefilter(r"\xc5\xbf|\xe2\x84\xaa|\xc4[\xb0\xb1]")

_SPACE = (
    r"[\t-\r\x1c- ]|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2(?:\x80[\x80-\x8a\xa8\xa9\xaf]|\x81\x9f)"
    r"|\xe3\x80\x80"
)
# White space, and escapes of a double-quoted YAML text that may be some.
_GAP = rf"(?:{_SPACE}|\\.)*"
# What YAML and INI allow between a name and its value besides: comments, tags, anchors, block signs.
_WIDE_GAP = rf"(?:{_SPACE}|\\.|#[^\n]{{0,1000}}\n|[&!|>][^\s]{{0,200}}\s)*"
_WORD = r"[\w\x80-\xff]{0,200}"
# Where a text begins; a letter before it may be an escape's.
_APART = r"(?:^|[^\w.]|\\[nrt])"

_KEYWORD = (
    r"(?:(?:api|auth|service|account|db|database|priv|private|client)_?key"
    r"|(?:db|database|key)_?pass|password|passwd|pwd|secret|contrase(?:n|\xc3[\x91\xb1])a)"
)
_KEYWORDS = (
    # password = value, with the signs that may stand around the operator
    *_any_case(
        rf"{_KEYWORD}{_WORD}(?:[\]'\"]{{0,2}}|\[[0-9]*\]){_GAP}(?::|!?=){_GAP}"
        rf"(?:[=>]{{1,3}}{_GAP})?['\"`@&!|>*#%\w\\\x80-\xff]"
    ),
    # password "value";  the first quotes with a semicolon behind a keyword; here those of one line
    *_any_case(rf"{_KEYWORD}(?:[^\n\"'`]|[\"'`]{{1,50}}[^\n;\"'`]){{0,1000}}[\"'`];"),
    # and those of a text that goes on in further lines
    *_any_case(
        rf"{_KEYWORD}(?:[^\s]{{0,250}}{_GAP}[\"'`]|[^\n]{{0,60}}:[ \t])"
        rf"[^\"'\n`]{{0,1000}}\n[^\"']{{0,2000}}[\"'];"
    ),
    # "value" == password
    *_exact(rf"['\"`]{_GAP}[!=]{{2,3}}{_GAP}{_WORD}{_KEYWORD}"),
    # password("value")
    *_exact(rf"{_KEYWORD}{_WORD}(?:.assign)?\(\""),
)

_KEY = r"(?:key|pwd|pass|password|token)['\"]?\]?"
_SECRET_KEY = r"secret[-_]?(?:access)?[-_]?key['\"]?\]?"
_OPERATOR = rf"{_WIDE_GAP}(?:[=:>]{{1,3}}{_WIDE_GAP})?['\"]?"

# Octets before 10. and 127., after them, and 192. without 192.168.
_PUBLIC = (
    r"(?:(?:[02-9]|1[13-9]|[2-9][0-9]|1[013-8][0-9]|12[0-689]|19[013-9]|2[0-9][0-9])\.[0-9]{1,3}"
    r"|192\.(?:[0-9]{1,2}|1[0-57-9][0-9]|16[0-79]|2[0-9][0-9]))"
)
_USER = r"[^:/?#\[\]@!$&'()*+,;=\s]"
_GITLAB = r"gl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas)-"

_PLUGINS: Mapping[str, tuple[Prefilter, ...]] = {
    "ArtifactoryDetector": _exact(
        r"(?:^|[^A-Za-z0-9]|\\[nrt])AKC[a-zA-Z0-9]{10}",
        r"(?:^|[^A-Za-z0-9]|\\[nrt])AP[0-9A-F\x80-\xff][a-zA-Z0-9\x80-\xff]{8}",
    ),
    "AWSKeyDetector": (
        *_exact(r"(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[0-9A-Z]{16}"),
        *_any_case(r"aws[\x00-\xff]{0,90}(?:key|pw|pass|token)"),
    ),
    "AzureStorageKeyDetector": _exact(r"AccountKey=[a-zA-Z0-9+/=]{88}"),
    "BasicAuthDetector": _exact(rf"://{_USER}+:{_USER}+@"),
    "CloudantDetector": _any_case(
        rf"{_APART}\[?['\"]?(?:cloudant|clou|cl)[_-]?(?:api)?(?:key|pw|pass|token)",
        r"\.cloudant\.com",
    ),
    "DiscordBotTokenDetector": _exact(
        r"[MNO][\w\x80-\xff-]{23,100}\.[\w\x80-\xff-]{6,24}\.[\w\x80-\xff-]{27}"
    ),
    "GitHubTokenDetector": _exact(r"gh[pousr]_[A-Za-z0-9_]{36}"),
    "GitLabTokenDetector": _exact(rf"(?:{_GITLAB}|GR1348941)[A-Za-z0-9_-]{{20}}"),
    "IbmCloudIamDetector": _any_case(rf"{_KEY}{_OPERATOR}[A-Za-z0-9_-]{{44}}"),
    "IbmCosHmacDetector": _any_case(rf"{_SECRET_KEY}{_OPERATOR}[a-f0-9]{{48}}"),
    "IPPublicDetector": _exact(rf"{_APART}{_PUBLIC}\.[0-9]{{1,3}}\.[0-9]"),
    "JwtTokenDetector": _exact(r"eyJ[A-Za-z0-9_=-]{1,2000}\.[A-Za-z0-9_=-]"),
    "KeywordDetector": _KEYWORDS,
    "MailchimpDetector": _exact(r"[0-9a-z]{32}-us[0-9]"),
    "NpmDetector": _exact(r"/:_authToken="),
    "OpenAIDetector": _exact(r"T3BlbkFJ[A-Za-z0-9]{20}"),
    "PrivateKeyDetector": _exact(
        r"BEGIN\s+(?:(?:DSA|EC|OPENSSH|PGP|RSA|SSH2\s+ENCRYPTED)\s+)?PRIVATE\s+KEY",
        r"PuTTY-User-Key-File-2",
    ),
    "PypiTokenDetector": _exact(
        r"pypi-AgE(?:IcHlwaS5vcmc|NdGVzdC5weXBpLm9yZw)[A-Za-z0-9_-]{70}"
    ),
    "SendGridDetector": _exact(r"SG\.[a-zA-Z0-9_-]{22}\.[a-zA-Z0-9_-]{43}"),
    "SlackDetector": _any_case(
        r"xox[abposr]-[0-9\x80-\xff]", r"hooks\.slack\.com/services/T[a-z0-9_]"
    ),
    "SoftlayerDetector": _any_case(
        rf"{_APART}\[?['\"]?(?:softlayer|sl)[_-]?(?:api)?[_-]?(?:key|pwd|pass|token)",
        r"api.softlayer.com/soap/v3",
    ),
    "SquareOAuthDetector": _exact(r"sq0csp-[0-9A-Za-z\\_-]{42}"),
    "StripeDetector": _exact(r"[rs]k_live_[0-9a-zA-Z]{24}"),
    "TelegramBotTokenDetector": _exact(r"[0-9\x80-\xff]:[0-9A-Za-z_-]{35}"),
    "TwilioKeyDetector": _exact(r"(?:AC|SK)[a-z0-9]{32}"),
}


def _base64(part: Part) -> tuple[Prefilter, ...]:
    least = _least(part, most=70)  # 69 characters may occur
    inside = r"[A-Za-z0-9+/\\_=-]"
    if least > 4:
        # Of the characters that there must be, one may be a transformer's backslash. Lines of
        # `=` and `-` are common: two more may be these, any number of them first.
        inside = rf"[=-]{{0,100}}[A-Za-z0-9+/\\_]{inside}{{{least - 4},}}"
    else:
        inside += "+"
    return _strings(inside) if least <= 69 else ()


def _hex(part: Part) -> tuple[Prefilter, ...]:
    least = _least(part, most=23)
    return _strings(rf"[0-9A-Fa-f]{{{least},}}") if least <= 22 else ()


def _least(part: Part, most: int) -> int:
    limit = part.option("limit")
    assert isinstance(limit, float)
    return min(least_distinct(limit), most)


def _strings(text: str) -> tuple[Prefilter, ...]:
    """A run of characters in quotes, or where a transformer puts one or both."""
    end = r"(?:[ \t]*(?:\r|$)|['\"])"
    flow_end = r"[ \t]*(?:[,}\]\r]|$)"
    tags = r"(?:[&!][^\s,]*[ \t]+){0,2}"
    blank = r"(?:[ \t]*(?:#[^\n]{0,200})?\r?\n){1,20}"
    return _exact(
        rf"['\"]{text}['\"]",
        rf"['\"]{text}(?:[ \t]*(?:\r|$)|[ \t]+#|[ \t]*[,}}\]])",
        rf"^[^=:\n]*[=:][ \t]*{text}{end}",
        rf":[ \t]+{tags}{text}(?:{end}|[ \t]+#)",
        rf"(?::[ \t]|['\"]:)[ \t]*{tags}{text}{flow_end}",
        rf"^[ \t]+{text}(?:{end}|[ \t]+#)",
        rf":{blank}[ \t]*{text}{flow_end}",
    )


_ENTROPY: Mapping[str, Callable[[Part], tuple[Prefilter, ...]]] = {
    "Base64HighEntropyString": _base64,
    "HexHighEntropyString": _hex,
}
