"""Detect: which plugins and filters of detect-secrets run, and with what options.

A baseline of a scanned repository is hostile data. Only names that detect-secrets 1.5.0 ships are
known here; nothing else that a baseline names is looked up, imported or opened.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

from scanner.detect.classic.linear import Unsupported, translate
from scanner.errors import ConfigError

Option = str | int | float | None | tuple[str, ...]

PLUGINS: Mapping[str, str] = {
    "ArtifactoryDetector": "Artifactory Credentials",
    "AWSKeyDetector": "AWS Access Key",
    "AzureStorageKeyDetector": "Azure Storage Account access key",
    "Base64HighEntropyString": "Base64 High Entropy String",
    "BasicAuthDetector": "Basic Auth Credentials",
    "CloudantDetector": "Cloudant Credentials",
    "DiscordBotTokenDetector": "Discord Bot Token",
    "GitHubTokenDetector": "GitHub Token",
    "GitLabTokenDetector": "GitLab Token",
    "HexHighEntropyString": "Hex High Entropy String",
    "IbmCloudIamDetector": "IBM Cloud IAM Key",
    "IbmCosHmacDetector": "IBM COS HMAC Credentials",
    "IPPublicDetector": "Public IP (ipv4)",
    "JwtTokenDetector": "JSON Web Token",
    "KeywordDetector": "Secret Keyword",
    "MailchimpDetector": "Mailchimp Access Key",
    "NpmDetector": "NPM tokens",
    "OpenAIDetector": "OpenAI Token",
    "PrivateKeyDetector": "Private Key",
    "PypiTokenDetector": "PyPI Token",
    "SendGridDetector": "SendGrid API Key",
    "SlackDetector": "Slack Token",
    "SoftlayerDetector": "SoftLayer Credentials",
    "SquareOAuthDetector": "Square OAuth Secret",
    "StripeDetector": "Stripe Access Key",
    "TelegramBotTokenDetector": "Telegram Bot Token",
    "TwilioKeyDetector": "Twilio API Key",
}
"""Each plugin's class and the type that a baseline gives its findings."""

LIMITS: Mapping[str, float] = {"Base64HighEntropyString": 4.5, "HexHighEntropyString": 3.0}
_DEFAULT_OPTIONS: Mapping[str, tuple[tuple[str, Option], ...]] = {
    **{name: (("limit", limit),) for name, limit in LIMITS.items()},
    "KeywordDetector": (("keyword_exclude", ""),),
}

_HOME = "detect_secrets.filters."
ALWAYS = (_HOME + "common.is_invalid_file", _HOME + "heuristic.is_non_text_file")
"""Filters that run whatever a baseline says, and that none lists."""
ALLOWLIST = _HOME + "allowlist.is_line_allowlisted"
INDIRECT = _HOME + "heuristic.is_indirect_reference"
_DEFAULT_FILTERS = (
    ALLOWLIST,
    INDIRECT,
    *(
        _HOME + "heuristic." + name
        for name in (
            "is_likely_id_string",
            "is_lock_file",
            "is_not_alphanumeric_string",
            "is_potential_uuid",
            "is_prefixed_with_dollar_sign",
            "is_sequential_string",
            "is_swagger_file",
            "is_templated_secret",
        )
    ),
)
BASELINE_FILE = _HOME + "common.is_baseline_file"
VERIFICATION = _HOME + "common.is_ignored_due_to_verification_policies"
GIBBERISH = _HOME + "gibberish.should_exclude_secret"
WORDLIST = _HOME + "wordlist.should_exclude_secret"
EXCLUDE_FILE, EXCLUDE_LINE, EXCLUDE_SECRET = (
    f"{_HOME}regex.should_exclude_{what}" for what in ("file", "line", "secret")
)
_MAX_PATTERN = 4000


class Part(NamedTuple):
    """A plugin (its class) or a filter (its import path) with its options, in their order."""

    name: str
    options: tuple[tuple[str, Option], ...] = ()

    def option(self, name: str) -> Option:
        return dict(self.options).get(name)


class ClassicSettings(NamedTuple):
    """What runs: plugins and filters, each sorted as detect-secrets writes them.

    `own_file` is the name of the baseline itself: a file of that name is not scanned.
    """

    plugins: tuple[Part, ...]
    filters: tuple[Part, ...]
    own_file: str = ""

    @property
    def disabled_plugins(self) -> tuple[str, ...]:
        """Plugins of the default that do not run."""
        return tuple(sorted(set(PLUGINS) - {part.name for part in self.plugins}))

    @property
    def extra_filters(self) -> tuple[str, ...]:
        """Filters beyond the default: each hides findings. With its patterns, for people."""
        return tuple(
            " ".join([part.name, *(f"{key}={value!r}" for key, value in part.options)])
            for part in self.filters
            if part.name not in {*_DEFAULT_FILTERS, *ALWAYS, VERIFICATION}
            and not (part.name == BASELINE_FILE and part.option("filename") == self.own_file)
        ) + tuple(
            f"KeywordDetector {key}={value!r}"
            for part in self.plugins
            for key, value in part.options
            if key == "keyword_exclude" and value
        )


def default_settings() -> ClassicSettings:
    """All 27 plugins at their own limits and the filters of `detect-secrets scan -n`."""
    plugins = (Part(name, _DEFAULT_OPTIONS.get(name, ())) for name in PLUGINS)
    return ClassicSettings(_sorted(plugins), _sorted(Part(path) for path in _DEFAULT_FILTERS))


def settings_of(document: Mapping[str, Any], where: str) -> ClassicSettings:
    """The settings of a baseline in the 1.5 format. ConfigError for what is not known here."""
    own = posixpath.basename(where.replace("\\", "/"))
    filters = document.get("filters_used")
    return ClassicSettings(
        _sorted(_plugin(entry, where) for entry in _entries(document, "plugins_used", where)),
        default_settings().filters
        if filters is None
        else _sorted(_filter(entry, where) for entry in _entries(document, "filters_used", where)),
        own,
    )


def least_distinct(limit: float) -> int:
    """The least number of different characters that a text above `limit` bits has."""
    count = 1
    while count < 300:  # 8 bits, the most that detect-secrets takes as a limit, are 257
        share = 1 / count
        if sum(-share * _log2(share) for _ in range(count)) > limit:
            break
        count += 1
    return count


def _log2(value: float) -> float:
    from math import log

    return log(value, 2)  # as the plugins reckon, to the last bit


def _sorted(parts: Iterable[Part]) -> tuple[Part, ...]:
    by_name = {part.name: part for part in parts}
    return tuple(sorted(by_name.values(), key=lambda part: part.name.lower()))


def _entries(document: Mapping[str, Any], key: str, where: str) -> Sequence[Mapping[str, Any]]:
    entries = document.get(key)
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise ConfigError(
            f"{key} of the baseline is not a list of objects",
            todo="write the baseline anew: keywatch baseline create --detect-secrets exact",
            where=where,
        )
    return entries


def _plugin(entry: Mapping[str, Any], where: str) -> Part:
    name = entry.get("name")
    if name not in PLUGINS or "path" in entry:
        raise ConfigError(
            f"the baseline asks for the plugin {str(name)[:200]!r}, which detect-secrets 1.5.0 "
            "does not ship",
            why="a custom plugin is code of the scanned repository, and none of that is run",
            todo="take it out of plugins_used; a keywatch rule (--rules FILE) can take its place",
            where=where,
        )
    options = {key: value for key, value in entry.items() if key != "name"}
    defaults = dict(_DEFAULT_OPTIONS.get(name, ()))
    _known_options(f"the plugin {name}", options, defaults, where)
    merged = {**defaults, **options}
    if "limit" in merged:
        merged["limit"] = _limit(name, merged["limit"], where)
    if merged.get("keyword_exclude"):
        _linear(f"keyword_exclude of {name}", merged["keyword_exclude"], where, re.IGNORECASE)
    elif "keyword_exclude" in merged:
        merged["keyword_exclude"] = ""  # 0.x wrote null
    return Part(name, tuple(merged.items()))


def _limit(name: str, value: Any, where: str) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= 8:
        raise ConfigError(
            f"the limit of {name} is not a number from 0 to 8",
            todo=f"write the default, {LIMITS[name]}",
            where=where,
        )
    return float(value)


def _filter(entry: Mapping[str, Any], where: str) -> Part:
    path = entry.get("path")
    check = _FILTERS.get(path) if isinstance(path, str) else None
    if path is None or check is None:
        raise ConfigError(
            f"the baseline asks for the filter {str(path)[:200]!r}, which detect-secrets 1.5.0 "
            "does not ship",
            why="a filter of one's own is code of the scanned repository, and none of that is run",
            todo="take it out of filters_used",
            where=where,
        )
    options = {key: value for key, value in entry.items() if key != "path"}
    return Part(path, tuple(check(path, options, where).items()))


_Options = dict[str, Any]
_Check = Callable[[str, _Options, str], _Options]


def _without_options(path: str, options: _Options, where: str) -> _Options:
    _known_options(f"the filter {path}", options, {}, where)
    return options


def _patterns(path: str, options: _Options, where: str) -> _Options:
    _known_options(f"the filter {path}", options, {"pattern"}, where)
    patterns = options.get("pattern")
    if not isinstance(patterns, list):
        raise ConfigError(
            f"pattern of the filter {path} is not a list of regular expressions",
            todo='write "pattern": ["..."]',
            where=where,
        )
    for pattern in patterns:
        _linear(f"the filter {path}", pattern, where)
    return {"pattern": tuple(patterns)}


def _file_name(path: str, options: _Options, where: str) -> _Options:
    _known_options(f"the filter {path}", options, {"filename"}, where)
    return {"filename": str(options.get("filename", ""))}


def _verification(path: str, options: _Options, where: str) -> _Options:
    _known_options(f"the filter {path}", options, {"min_level"}, where)
    level = options.get("min_level", 2)
    return {"min_level": level if level in (1, 2, 3) else 2}


def _gibberish(path: str, options: _Options, where: str) -> _Options:
    _known_options(f"the filter {path}", options, {"limit", "model", "file_hash"}, where)
    limit = options.get("limit", 3.7)
    problem = todo = ""
    if "model" in options:
        problem = "reads a model from a file of the scanned repository"
        todo = "leave model and file_hash out: the model that detect-secrets ships is used"
    elif isinstance(limit, bool) or not isinstance(limit, int | float):
        problem, todo = "has a limit that is not a number", "write the default, 3.7"
    elif find_spec("gibberish_detector") is None:
        problem, todo = "needs a package that is not installed", "pip install gibberish-detector"
    if problem:
        raise ConfigError(f"the filter {path} {problem}", todo=todo, where=where)
    return {"limit": float(limit)}


def _wordlist(path: str, options: _Options, where: str) -> _Options:
    raise ConfigError(
        f"the filter {path} reads the file {str(options.get('file_name'))[:200]!r}",
        why="detection opens no file that a baseline names",
        todo=f"put the words into {EXCLUDE_SECRET} as patterns, (?i)word",
        where=where,
    )


_FILTERS: Mapping[str, _Check] = {
    **dict.fromkeys((*ALWAYS, *_DEFAULT_FILTERS), _without_options),
    **dict.fromkeys((EXCLUDE_FILE, EXCLUDE_LINE, EXCLUDE_SECRET), _patterns),
    BASELINE_FILE: _file_name,
    VERIFICATION: _verification,
    GIBBERISH: _gibberish,
    WORDLIST: _wordlist,
}


def _known_options(what: str, options: _Options, known: Iterable[str], where: str) -> None:
    for name in options:
        if name not in known:
            raise ConfigError(
                f"{what} has no option {name[:200]!r} in detect-secrets 1.5.0",
                todo="take it out of the baseline",
                where=where,
            )


def _linear(what: str, pattern: Any, where: str, flags: int = 0) -> None:
    """Refuses a regular expression that the linear engine cannot run with the same meaning."""
    try:
        if not isinstance(pattern, str) or len(pattern) > _MAX_PATTERN:
            raise Unsupported(f"it is not a text of at most {_MAX_PATTERN} characters")
        translate(pattern, flags)
    except Unsupported as error:
        raise ConfigError(
            f"{what} has a regular expression that cannot be run safely: {str(pattern)[:200]!r}",
            why=f"{error}; patterns of a baseline run in an engine of linear time",
            todo="write it without look-around and back-references",
            where=where,
        ) from None
