"""Detect: the offline checks that a rule's `check` names.

A check rejects a match that does not have the issuer's format: a checksum, a decodable part or a
complete PEM block. No check parses a key or uses the network.
"""

from __future__ import annotations

import base64
import binascii
import importlib
import json
import re
from collections.abc import Callable, Mapping

from scanner.detect.checks import azure_keys, pem
from scanner.detect.checks.checksums import (
    BECH32,
    bech32_checksum,
    crc32_base36,
    crc32_base62,
    crc32_base62_reversed,
    crc32_hex,
    crc32_hex_little,
    from_base58check,
    from_base64,
)
from scanner.detect.engine.candidate import Candidate, Check
from scanner.detect.values.assignments import assigned_value, is_random, url_password
from scanner.detect.values.config_values import configured, service_key, vague_key
from scanner.detect.values.placeholders import is_placeholder, is_sample
from scanner.model import Confidence

__all__ = ["CHECKS", "Candidate", "Check"]

_ENCODED_JSON = re.compile(rb"eyJ[0-9A-Za-z+/_-]+")
_MIN_DISTINCT = 8  # different bytes in a random value
# The length of a crypt(3) hash after the salt, by the ID of the method.
_HASH_LENGTHS = {b"1": 22, b"apr1": 22, b"5": 43, b"6": 86, b"y": 43, b"gy": 43}
_HASH_LENGTHS |= dict.fromkeys((b"2", b"2a", b"2b", b"2x", b"2y"), 53) | {
    b"P": 31,
    b"H": 31,
    b"S": 52,
}
_BASE32 = re.compile(rb"[A-Z2-7]+")
_DIGIT = re.compile(rb"[0-9]")
_LONG_TOKEN = 20
_CASE_CHANGE = re.compile(rb"(?<=[a-z])[A-Z]|(?<=[A-Z])[a-z]")
_LETTERS_PER_CASE_CHANGE = 3  # in a name such as `camelCaseName`, at least


def _certain(test: Callable[[Candidate], bool]) -> Check:
    """Return a check that accepts with high confidence."""
    return _without_errors(lambda candidate: Confidence.HIGH if test(candidate) else None)


def _without_errors(check: Check) -> Check:
    """Return a check that rejects what it cannot parse, since any rule may name the check."""

    def checked(candidate: Candidate) -> Confidence | None:
        try:
            return check(candidate)
        except (ValueError, IndexError):
            return None

    return checked


def _lazy(module: str, name: str) -> Check:
    """Return a check whose module is imported when it is first used, since few scans need it."""

    def check(candidate: Candidate) -> Confidence | None:
        found: Check = getattr(importlib.import_module(f"scanner.detect.{module}"), name)
        return found(candidate)

    return _without_errors(check)


def _looks_random(value: bytes) -> bool:
    """Does a value of at least 16 bytes look random, and is it not a published sample?"""
    if is_sample(value):
        return False
    half = len(value) // 2
    return len(set(value)) >= _MIN_DISTINCT and value[:half] != value[-half:]


def _random(candidate: Candidate) -> bool:
    return _looks_random(candidate.value)


def _random_mixed(candidate: Candidate) -> bool:
    """Does the value look random, and not like a name in code after a short prefix?

    A token has digits, or changes between lower and upper case more often than a name does.
    """
    value = candidate.value
    changes = len(_CASE_CHANGE.findall(value))
    mixed = _DIGIT.search(value) or changes * _LETTERS_PER_CASE_CHANGE >= len(value)
    return _random(candidate) and bool(mixed)


def _random_named(candidate: Candidate) -> Confidence | None:
    """Check a value that only its name marks as a secret."""
    return Confidence.MEDIUM if _looks_random(candidate.value) else None


def _password_hash(candidate: Candidate) -> bool:
    """Check the length here: a count in the pattern would need a state for each character."""
    parts = candidate.value.replace(b"$$", b"$").split(b"$")
    length = _HASH_LENGTHS.get(parts[1]) if len(parts) > 1 else None
    return _looks_random(candidate.value) and length in (None, len(parts[-1]))


def _github(candidate: Candidate) -> bool:
    body = candidate.value.decode("ascii").rpartition("_")[2]
    return crc32_base62(body[:-6]) == body[-6:]


def _gitlab(candidate: Candidate) -> bool:
    """Check the checksum of a routable token, which has one dot and covers the instance's prefix.

    Classic tokens have no checksum. That of tokens with two dots is not published.
    """
    if candidate.value.count(b".") != 1:
        return _looks_random(candidate.value)
    before = candidate.line[: candidate.at].decode("latin-1")
    instance = re.search(r"[\w+-]*\Z", before, re.ASCII)
    token = candidate.value.decode("ascii")
    return any(
        crc32_base36(prefix + token[:-7]) == token[-7:]
        for prefix in {"", instance[0] if instance else ""}
    )


def _aws_key_id(candidate: Candidate) -> Confidence | None:
    """AWS writes key IDs in base32. An ID with another digit was probably edited by hand."""
    if not _looks_random(candidate.value):
        return None
    return Confidence.HIGH if _BASE32.fullmatch(candidate.value[4:]) else Confidence.LOW


def _grafana(candidate: Candidate) -> bool:
    body, _, checksum = candidate.value.decode("ascii").rpartition("_")
    return crc32_hex_little(body) == checksum


def _sanctum(candidate: Candidate) -> bool:
    """Check forty random characters and their CRC32, which does not cover the app's own prefix."""
    entropy = candidate.value.decode("ascii")[-48:]
    return crc32_hex(entropy[:-8]) == entropy[-8:]


def _matrix(candidate: Candidate) -> bool:
    """Check the CRC32. Synapse (`sy…`) and Matrix Authentication Service (`m…`) differ in it."""
    body, _, checksum = candidate.value.decode("ascii").rpartition("_")
    expected = crc32_base62 if body.startswith("sy") else crc32_base62_reversed
    return expected(body) == checksum


def _base58check(candidate: Candidate) -> bool:
    return bool(from_base58check(candidate.value.decode("ascii")))


def _base32_crc16(candidate: Candidate) -> bool:
    """Check base32 whose last two bytes are the CRC-16 (XMODEM) of the rest, low byte first."""
    data = base64.b32decode(candidate.value + b"=" * (-len(candidate.value) % 8))
    return binascii.crc_hqx(data[:-2], 0) == int.from_bytes(data[-2:], "little")


def _bech32(candidate: Candidate) -> bool:
    prefix, _, data = candidate.value.decode("ascii").lower().rpartition("1")
    words = [BECH32.index(char) for char in data]
    return bech32_checksum(prefix, words[:-6]) == words[-6:]


def _azure_redis(candidate: Candidate) -> Confidence | None:
    """A key with a wrong checksum may be real: the issuer may change characters afterwards."""
    if not _looks_random(candidate.value):
        return None
    return Confidence.HIGH if azure_keys.is_key(candidate.value) else Confidence.MEDIUM


def _discord(candidate: Candidate) -> bool:
    """A bot token begins with the ID of the bot: 17 to 20 digits in base64."""
    identifier = from_base64(candidate.value.split(b".")[0])
    return identifier.isdigit() and 17 <= len(identifier) <= 20


def _encoded_json(candidate: Candidate) -> bool:
    """Is a part of the token, perhaps without a suffix after `_`, a JSON object in base64?"""
    for part in _ENCODED_JSON.findall(candidate.value):
        if _object(part) or _object(part.rpartition(b"_")[0]):
            return True
    return False


def _jwt(candidate: Candidate) -> bool:
    header, payload = (_object(part) for part in candidate.value.split(b".")[:2])
    algorithm = header.get("alg")
    signed = isinstance(algorithm, str) and algorithm.lower() != "none"
    return signed and bool(payload) and not _is_public(payload)


def _is_public(payload: dict[str, object]) -> bool:
    """Is it the sample of jwt.io, or a Supabase token, which is public or has its own rule?"""
    sample = payload.get("sub") == "1234567890" and "name" in payload
    return sample or payload.get("iss") == "supabase"


def _supabase(candidate: Candidate) -> bool:
    payload = _object(candidate.value.split(b".")[1])
    return payload.get("iss") == "supabase" and payload.get("role") == "service_role"


def _authorization(candidate: Candidate) -> Confidence | None:
    """Check the credentials of an Authorization header.

    Basic has a name, a colon and a password in base64. Any other token must have a digit, or it may
    be a word from a manual.
    """
    value, before = candidate.value, candidate.line[: candidate.at].rstrip()
    if before[-5:].lower() == b"basic":
        login = from_base64(value).decode()
        _, colon, password = login.partition(":")
        return Confidence.HIGH if colon and password and login.isprintable() else None
    if is_placeholder(value.decode("latin-1")) or not _DIGIT.search(value):
        return None
    is_header = b"authorization" in candidate.line.lower()
    return Confidence.MEDIUM if is_header or len(value) >= _LONG_TOKEN else None


def _object(text: bytes) -> dict[str, object]:
    """Return the JSON object in base64, or an empty one."""
    try:
        value = json.loads(from_base64(text))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


REQUIRE_RANDOM = frozenset(
    ("random", "random-mixed", "random-named", "aws-key-id", "password-hash")
)
"""Checks that require a random value. A value that they reject may be a published example."""

CHECKS: Mapping[str, Check] = {
    "age": _certain(_bech32),
    "assigned-value": _without_errors(assigned_value),
    "authorization": _without_errors(_authorization),
    "aws-key-id": _aws_key_id,
    "azure-annotated-key": _certain(lambda found: azure_keys.is_annotated_key(found.value)),
    "azure-client-secret": _certain(lambda found: azure_keys.is_client_secret(found.value)),
    "azure-devops-token": _certain(lambda found: azure_keys.is_devops_token(found.value)),
    "azure-key": _certain(lambda found: azure_keys.is_key(found.value)),
    "azure-redis-key": _azure_redis,
    "base32-crc16": _certain(_base32_crc16),
    "base58check": _certain(_base58check),
    "bech32": _certain(_bech32),
    "command-argument": _lazy("values.arguments", "command_argument"),
    "command-setting": _lazy("values.arguments", "command_setting"),
    "configured": _without_errors(configured),
    "discord-token": _certain(_discord),
    "encoded-json": _certain(_encoded_json),
    "env-value": _lazy("values.dotenv", "env_value"),
    "fallback": _lazy("values.fallbacks", "fallback"),
    "github-token": _certain(_github),
    "gitlab-token": _certain(_gitlab),
    "grafana-token": _certain(_grafana),
    "jwt": _certain(_jwt),
    "kv-path": _lazy("values.store_paths", "kv_path"),
    "kv-rotation": _lazy("values.store_paths", "kv_rotation"),
    "machine-made": _certain(lambda found: is_random(found.value.decode("latin-1"))),
    "manifest-value": _lazy("values.kubernetes_secrets", "manifest_value"),
    "matrix-token": _certain(_matrix),
    "password-hash": _certain(_password_hash),
    "pem": _certain(lambda found: pem.is_private_key(found.value)),
    "pem-base64": _certain(lambda found: pem.is_private_key(from_base64(found.value))),
    "pem-encrypted": _certain(lambda found: pem.is_encrypted_key(found.value)),
    "pgp": _certain(lambda found: pem.is_pgp_key(found.value)),
    "placed": _lazy("values.fallbacks", "placed"),
    "positional": _lazy("values.fallbacks", "positional"),
    "random": _certain(_random),
    "random-mixed": _certain(_random_mixed),
    "random-named": _random_named,
    "remote-http": _lazy("values.store_paths", "remote_http"),
    "sanctum-token": _certain(_sanctum),
    "service-key": _without_errors(service_key),
    "supabase-service-role": _certain(_supabase),
    "url-password": _without_errors(url_password),
    "vague-key": _without_errors(vague_key),
    "weak-password": _lazy("values.weak_passwords", "weak_password"),
}

CHECKSUMS = frozenset(
    {
        "age",
        "azure-annotated-key",
        "azure-client-secret",
        "azure-devops-token",
        "azure-key",
        "base32-crc16",
        "base58check",
        "bech32",
        "github-token",
        "grafana-token",
        "matrix-token",
        "sanctum-token",
    }
)
"""The checks that refuse a value whose checksum is wrong."""
