"""Detect: describe in plain English why a rule ignored a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scanner.detect.engine.candidate import Candidate
from scanner.detect.explain.trace import Requirement
from scanner.detect.rules.model import Rule
from scanner.detect.values.assignments import why_ignored
from scanner.detect.values.config_values import Flaw, is_sensitive
from scanner.detect.values.templates import Verdict, judge

_RANDOM = "a random value that is not a published example"
_LITERAL = "a literal that may be a secret"
_PEM_KEY = "a PEM block that contains a private key"
REQUIRED: Mapping[str, str] = {
    "age": "a valid Bech32 checksum",
    "assigned-value": _LITERAL,
    "authorization": "a login in base64, or a random token",
    "aws-key-id": _RANDOM,
    "azure-annotated-key": "the issuer's signature and a valid checksum",
    "azure-client-secret": "the issuer's signature and a valid checksum",
    "azure-devops-token": "the issuer's checksum",
    "azure-key": "the issuer's signature and a valid checksum",
    "azure-redis-key": _RANDOM,
    "base32-crc16": "a valid CRC-16 at its end",
    "base58check": "a valid Base58Check checksum",
    "bech32": "a valid Bech32 checksum",
    "command-argument": f"{_LITERAL} and is not a word from a usage text",
    "command-setting": f"{_LITERAL}, and a name such as password or token",
    "configured": f"{_LITERAL}, and a name such as password or token",
    "discord-token": "the ID of a bot in its first part",
    "encoded-json": "a part that is JSON in base64",
    "env-value": "a literal with a name such as password or token, or a random literal",
    "fallback": f"{_LITERAL}, and a name such as password or token",
    "github-token": "a valid CRC32 at its end",
    "gitlab-token": "a random value, or the checksum of a routable token",
    "grafana-token": "a valid CRC32 at its end",
    "jwt": "a signed token with claims that is not a public sample",
    "kv-path": "a path in a KV store",
    "kv-rotation": "a KV secret that is rotated",
    "machine-made": "a random value",
    "manifest-value": "a value that is not a placeholder",
    "matrix-token": "a valid CRC32 at its end",
    "pem": _PEM_KEY,
    "pem-base64": _PEM_KEY,
    "pem-encrypted": "a PEM block that contains an encrypted key",
    "pgp": "an armoured private key",
    "placed": _LITERAL,
    "positional": f"{_LITERAL} and is not a word",
    "password-hash": "a random value with the length of its hash method",
    "random": _RANDOM,
    "random-mixed": f"{_RANDOM}, with digits or mixed case",
    "random-named": _RANDOM,
    "remote-http": "the address of another machine, without TLS",
    "sanctum-token": "a valid CRC32 at its end",
    "service-key": "a random value, and the name of a service",
    "supabase-service-role": "the claims of a service role",
    "url-password": f"{_LITERAL} and is not a placeholder",
    "weak-password": "a common password, or one that consists of common words",
    "vague-key": "a random value, and a name that may belong to a secret",
}
"""What each check requires."""
_JUDGE_NAME_AND_VALUE = frozenset(("configured", "command-setting", "env-value", "fallback"))
_JUDGE_VALUE = frozenset(("command-argument", "placed", "positional", "url-password"))
_REASONS: Mapping[str, Callable[[Candidate], str]] = {"assigned-value": why_ignored}
"""Checks that can tell which of their requirements is not met."""

_VERDICTS = {
    Verdict.EMPTY: "empty",
    Verdict.REFERENCE: "a reference",
    Verdict.SAFE_DEFAULT: "a reference with a harmless default",
    Verdict.PLACEHOLDER: "a placeholder",
    Verdict.LITERAL: "a literal",
    Verdict.LITERAL_DEFAULT: "a reference with a literal as its default",
    Verdict.MIXED: "a reference next to a literal",
    Verdict.MALFORMED: "a malformed template",
    Verdict.UNDECLARED: "an undeclared variable",
}
_LITERALS = frozenset((Verdict.LITERAL, Verdict.LITERAL_DEFAULT))


def ignored(rule: Rule, failed: Requirement, candidate: Candidate) -> str:
    """Return which requirement of its rule a value fails."""
    if failed is Requirement.EDGES:
        return (
            "the character next to it could belong to the value, so this is part of a longer string"
        )
    if failed is Requirement.ENTROPY:
        return f"its entropy is too low: the rule requires {rule.entropy:g} bits per character"
    return f"the check {rule.check} requires {REQUIRED[rule.check]}{_detail(rule.check, candidate)}"


def _detail(check: str, candidate: Candidate) -> str:
    if check in _REASONS:
        return f"; {_REASONS[check](candidate)}"
    name, value = candidate.name.decode("latin-1"), candidate.value.decode("latin-1")
    if check in _JUDGE_NAME_AND_VALUE:
        return f"; {name_and_value(name, value)}"
    return f"; it is {_VERDICTS[judge(value).verdict]}" if check in _JUDGE_VALUE else ""


def setting(name: str, value: str, flaw: Flaw | None) -> str:
    """Describe the name and the value of a setting. `flaw`: what the structure rules report."""
    description = name_and_value(name, value)
    if flaw is None and is_sensitive(name) and judge(value).verdict in _LITERALS:
        return f"{description} that cannot be a secret, such as a word, path, number or switch"
    return description


def name_and_value(name: str, value: str) -> str:
    """Describe the name and the value of a setting."""
    kind = "suggests a secret" if is_sensitive(name) else "does not suggest a secret"
    return f"its name {kind}, its value is {_VERDICTS[judge(value).verdict]}"
