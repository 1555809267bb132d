"""Detect: which plugins and filters of detect-secrets run, and with which options."""

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
"""Each plugin's class, and the type of its findings in a baseline."""

LIMITS: Mapping[str, float] = {"Base64HighEntropyString": 4.5, "HexHighEntropyString": 3.0}
DEFAULT_OPTIONS: Mapping[str, tuple[tuple[str, Any], ...]] = {
    **{name: (("limit", limit),) for name, limit in LIMITS.items()},
    "KeywordDetector": (("keyword_exclude", ""),),
}

_HOME = "detect_secrets.filters."
ALWAYS = (_HOME + "common.is_invalid_file", _HOME + "heuristic.is_non_text_file")
"""Filters that always run and that no baseline lists."""
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


class Component(NamedTuple):
    """A plugin or a filter.

    name: the plugin's class, or the filter's import path.
    options: names and values, in the order of the baseline.
    """

    name: str
    options: tuple[tuple[str, Any], ...] = ()

    def option(self, name: str) -> Any:
        """Return the value of an option; None if it is not set."""
        return dict(self.options).get(name)


class DetectSecretsSettings(NamedTuple):
    """The plugins and filters that run, sorted in the order of detect-secrets.

    own_file: the name of the baseline itself. Files of that name are not scanned.
    """

    plugins: tuple[Component, ...]
    filters: tuple[Component, ...]
    own_file: str = ""

    @property
    def active_plugins(self) -> tuple[Component, ...]:
        """The plugins that may find something.

        IP addresses have no letters, so the filter that requires letters ignores all of them.
        """
        if not any(component.name == NOT_ALPHANUMERIC for component in self.filters):
            return self.plugins
        return tuple(
            component for component in self.plugins if component.name != "IPPublicDetector"
        )

    @property
    def disabled_plugins(self) -> tuple[str, ...]:
        """Default plugins that do not run."""
        return tuple(sorted(set(PLUGINS) - {component.name for component in self.plugins}))

    @property
    def limits(self) -> dict[str, float]:
        """The entropy limit of each plugin that has one. A higher limit finds less."""
        return {
            component.name: component.option("limit")
            for component in self.plugins
            if component.name in LIMITS
        }

    @property
    def extra_filters(self) -> tuple[str, ...]:
        """Filters beyond the default, which hide findings, with their options as text."""
        return tuple(
            " ".join([component.name, *(f"{key}={value!r}" for key, value in component.options)])
            for component in self.filters
            if component.name not in {*DEFAULT_FILTERS, *ALWAYS, VERIFICATION}
            and not (
                component.name == BASELINE_FILE and component.option("filename") == self.own_file
            )
        ) + tuple(
            f"KeywordDetector {key}={value!r}"
            for component in self.plugins
            for key, value in component.options
            if key == "keyword_exclude" and value
        )


def dumped(settings: DetectSecretsSettings) -> bytes:
    """Return the settings as JSON, for the cache."""
    import json

    return json.dumps(settings).encode()


def loaded(data: bytes) -> DetectSecretsSettings:
    """Return the settings from the JSON of `dumped`."""
    import json

    plugins, filters, own_file = json.loads(data)
    return DetectSecretsSettings(
        plugins=_components(plugins), filters=_components(filters), own_file=own_file
    )


def _components(rows: Sequence[tuple[str, Sequence[tuple[str, Any]]]]) -> tuple[Component, ...]:
    return tuple(
        Component(name, tuple((key, tuple(v) if isinstance(v, list) else v) for key, v in options))
        for name, options in rows
    )


def default_settings() -> DetectSecretsSettings:
    """Return all 27 plugins with default limits, and the filters of `detect-secrets scan -n`."""
    plugins = (Component(name, DEFAULT_OPTIONS.get(name, ())) for name in PLUGINS)
    return DetectSecretsSettings(
        in_order(plugins), in_order(Component(path) for path in DEFAULT_FILTERS)
    )


def min_distinct(limit: float) -> int:
    """Return the minimum number of different characters of a text with an entropy over `limit`."""
    count = 1
    while count < 300:  # the maximum limit of detect-secrets, 8 bits, needs 257 characters
        share = 1 / count
        if sum(-share * _log2(share) for _ in range(count)) > limit:
            break
        count += 1
    return count


def _log2(value: float) -> float:
    from math import log

    return log(value, 2)  # noqa: FURB163 - rounds like the plugins do


def in_order(components: Iterable[Component]) -> tuple[Component, ...]:
    """Return the components sorted by name. The last one counts if a name occurs twice."""
    by_name = {component.name: component for component in components}
    return tuple(sorted(by_name.values(), key=lambda component: component.name.lower()))
