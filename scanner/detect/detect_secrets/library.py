"""Detect: load single modules of detect-secrets; no other module imports the library.

Importing the package itself would import all its plugins and `requests`, which is slow. So each
module is loaded when it is needed. For safety, its modules get a stand-in for `requests`: any use
of it raises RuntimeError, so no plugin can reach the network.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any

from scanner.errors import ConfigError

_PACKAGE = "detect_secrets"
# Packages whose __init__ would import far more than the requested module.
_PACKAGES = (_PACKAGE, f"{_PACKAGE}.filters")
_REPLACED = "requests"

_PLUGIN_MODULES = {
    "ArtifactoryDetector": "artifactory",
    "AWSKeyDetector": "aws",
    "AzureStorageKeyDetector": "azure_storage_key",
    "Base64HighEntropyString": "high_entropy_strings",
    "BasicAuthDetector": "basic_auth",
    "CloudantDetector": "cloudant",
    "DiscordBotTokenDetector": "discord",
    "GitHubTokenDetector": "github_token",
    "GitLabTokenDetector": "gitlab_token",
    "HexHighEntropyString": "high_entropy_strings",
    "IbmCloudIamDetector": "ibm_cloud_iam",
    "IbmCosHmacDetector": "ibm_cos_hmac",
    "IPPublicDetector": "ip_public",
    "JwtTokenDetector": "jwt",
    "KeywordDetector": "keyword",
    "MailchimpDetector": "mailchimp",
    "NpmDetector": "npm",
    "OpenAIDetector": "openai",
    "PrivateKeyDetector": "private_key",
    "PypiTokenDetector": "pypi_token",
    "SendGridDetector": "sendgrid",
    "SlackDetector": "slack",
    "SoftlayerDetector": "softlayer",
    "SquareOAuthDetector": "square_oauth",
    "StripeDetector": "stripe",
    "TelegramBotTokenDetector": "telegram_token",
    "TwilioKeyDetector": "twilio",
}


class _NoNetwork(ModuleType):
    """The stand-in that detect-secrets imports as `requests`."""

    Response = object  # an annotation uses it

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"{self.__name__}.{name}: detect-secrets may not use the network")


def module(name: str) -> Any:
    """Return the module `detect_secrets.<name>`. It is imported without the package's __init__.

    Raises ConfigError if detect-secrets is not installed.
    """
    full = f"{_PACKAGE}.{name}"
    if full not in sys.modules:
        with _without_network():
            _add_packages()
            import_module(full)
    return sys.modules[full]


def plugin(name: str, options: dict[str, Any]) -> Any:
    """Create a plugin by the name of its class."""
    return getattr(module(f"plugins.{_PLUGIN_MODULES[name]}"), name)(**options)


def filter_function(path: str) -> Callable[..., bool]:
    """Return a filter by its import path, `detect_secrets.filters.<module>.<name>`."""
    where, name = path.removeprefix(_PACKAGE + ".").rsplit(".", 1)
    function: Callable[..., bool] = getattr(module(where), name)
    return function


def yaml_document(text: str) -> Any:
    """Parse YAML with the library. It replaces each text in a mapping by one with `__line__`."""
    return module("transformers.yaml").YAMLFileParser(io.StringIO(text)).json()


def _add_packages() -> None:
    """Add empty packages to sys.modules, so that their modules can be imported without __init__."""
    for name in _PACKAGES:
        if name not in sys.modules:
            spec = find_spec(name)
            if spec is None:
                raise ConfigError(
                    "detect-secrets is not installed",
                    todo="pip install detect-secrets==1.5.0, or scan with --detect-secrets off",
                )
            sys.modules[name] = module_from_spec(spec)


@contextmanager
def _without_network() -> Iterator[None]:
    """While the context is open, `import requests` gives the stand-in."""
    real = sys.modules.get(_REPLACED)
    sys.modules[_REPLACED] = _STAND_IN
    try:
        yield
    finally:
        if real is None:
            del sys.modules[_REPLACED]
        else:
            sys.modules[_REPLACED] = real


_STAND_IN = _NoNetwork(_REPLACED)
