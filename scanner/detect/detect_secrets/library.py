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
# Packages that import far more than the module that is asked for.
_PLACES = (_PACKAGE, f"{_PACKAGE}.filters")
_STANDS_IN_FOR = "requests"

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
    """What detect-secrets sees as `requests`."""

    Response = object  # the type of a result, in a signature

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"{self.__name__}.{name}: detect-secrets may not use the network")


def module(name: str) -> Any:
    """The module `detect_secrets.<name>`, loaded without the package's own start."""
    full = f"{_PACKAGE}.{name}"
    if full not in sys.modules:
        with _without_network():
            _places()
            import_module(full)
    return sys.modules[full]


def plugin(name: str, options: dict[str, Any]) -> Any:
    """A plugin by the name of its class."""
    return getattr(module(f"plugins.{_PLUGIN_MODULES[name]}"), name)(**options)


def filter_function(path: str) -> Callable[..., bool]:
    """A filter by its import path, `detect_secrets.filters.<module>.<name>`."""
    where, name = path.removeprefix(_PACKAGE + ".").rsplit(".", 1)
    function: Callable[..., bool] = getattr(module(where), name)
    return function


def yaml_document(text: str) -> Any:
    """What its own YAML parser gives: in place of a mapping's texts, mappings with `__line__`."""
    return module("transformers.yaml").YAMLFileParser(io.StringIO(text)).json()


def _places() -> None:
    """The packages as places to load modules from, without what their __init__ imports."""
    for name in _PLACES:
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
    """While it lasts, whoever imports `requests` gets the stand-in."""
    real = sys.modules.get(_STANDS_IN_FOR)
    sys.modules[_STANDS_IN_FOR] = _STAND_IN
    try:
        yield
    finally:
        if real is None:
            del sys.modules[_STANDS_IN_FOR]
        else:
            sys.modules[_STANDS_IN_FOR] = real


_STAND_IN = _NoNetwork(_STANDS_IN_FOR)
