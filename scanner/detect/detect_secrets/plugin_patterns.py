r"""Detect: what the one pass looks for, so that detect-secrets need not see any other line.

Each pattern matches wherever a plugin could, in the file as it is and in what the YAML and INI
transformers make of it. Hence the white space that may hold a line break, the comments and tags
between a name and its value, and values without quotes (the transformers put quotes around them).
A value with a quote in it gains a backslash, which is one character more for an entropy plugin.

Patterns are for bytes, with the meaning that Hyperscan and `re` share. They end early, so that a
long match is one hit. Those without keywords run in `re`, too, and never go over a text twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from scanner.detect.detect_secrets.settings import DetectSecretsSettings, Part, least_distinct


class Prefilter(NamedTuple):
    """One pattern for the matcher, as it takes them; `^` and `$` are those of lines.

    `keywords`: lower-case literals, one of which is in every match.
    """

    pattern: str
    ignore_case: bool = False
    keywords: tuple[str, ...] = ()


def prefilters(settings: DetectSecretsSettings) -> tuple[Prefilter, ...]:
    """The patterns for the plugins of `settings`, derived from their limits."""
    return tuple(_owners(settings))


class Owner(NamedTuple):
    """Which plugins a prefilter is for. `ini`: it matters only where a file may be INI."""

    plugins: frozenset[str]
    ini: bool


def owners(settings: DetectSecretsSettings) -> tuple[Owner, ...]:
    """For each of the prefilters what it is for."""
    return tuple(_owners(settings).values())


def _owners(settings: DetectSecretsSettings) -> dict[Prefilter, Owner]:
    found: dict[Prefilter, Owner] = {}
    for part in settings.finders:
        for prefilter, ini in _of(part).items():
            known = found.get(prefilter, Owner(frozenset(), ini))
            found[prefilter] = Owner(known.plugins | {part.name}, known.ini and ini)
    return found


def _of(part: Part) -> dict[Prefilter, bool]:
    """The prefilters of one plugin, and whether each is for INI alone."""
    if part.name in _TEXTS:
        quoted, bare = _TEXTS[part.name](part)
        own, in_ini = _strings(quoted, bare), _strings_in_ini(bare)
    else:
        own, in_ini = _PLUGINS[part.name], _IN_INI.get(part.name, ())
    found = dict.fromkeys((*own, _LETTERS), False) if own else {}
    return found | dict.fromkeys(in_ini, True)


def _exact(*patterns: str, keywords: str = "") -> tuple[Prefilter, ...]:
    return tuple(Prefilter(one, keywords=tuple(keywords.split())) for one in patterns)


def _any_case(*patterns: str, keywords: str) -> tuple[Prefilter, ...]:
    words = tuple(keywords.split())
    return tuple(Prefilter(one, ignore_case=True, keywords=words) for one in patterns)


# Letters that Python takes for an s, a k and an i where case does not count.
_LETTERS = Prefilter(r"\xc5\xbf|\xe2\x84\xaa|\xc4[\xb0\xb1]")

_WIDE_SPACE = (
    r"\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2(?:\x80[\x80-\x8a\xa8\xa9\xaf]|\x81\x9f)|\xe3\x80\x80"
)
_SPACE = rf"[\t-\r\x1c- ]|{_WIDE_SPACE}"
# White space in a line.
_BLANK = rf"(?:[\t\x0b\x0c\x1c- ]|{_WIDE_SPACE})"
# White space, and escapes of a double-quoted YAML text that may be some.
_GAP = rf"(?:{_SPACE}|\\.)*"
# What else YAML and INI allow between name and value: comments, tags, anchors, block signs.
_WIDE_GAP = rf"(?:{_SPACE}|\\.|#[^\r\n]*[\r\n]|[&!|>][^\s]*\s)*"
# The rest of a line, and a further line of the same value in INI.
_MORE = rf"[^\r\n]*[\r\n]+(?:{_BLANK}*[#;][^\r\n]*[\r\n]+)*{_BLANK}+[^\s#;]"
_WORD = r"[\w\x80-\xff]*"
# Where a text begins; a letter before it may be an escape's.
_APART = r"(?:^|[^\w.]|\\[nrt])"

_NAMES = "key pass pwd secret contrase"
_NAME = (
    r"(?:(?:api|auth|service|account|db|database|priv|private|client)_?key"
    r"|(?:db|database|key)_?pass|password|passwd|pwd|secret|contrase(?:n|\xc3[\x91\xb1])a)"
)
# An assignment, with the signs that may stand around the operator.
_ASSIGNMENT = (
    rf"{_NAME}{_WORD}(?:[\]'\"]{{0,2}}|\[[0-9]*\]){_GAP}(?::|!?=){_GAP}(?:[=>]{{1,3}}{_GAP})?"
)
_ASSIGNED = (
    *_any_case(
        rf"{_ASSIGNMENT}(?:['\"`][\w\\\x80-\xff]|@\"|[&!|>*#%\w\\\x80-\xff])",
        # The first quote with a semicolon behind a keyword: of one line ...
        rf"{_NAME}(?:[^\n\"'`]|[\"'`]+[^\n;\"'`])*[\"'`]+;",
        # ... and of a text that goes on in further lines
        rf"{_NAME}(?:[^\s]{{0,60}}{_GAP}[\"'`]|[^\n]{{0,60}}:[ \t])[^\"'\r\n`]*[\r\n][^\"']*[\"'];",
        keywords=_NAMES,
    ),
    *_exact(
        # A value compared with a password.
        rf"['\"`]{_GAP}[!=]{{2,3}}{_GAP}{_WORD}{_NAME}",
        # A value given to a function, or to a constructor.
        rf"{_NAME}{_WORD}(?:.assign)?\(\"",
        keywords=_NAMES,
    ),
)

_KEY = r"(?:key|pwd|pass|password|token)['\"]?\]?"
_HMAC_KEY = r"secret[-_]?(?:access)?[-_]?key['\"]?\]?"
_OPERATOR = rf"{_WIDE_GAP}(?:[=:>]{{1,3}}{_WIDE_GAP})?['\"]?"

# The beginning of a further line, whose key may stand far above.
_FURTHER = rf"(?:^|\r){_BLANK}+['\"]?"

# Octets before 10. and 127., after them, and 192. without 192.168.
_PUBLIC = (
    r"(?:(?:[02-9]|1[13-9]|[2-9][0-9]|1[013-8][0-9]|12[0-689]|19[013-9]|2[0-9][0-9])\.[0-9]{1,3}"
    r"|192\.(?:[0-9]{1,2}|1[0-57-9][0-9]|16[0-79]|2[0-9][0-9]))"
)
_USER = r"[^:/?#\[\]@!$&'()*+,;=\s]"

_PLUGINS: Mapping[str, tuple[Prefilter, ...]] = {
    "ArtifactoryDetector": _exact(
        r"(?:^|[^A-Za-z0-9]|\\[nrt])AKC[a-zA-Z0-9]{10}",
        r"(?:^|[^A-Za-z0-9]|\\[nrt])AP[0-9A-F\x80-\xff][a-zA-Z0-9\x80-\xff]{8}",
    ),
    "AWSKeyDetector": (
        *_exact(
            r"(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[0-9A-Z]{16}", keywords="a3t abia acca akia asia"
        ),
        *_any_case(r"aws[\x00-\xff]{0,90}(?:key|pw|pass|token)", keywords="aws"),
    ),
    "AzureStorageKeyDetector": _exact(r"AccountKey=[a-zA-Z0-9+/=]{88}", keywords="accountkey="),
    "BasicAuthDetector": _exact(rf"://{_USER}+:{_USER}+@", keywords="://"),
    "CloudantDetector": (
        *_any_case(
            rf"{_APART}\[?['\"]?(?:cloudant|clou|cl)[_-]?(?:api)?(?:key|pw|pass|token)",
            keywords="clou clap clk clp clt cl_ cl-",
        ),
        *_any_case(r"\.cloudant\.com", keywords=".cloudant.com"),
    ),
    "DiscordBotTokenDetector": _exact(
        r"[MNO][\w\x80-\xff-]{23,100}\.[\w\x80-\xff-]{6,24}\.[\w\x80-\xff-]{27}"
    ),
    "GitHubTokenDetector": _exact(
        r"gh[pousr]_[A-Za-z0-9_]{36}", keywords="ghp_ gho_ ghu_ ghs_ ghr_"
    ),
    "GitLabTokenDetector": _exact(
        r"(?:gl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas)-|GR1348941)[A-Za-z0-9_-]{20}",
        keywords="gl gr1348941",
    ),
    "IbmCloudIamDetector": _any_case(
        rf"{_KEY}{_OPERATOR}[A-Za-z0-9_-]{{44}}", keywords="key pwd pass token"
    ),
    "IbmCosHmacDetector": _any_case(rf"{_HMAC_KEY}{_OPERATOR}[a-f0-9]{{48}}", keywords="secret"),
    "IPPublicDetector": _exact(rf"{_APART}{_PUBLIC}\.[0-9]{{1,3}}\.[0-9]"),
    "JwtTokenDetector": _exact(r"eyJ[A-Za-z0-9_=-]+\.[A-Za-z0-9_=-]", keywords="eyj"),
    "KeywordDetector": _ASSIGNED,
    "MailchimpDetector": _exact(r"[0-9a-z]{32}-us[0-9]", keywords="-us"),
    "NpmDetector": _exact(r"/:_authToken=", keywords="/:_authtoken="),
    "OpenAIDetector": _exact(r"T3BlbkFJ[A-Za-z0-9]{20}", keywords="t3blbkfj"),
    "PrivateKeyDetector": (
        *_exact(
            r"BEGIN\s+(?:(?:DSA|EC|OPENSSH|PGP|RSA|SSH2\s+ENCRYPTED)\s+)?PRIVATE\s+KEY",
            keywords="private",
        ),
        *_exact(r"PuTTY-User-Key-File-2", keywords="putty-user-key-file-2"),
    ),
    "PypiTokenDetector": _exact(
        r"pypi-AgE(?:IcHlwaS5vcmc|NdGVzdC5weXBpLm9yZw)[A-Za-z0-9_-]{70}", keywords="pypi-age"
    ),
    "SendGridDetector": _exact(r"SG\.[a-zA-Z0-9_-]{22}\.[a-zA-Z0-9_-]{43}", keywords="sg."),
    "SlackDetector": (
        *_any_case(r"xox[abposr]-[0-9\x80-\xff]", keywords="xox"),
        *_any_case(r"hooks\.slack\.com/services/T[a-z0-9_]", keywords="hooks.slack.com/services/t"),
    ),
    "SoftlayerDetector": (
        *_any_case(
            rf"{_APART}\[?['\"]?(?:softlayer|sl)[_-]?(?:api)?[_-]?(?:key|pwd|pass|token)",
            keywords="softlayer slap slk slp slt sl_ sl-",
        ),
        *_any_case(r"api.softlayer.com/soap/v3", keywords="/soap/v3"),
    ),
    "SquareOAuthDetector": _exact(r"sq0csp-[0-9A-Za-z\\_-]{42}", keywords="sq0csp-"),
    "StripeDetector": _exact(r"[rs]k_live_[0-9a-zA-Z]{24}", keywords="k_live_"),
    "TelegramBotTokenDetector": _exact(r"[0-9\x80-\xff]:[0-9A-Za-z_-]{35}"),
    "TwilioKeyDetector": _exact(r"(?:AC|SK)[a-z0-9]{32}"),
}


# What stands in a further line of a value, whose key may stand far above.
_IN_INI: Mapping[str, tuple[Prefilter, ...]] = {
    "KeywordDetector": _any_case(rf"{_ASSIGNMENT}{_MORE}", keywords=_NAMES),
    "IbmCloudIamDetector": _exact(rf"{_FURTHER}[A-Za-z0-9_-]{{44}}(?:[^A-Za-z0-9_-]|$)"),
    "IbmCosHmacDetector": _exact(rf"{_FURTHER}[A-Fa-f0-9]{{48}}(?:[^A-Fa-f0-9]|$)"),
}


def _base64(part: Part) -> tuple[str, str]:
    """The text of an entropy plugin in quotes, and without; empty where there can be none."""
    least = least_distinct(part.option("limit"))
    if least > 69:  # more than the plugin's own characters
        return "", ""
    # One of the characters that there must be may be a transformer's backslash.
    inside = r"[A-Za-z0-9+/\\_=-]"
    text = rf"{inside}{{{max(least - 1, 1)},}}"
    if least <= 4:
        return text, text
    # Lines of `=` and `-` are common: two more may be these, any number of them first.
    return text, rf"[=-]*[A-Za-z0-9+/\\_]{inside}{{{least - 4},}}"


def _hex(part: Part) -> tuple[str, str]:
    least = least_distinct(part.option("limit"))
    text = rf"[0-9A-Fa-f]{{{least},}}" if least <= 22 else ""
    return text, text


_TEXTS: Mapping[str, Callable[[Part], tuple[str, str]]] = {
    "Base64HighEntropyString": _base64,
    "HexHighEntropyString": _hex,
}
_END = rf"(?:{_BLANK}*(?:\r|$)|['\"])"


def _strings(quoted: str, bare: str) -> tuple[Prefilter, ...]:
    """A run of characters in quotes, or to which YAML gives one quote or both."""
    if not quoted:
        return ()
    flow_end = rf"{_BLANK}*(?:[,}}\]\r]|$)"
    tags = r"(?:[&!][^\s,]*[ \t]+){0,2}"
    return _exact(
        rf"['\"]{quoted}['\"]",
        rf"['\"]{bare}(?:{_BLANK}*(?:\r|$)|[ \t]+#|[ \t]*[,}}\]])",
        rf":[ \t]+{tags}{bare}(?:{_END}|[ \t]+#)",
        rf"(?::[ \t]|['\"]:)[ \t]*{tags}{bare}{flow_end}",
        rf"(?:^|\r){_BLANK}+{bare}(?:{_END}|[ \t]+#)",
        rf":[ \t]*(?:[ \t]#[^\n]{{0,80}})?(?:[\r\n][ \t]*){{1,4}}{bare}{flow_end}",
    )


def _strings_in_ini(bare: str) -> tuple[Prefilter, ...]:
    return _exact(rf"(?:^|\r)[^=:\r\n]*[=:]{_BLANK}*{bare}{_END}") if bare else ()
