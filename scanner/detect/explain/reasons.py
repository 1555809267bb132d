"""Detect: describe in plain English why a rule ignored a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scanner.detect.engine.candidate import Candidate
from scanner.detect.explain.trace import Refusal
from scanner.detect.rules.model import Rule
from scanner.detect.values.assignments import why_ignored
from scanner.detect.values.config_values import Flaw, is_sensitive
from scanner.detect.values.templates import Verdict, judge

_RANDOM = "a value that a machine made, and no example of a manual"
_LITERAL = "a literal that can be a secret"
_KEY = "a PEM frame with a key's bytes in it"
DEMANDS: Mapping[str, str] = {
    "age": "a Bech32 checksum that fits",
    "assigned-value": _LITERAL,
    "authorization": "a login in base64, or a token that a machine made",
    "aws-key-id": _RANDOM,
    "azure-annotated-key": "the issuer's mark, and a checksum that fits",
    "azure-client-secret": "the issuer's mark in its place",
    "azure-devops-token": "the issuer's checksum",
    "azure-key": "the issuer's mark, and a checksum that fits",
    "azure-redis-key": _RANDOM,
    "base32-crc16": "a CRC-16 at its end that fits",
    "base58check": "a Base58Check checksum that fits",
    "bech32": "a Bech32 checksum that fits",
    "command-argument": f"{_LITERAL}, and no word of a usage text",
    "command-setting": f"{_LITERAL}, under a name that holds one",
    "configured": f"{_LITERAL}, under a name that holds one",
    "discord-token": "the number of a bot in its first part",
    "encoded-json": "a part that is JSON in base64",
    "env-value": "a literal under a name that holds a secret, or one that a machine made",
    "fallback": f"{_LITERAL}, under a name that holds one",
    "github-token": "a CRC32 at its end that fits",
    "gitlab-token": "what a machine made, or the checksum of a routable token",
    "grafana-token": "a CRC32 at its end that fits",
    "jwt": "a signed token with claims, and no public sample",
    "kv-path": "a path of a KV store",
    "kv-rotation": "a secret of a KV store that something rotates",
    "machine-made": "a value that only a machine could have made",
    "manifest-value": "a value that is no placeholder",
    "matrix-token": "a CRC32 at its end that fits",
    "pem": _KEY,
    "pem-base64": _KEY,
    "pem-encrypted": "a PEM frame with an encrypted key in it",
    "pgp": "an armoured private key",
    "placed": _LITERAL,
    "positional": f"{_LITERAL}, and no word",
    "password-hash": "what a machine made, as long as its method writes it",
    "random": _RANDOM,
    "random-mixed": f"{_RANDOM}, with digits or changes of case",
    "random-named": _RANDOM,
    "remote-http": "an address of another machine, without TLS",
    "sanctum-token": "a CRC32 at its end that fits",
    "supabase-service-role": "the claims of a service role",
    "url-password": f"{_LITERAL}, and no placeholder",
    "vague-key": "a value that a machine made, under a name that may hold a secret",
}
"""What each check asks for."""
_OF_NAME_AND_TEXT = frozenset(("configured", "command-setting", "env-value", "fallback"))
_OF_TEXT = frozenset(("command-argument", "placed", "positional", "url-password"))
_REASONS: Mapping[str, Callable[[Candidate], str]] = {"assigned-value": why_ignored}
"""The checks that can say which of their demands is not met."""

_VERDICTS = {
    Verdict.EMPTY: "nothing",
    Verdict.REFERENCE: "a reference",
    Verdict.SAFE_DEFAULT: "a reference with a harmless default",
    Verdict.PLACEHOLDER: "a placeholder",
    Verdict.LITERAL: "a literal",
    Verdict.LITERAL_DEFAULT: "a reference with a literal as its default",
    Verdict.MIXED: "a reference with a literal beside it",
    Verdict.MALFORMED: "a template that nothing replaces",
    Verdict.UNDECLARED: "a variable that nothing declares",
}
_LITERALS = frozenset((Verdict.LITERAL, Verdict.LITERAL_DEFAULT))


def of_refusal(rule: Rule, why: Refusal, candidate: Candidate) -> str:
    """Which demand of its rule a value does not meet."""
    if why is Refusal.EDGES:
        return (
            "the character next to it could belong to the value, so this is part of a longer string"
        )
    if why is Refusal.ENTROPY:
        return f"its entropy is too low: the rule requires {rule.entropy:g} bits per character"
    return f"the check {rule.check} requires {DEMANDS[rule.check]}{_more(rule.check, candidate)}"


def _more(check: str, candidate: Candidate) -> str:
    if check in _REASONS:
        return f"; {_REASONS[check](candidate)}"
    name, value = candidate.name.decode("latin-1"), candidate.value.decode("latin-1")
    if check in _OF_NAME_AND_TEXT:
        return f"; {of_name_and_text(name, value)}"
    return f"; it is {_VERDICTS[judge(value).verdict]}" if check in _OF_TEXT else ""


def of_setting(name: str, value: str, flaw: Flaw | None) -> str:
    """What a setting's name and text say; `flaw`: what the rules on structure go by."""
    said = of_name_and_text(name, value)
    if flaw is None and is_sensitive(name) and judge(value).verdict in _LITERALS:
        return f"{said}, of a kind that is no secret: a word, a path, a number, a switch"
    return said


def of_name_and_text(name: str, value: str) -> str:
    """What a setting's name and text say."""
    held = "a secret's" if is_sensitive(name) else "no secret's"
    return f"its name is {held}, its value is {_VERDICTS[judge(value).verdict]}"
