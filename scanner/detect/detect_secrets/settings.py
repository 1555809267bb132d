"""Detect: which plugins and filters of detect-secrets run, and with what options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

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
DEFAULT_OPTIONS: Mapping[str, tuple[tuple[str, Any], ...]] = {
    **{name: (("limit", limit),) for name, limit in LIMITS.items()},
    "KeywordDetector": (("keyword_exclude", ""),),
}

_HOME = "detect_secrets.filters."
ALWAYS = (_HOME + "common.is_invalid_file", _HOME + "heuristic.is_non_text_file")
"""Filters that run whatever a baseline says, and that none lists."""
ALLOWLIST = _HOME + "allowlist.is_line_allowlisted"
INDIRECT = _HOME + "heuristic.is_indirect_reference"
NOT_ALPHANUMERIC = _HOME + "heuristic.is_not_alphanumeric_string"
DEFAULT_FILTERS = (
    ALLOWLIST,
    INDIRECT,
    NOT_ALPHANUMERIC,
    *(
        _HOME + "heuristic." + name
        for name in (
            "is_likely_id_string",
            "is_lock_file",
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


class Part(NamedTuple):
    """A plugin (its class) or a filter (its import path) with its options, in their order."""

    name: str
    options: tuple[tuple[str, Any], ...] = ()

    def option(self, name: str) -> Any:
        return dict(self.options).get(name)


class DetectSecretsSettings(NamedTuple):
    """What runs: plugins and filters, each sorted as detect-secrets writes them.

    `own_file` is the name of the baseline itself: a file of that name is not scanned.
    """

    plugins: tuple[Part, ...]
    filters: tuple[Part, ...]
    own_file: str = ""

    @property
    def finders(self) -> tuple[Part, ...]:
        """The plugins that may find something: an address has no letters, and where a secret
        without any is none, all are hidden."""
        if not any(part.name == NOT_ALPHANUMERIC for part in self.filters):
            return self.plugins
        return tuple(part for part in self.plugins if part.name != "IPPublicDetector")

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
            if part.name not in {*DEFAULT_FILTERS, *ALWAYS, VERIFICATION}
            and not (part.name == BASELINE_FILE and part.option("filename") == self.own_file)
        ) + tuple(
            f"KeywordDetector {key}={value!r}"
            for part in self.plugins
            for key, value in part.options
            if key == "keyword_exclude" and value
        )


def dumped(settings: DetectSecretsSettings) -> bytes:
    """As JSON, for the cache."""
    import json

    return json.dumps(settings).encode()


def loaded(data: bytes) -> DetectSecretsSettings:
    """What was dumped."""
    import json

    plugins, filters, own_file = json.loads(data)
    return DetectSecretsSettings(_parts(plugins), _parts(filters), own_file)


def _parts(rows: Sequence[tuple[str, Sequence[tuple[str, Any]]]]) -> tuple[Part, ...]:
    return tuple(
        Part(name, tuple((key, tuple(v) if isinstance(v, list) else v) for key, v in options))
        for name, options in rows
    )


def default_settings() -> DetectSecretsSettings:
    """All 27 plugins at their own limits and the filters of `detect-secrets scan -n`."""
    plugins = (Part(name, DEFAULT_OPTIONS.get(name, ())) for name in PLUGINS)
    return DetectSecretsSettings(
        in_order(plugins), in_order(Part(path) for path in DEFAULT_FILTERS)
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

    return log(value, 2)  # noqa: FURB163 - as the plugins reckon, to the last bit


def in_order(parts: Iterable[Part]) -> tuple[Part, ...]:
    by_name = {part.name: part for part in parts}
    return tuple(sorted(by_name.values(), key=lambda part: part.name.lower()))
