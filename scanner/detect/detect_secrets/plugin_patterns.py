r"""Detect: the prefilter's patterns for detect-secrets. Its plugins see only lines with a match.

Each pattern matches wherever a plugin could, both in the file and in the output of the YAML and INI
transformers. So white space may contain line breaks, comments and tags may be between a name and
its value, and values need no quotes, since the transformers add them. They also add a backslash
before a quote in a value, which is one more character for an entropy plugin.

Patterns are for bytes, and mean the same in Hyperscan and in `re`. They end early, so that a long
match is one hit. Patterns without keywords also run in `re`, in linear time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from scanner.detect.detect_secrets.settings import (
    Component,
    DetectSecretsSettings,
    min_distinct,
)


class Prefilter(NamedTuple):
    """One pattern for the matcher. `^` and `$` match at line breaks.

    keywords: lower-case literals. Every match contains one of them.
    """

    pattern: str
    ignore_case: bool = False
    keywords: tuple[str, ...] = ()


def prefilters(settings: DetectSecretsSettings) -> tuple[Prefilter, ...]:
    """Return the patterns for the plugins of `settings` and their limits."""
    return tuple(_usages(settings))


class Usage(NamedTuple):
    """The plugins that a prefilter is for.

    ini: it is needed only in files that may be INI.
    """

    plugins: frozenset[str]
    ini: bool


def usages(settings: DetectSecretsSettings) -> tuple[Usage, ...]:
    """Return the usage of each prefilter, in the order of `prefilters`."""
    return tuple(_usages(settings).values())


def _usages(settings: DetectSecretsSettings) -> dict[Prefilter, Usage]:
    found: dict[Prefilter, Usage] = {}
    for component in settings.active_plugins:
        for prefilter, ini in _prefilters_of(component).items():
            known = found.get(prefilter, Usage(plugins=frozenset(), ini=ini))
            plugins = known.plugins | {component.name}
            found[prefilter] = Usage(plugins=plugins, ini=known.ini and ini)
    return found


def _prefilters_of(component: Component) -> dict[Prefilter, bool]:
    """Return the prefilters of one plugin, and whether each is only for INI."""
    if component.name in _ENTROPY_TEXTS:
        quoted, bare = _ENTROPY_TEXTS[component.name](component)
        patterns, in_ini = _strings(quoted, bare), _strings_in_ini(bare)
    else:
        patterns, in_ini = _PLUGINS[component.name], _IN_INI.get(component.name, ())
    found = dict.fromkeys((*patterns, _CASE_VARIANTS), False) if patterns else {}
    return found | dict.fromkeys(in_ini, True)


def _case_sensitive(*patterns: str, keywords: str = "") -> tuple[Prefilter, ...]:
    return tuple(Prefilter(one, keywords=tuple(keywords.split())) for one in patterns)


def _case_insensitive(*patterns: str, keywords: str) -> tuple[Prefilter, ...]:
    words = tuple(keywords.split())
    return tuple(Prefilter(one, ignore_case=True, keywords=words) for one in patterns)


# Letters that Python treats as an s, a k and an i if case is ignored.
_CASE_VARIANTS = Prefilter(r"\xc5\xbf|\xe2\x84\xaa|\xc4[\xb0\xb1]")

_WIDE_SPACE = (
    r"\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2(?:\x80[\x80-\x8a\xa8\xa9\xaf]|\x81\x9f)|\xe3\x80\x80"
)
_SPACE = rf"[\t-\r\x1c- ]|{_WIDE_SPACE}"
# White space in a line.
_BLANK = rf"(?:[\t\x0b\x0c\x1c- ]|{_WIDE_SPACE})"
# White space, and escapes in double-quoted YAML that may mean white space.
_GAP = rf"(?:{_SPACE}|\\.)*"
# The same with comments, tags, anchors and block headers, which YAML and INI allow there.
_WIDE_GAP = rf"(?:{_SPACE}|\\.|#[^\r\n]*[\r\n]|[&!|>][^\s]*\s)*"
# The rest of a line, and the beginning of another line of the same INI value.
_NEXT_LINE = rf"[^\r\n]*[\r\n]+(?:{_BLANK}*[#;][^\r\n]*[\r\n]+)*{_BLANK}+[^\s#;]"
_WORD = r"[\w\x80-\xff]*"
# The beginning of a text. A letter before it may belong to an escape.
_TEXT_START = r"(?:^|[^\w.]|\\[nrt])"

_NAMES = "key pass pwd secret contrase"
_NAME = (
    r"(?:(?:api|auth|service|account|db|database|priv|private|client)_?key"
    r"|(?:db|database|key)_?pass|password|passwd|pwd|secret|contrase(?:n|\xc3[\x91\xb1])a)"
)
# An assignment without its value: `password`, `secret_key = `, `"pwd": `, `pass != `.
_ASSIGNMENT = (
    rf"{_NAME}{_WORD}(?:[\]'\"]{{0,2}}|\[[0-9]*\]){_GAP}(?::|!?=){_GAP}(?:[=>]{{1,3}}{_GAP})?"
)
_KEYWORD_PREFILTERS = (
    *_case_insensitive(
        rf"{_ASSIGNMENT}(?:['\"`][\w\\\x80-\xff]|@\"|[&!|>*#%\w\\\x80-\xff])",
        # A keyword, later the first quote with a semicolon after it: in one line ...
        rf"{_NAME}(?:[^\n\"'`]|[\"'`]+[^\n;\"'`])*[\"'`]+;",
        # ... and in a text of several lines
        rf"{_NAME}(?:[^\s]{{0,60}}{_GAP}[\"'`]|[^\n]{{0,60}}:[ \t])[^\"'\r\n`]*[\r\n][^\"']*[\"'];",
        keywords=_NAMES,
    ),
    *_case_sensitive(
        # A value that is compared with a password: `"value" == password`.
        rf"['\"`]{_GAP}[!=]{{2,3}}{_GAP}{_WORD}{_NAME}",
        # An argument of a function or constructor: `password("`.
        rf"{_NAME}{_WORD}(?:.assign)?\(\"",
        keywords=_NAMES,
    ),
)

_KEY = r"(?:key|pwd|pass|password|token)['\"]?\]?"
_HMAC_KEY = r"secret[-_]?(?:access)?[-_]?key['\"]?\]?"
_OPERATOR = rf"{_WIDE_GAP}(?:[=:>]{{1,3}}{_WIDE_GAP})?['\"]?"

# The beginning of another line of a value. Its key may be many lines above.
_CONTINUATION = rf"(?:^|\r){_BLANK}+['\"]?"

# The first two octets of a public address: not 10., not 127., not 192.168.
_PUBLIC = (
    r"(?:(?:[02-9]|1[13-9]|[2-9][0-9]|1[013-8][0-9]|12[0-689]|19[013-9]|2[0-9][0-9])\.[0-9]{1,3}"
    r"|192\.(?:[0-9]{1,2}|1[0-57-9][0-9]|16[0-79]|2[0-9][0-9]))"
)
_USER = r"[^:/?#\[\]@!$&'()*+,;=\s]"

_PLUGINS: Mapping[str, tuple[Prefilter, ...]] = {
    "ArtifactoryDetector": _case_sensitive(
        r"(?:^|[^A-Za-z0-9]|\\[nrt])AKC[a-zA-Z0-9]{10}",
        r"(?:^|[^A-Za-z0-9]|\\[nrt])AP[0-9A-F\x80-\xff][a-zA-Z0-9\x80-\xff]{8}",
    ),
    "AWSKeyDetector": (
        *_case_sensitive(
            r"(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[0-9A-Z]{16}", keywords="a3t abia acca akia asia"
        ),
        *_case_insensitive(r"aws[\x00-\xff]{0,90}(?:key|pw|pass|token)", keywords="aws"),
    ),
    "AzureStorageKeyDetector": _case_sensitive(
        r"AccountKey=[a-zA-Z0-9+/=]{88}", keywords="accountkey="
    ),
    "BasicAuthDetector": _case_sensitive(rf"://{_USER}+:{_USER}+@", keywords="://"),
    "CloudantDetector": (
        *_case_insensitive(
            rf"{_TEXT_START}\[?['\"]?(?:cloudant|clou|cl)[_-]?(?:api)?(?:key|pw|pass|token)",
            keywords="clou clap clk clp clt cl_ cl-",
        ),
        *_case_insensitive(r"\.cloudant\.com", keywords=".cloudant.com"),
    ),
    "DiscordBotTokenDetector": _case_sensitive(
        r"[MNO][\w\x80-\xff-]{23,100}\.[\w\x80-\xff-]{6,24}\.[\w\x80-\xff-]{27}"
    ),
    "GitHubTokenDetector": _case_sensitive(
        r"gh[pousr]_[A-Za-z0-9_]{36}", keywords="ghp_ gho_ ghu_ ghs_ ghr_"
    ),
    "GitLabTokenDetector": _case_sensitive(
        r"(?:gl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas)-|GR1348941)[A-Za-z0-9_-]{20}",
        keywords="gl gr1348941",
    ),
    "IbmCloudIamDetector": _case_insensitive(
        rf"{_KEY}{_OPERATOR}[A-Za-z0-9_-]{{44}}", keywords="key pwd pass token"
    ),
    "IbmCosHmacDetector": _case_insensitive(
        rf"{_HMAC_KEY}{_OPERATOR}[a-f0-9]{{48}}", keywords="secret"
    ),
    "IPPublicDetector": _case_sensitive(rf"{_TEXT_START}{_PUBLIC}\.[0-9]{{1,3}}\.[0-9]"),
    "JwtTokenDetector": _case_sensitive(r"eyJ[A-Za-z0-9_=-]+\.[A-Za-z0-9_=-]", keywords="eyj"),
    "KeywordDetector": _KEYWORD_PREFILTERS,
    "MailchimpDetector": _case_sensitive(r"[0-9a-z]{32}-us[0-9]", keywords="-us"),
    "NpmDetector": _case_sensitive(r"/:_authToken=", keywords="/:_authtoken="),
    "OpenAIDetector": _case_sensitive(r"T3BlbkFJ[A-Za-z0-9]{20}", keywords="t3blbkfj"),
    "PrivateKeyDetector": (
        *_case_sensitive(
            r"BEGIN\s+(?:(?:DSA|EC|OPENSSH|PGP|RSA|SSH2\s+ENCRYPTED)\s+)?PRIVATE\s+KEY",
            keywords="private",
        ),
        *_case_sensitive(r"PuTTY-User-Key-File-2", keywords="putty-user-key-file-2"),
    ),
    "PypiTokenDetector": _case_sensitive(
        r"pypi-AgE(?:IcHlwaS5vcmc|NdGVzdC5weXBpLm9yZw)[A-Za-z0-9_-]{70}", keywords="pypi-age"
    ),
    "SendGridDetector": _case_sensitive(
        r"SG\.[a-zA-Z0-9_-]{22}\.[a-zA-Z0-9_-]{43}", keywords="sg."
    ),
    "SlackDetector": (
        *_case_insensitive(r"xox[abposr]-[0-9\x80-\xff]", keywords="xox"),
        *_case_insensitive(
            r"hooks\.slack\.com/services/T[a-z0-9_]", keywords="hooks.slack.com/services/t"
        ),
    ),
    "SoftlayerDetector": (
        *_case_insensitive(
            rf"{_TEXT_START}\[?['\"]?(?:softlayer|sl)[_-]?(?:api)?[_-]?(?:key|pwd|pass|token)",
            keywords="softlayer slap slk slp slt sl_ sl-",
        ),
        *_case_insensitive(r"api.softlayer.com/soap/v3", keywords="/soap/v3"),
    ),
    "SquareOAuthDetector": _case_sensitive(r"sq0csp-[0-9A-Za-z\\_-]{42}", keywords="sq0csp-"),
    "StripeDetector": _case_sensitive(r"[rs]k_live_[0-9a-zA-Z]{24}", keywords="k_live_"),
    "TelegramBotTokenDetector": _case_sensitive(r"[0-9\x80-\xff]:[0-9A-Za-z_-]{35}"),
    "TwilioKeyDetector": _case_sensitive(r"(?:AC|SK)[a-z0-9]{32}"),
}


# Matches in values of several lines. The key may be many lines above.
_IN_INI: Mapping[str, tuple[Prefilter, ...]] = {
    "KeywordDetector": _case_insensitive(rf"{_ASSIGNMENT}{_NEXT_LINE}", keywords=_NAMES),
    "IbmCloudIamDetector": _case_sensitive(
        rf"{_CONTINUATION}[A-Za-z0-9_-]{{44}}(?:[^A-Za-z0-9_-]|$)"
    ),
    "IbmCosHmacDetector": _case_sensitive(rf"{_CONTINUATION}[A-Fa-f0-9]{{48}}(?:[^A-Fa-f0-9]|$)"),
}


def _base64(component: Component) -> tuple[str, str]:
    """Return the patterns of a plugin's text in quotes and without; "" if none can match."""
    least = min_distinct(component.option("limit"))
    if least > 69:  # the plugin knows fewer characters
        return "", ""
    # A transformer may have added one of the required characters, a backslash.
    inside = r"[A-Za-z0-9+/\\_=-]"
    text = rf"{inside}{{{max(least - 1, 1)},}}"
    if least <= 4:
        return text, text
    # Lines of `=` and `-` are common, so a text must contain another character early.
    return text, rf"[=-]*[A-Za-z0-9+/\\_]{inside}{{{least - 4},}}"


def _hex(component: Component) -> tuple[str, str]:
    least = min_distinct(component.option("limit"))
    text = rf"[0-9A-Fa-f]{{{least},}}" if least <= 22 else ""
    return text, text


_ENTROPY_TEXTS: Mapping[str, Callable[[Component], tuple[str, str]]] = {
    "Base64HighEntropyString": _base64,
    "HexHighEntropyString": _hex,
}
_END = rf"(?:{_BLANK}*(?:\r|$)|['\"])"


def _strings(quoted: str, bare: str) -> tuple[Prefilter, ...]:
    """Return the patterns of a text in quotes, or that the YAML transformer quotes."""
    if not quoted:
        return ()
    flow_end = rf"{_BLANK}*(?:[,}}\]\r]|$)"
    tags = r"(?:[&!][^\s,]*[ \t]+){0,2}"
    return _case_sensitive(
        rf"['\"]{quoted}['\"]",
        rf"['\"]{bare}(?:{_BLANK}*(?:\r|$)|[ \t]+#|[ \t]*[,}}\]])",
        rf":[ \t]+{tags}{bare}(?:{_END}|[ \t]+#)",
        rf"(?::[ \t]|['\"]:)[ \t]*{tags}{bare}{flow_end}",
        rf"(?:^|\r){_BLANK}+{bare}(?:{_END}|[ \t]+#)",
        rf":[ \t]*(?:[ \t]#[^\n]{{0,80}})?(?:[\r\n][ \t]*){{1,4}}{bare}{flow_end}",
    )


def _strings_in_ini(bare: str) -> tuple[Prefilter, ...]:
    return _case_sensitive(rf"(?:^|\r)[^=:\r\n]*[=:]{_BLANK}*{bare}{_END}") if bare else ()
