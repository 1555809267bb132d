"""Detection: offline checks of what a pattern found, by the name that a rule's `check` gives.

A check knows what an issuer's format promises (a checksum, a decodable part, a whole frame) and
refuses what does not keep it. None of them parses a key or asks anyone.
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
from scanner.detect.values.assignments import assigned_value, url_password
from scanner.detect.values.config_values import configured, is_random, vague_key
from scanner.detect.values.placeholders import is_placeholder, is_sample
from scanner.model import Confidence

__all__ = ["CHECKS", "Candidate", "Check"]

_ENCODED_JSON = re.compile(rb"eyJ[0-9A-Za-z+/_-]+")
_FEWEST_DISTINCT = 8
# How many characters crypt(3) and its kin write after the salt, by the mark of the method.
_CRYPT = {b"1": 22, b"apr1": 22, b"5": 43, b"6": 86, b"y": 43, b"gy": 43}
_CRYPT |= dict.fromkeys((b"2", b"2a", b"2b", b"2x", b"2y"), 53) | {b"P": 31, b"H": 31, b"S": 52}
_BASE32 = re.compile(rb"[A-Z2-7]+")
_DIGIT = re.compile(rb"[0-9]")
_LONG_TOKEN = 20
_CASE_CHANGE = re.compile(rb"(?<=[a-z])[A-Z]|(?<=[A-Z])[a-z]")
_NAME_LETTERS_A_CHANGE = 3


def _sure(test: Callable[[Candidate], bool]) -> Check:
    """A check that is sure of what it accepts."""
    return _whole(lambda candidate: Confidence.HIGH if test(candidate) else None)


def _whole(check: Check) -> Check:
    """A check that refuses what is not of its format: any rule may name it, a user's too."""

    def checked(candidate: Candidate) -> Confidence | None:
        try:
            return check(candidate)
        except (ValueError, IndexError):
            return None

    return checked


def _late(module: str, name: str) -> Check:
    """A check that few scans need: its module is loaded when it is asked for the first time."""

    def check(candidate: Candidate) -> Confidence | None:
        found: Check = getattr(importlib.import_module(f"scanner.detect.{module}"), name)
        return found(candidate)

    return _whole(check)


def _looks_random(value: bytes) -> bool:
    """Whether a value of 16 bytes and more could be machine-made, and is no documented sample."""
    if is_sample(value):
        return False
    half = len(value) // 2
    return len(set(value)) >= _FEWEST_DISTINCT and value[:half] != value[-half:]


def _random(candidate: Candidate) -> bool:
    return _looks_random(candidate.value)


def _random_mixed(candidate: Candidate) -> bool:
    """For short prefixes that names in code may follow.

    A token has digits among its letters, or changes between small and capital ones more often
    than the words of a name do.
    """
    value = candidate.value
    changes = len(_CASE_CHANGE.findall(value))
    mixed = _DIGIT.search(value) or changes * _NAME_LETTERS_A_CHANGE >= len(value)
    return _random(candidate) and bool(mixed)


def _random_named(candidate: Candidate) -> Confidence | None:
    """For values that only the name beside them makes a secret."""
    return Confidence.MEDIUM if _looks_random(candidate.value) else None


def _password_hash(candidate: Candidate) -> bool:
    """The length is asked for here: counted in a pattern, each character of it is a state."""
    parts = candidate.value.replace(b"$$", b"$").split(b"$")
    length = _CRYPT.get(parts[1]) if len(parts) > 1 else None
    return _looks_random(candidate.value) and length in (None, len(parts[-1]))


def _github(candidate: Candidate) -> bool:
    body = candidate.value.decode("ascii").rpartition("_")[2]
    return crc32_base62(body[:-6]) == body[-6:]


def _gitlab(candidate: Candidate) -> bool:
    """Classic tokens have no checksum, and of those that name a version between two dots none is
    published; that of a routable one covers the instance's prefix too."""
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
    """The issuer writes ids in base32; what has another digit was changed by hand, and is mostly
    near a real one."""
    if not _looks_random(candidate.value):
        return None
    return Confidence.HIGH if _BASE32.fullmatch(candidate.value[4:]) else Confidence.LOW


def _grafana(candidate: Candidate) -> bool:
    body, _, checksum = candidate.value.decode("ascii").rpartition("_")
    return crc32_hex_little(body) == checksum


def _sanctum(candidate: Candidate) -> bool:
    """Forty random characters and their CRC32, which covers no prefix of the application's own."""
    entropy = candidate.value.decode("ascii")[-48:]
    return crc32_hex(entropy[:-8]) == entropy[-8:]


def _matrix(candidate: Candidate) -> bool:
    """Synapse (`sy…`) and the Matrix Authentication Service (`m…`) write the CRC32 differently."""
    body, _, checksum = candidate.value.decode("ascii").rpartition("_")
    made = crc32_base62 if body.startswith("sy") else crc32_base62_reversed
    return made(body) == checksum


def _base58check(candidate: Candidate) -> bool:
    return bool(from_base58check(candidate.value.decode("ascii")))


def _base32_crc16(candidate: Candidate) -> bool:
    """Base32 whose last two bytes are a CRC-16 of the rest (XMODEM's), the low byte first."""
    data = base64.b32decode(candidate.value + b"=" * (-len(candidate.value) % 8))
    return binascii.crc_hqx(data[:-2], 0) == int.from_bytes(data[-2:], "little")


def _bech32(candidate: Candidate) -> bool:
    prefix, _, data = candidate.value.decode("ascii").lower().rpartition("1")
    words = [BECH32.index(char) for char in data]
    return bech32_checksum(prefix, words[:-6]) == words[-6:]


def _azure_redis(candidate: Candidate) -> Confidence | None:
    """The issuer changes some characters after the checksum is made: a wrong one may be real."""
    if not _looks_random(candidate.value):
        return None
    return Confidence.HIGH if azure_keys.is_key(candidate.value) else Confidence.MEDIUM


def _discord(candidate: Candidate) -> bool:
    """A bot token begins with its bot's id: 17 to 20 digits in base64."""
    identifier = from_base64(candidate.value.split(b".")[0])
    return identifier.isdigit() and 17 <= len(identifier) <= 20


def _encoded_json(candidate: Candidate) -> bool:
    """Some part of the token is the base64 of a JSON object, alone or with a tail after `_`."""
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
    """The sample of jwt.io, and what another rule reports or its issuer calls public."""
    sample = payload.get("sub") == "1234567890" and "name" in payload
    return sample or payload.get("iss") == "supabase"


def _supabase(candidate: Candidate) -> bool:
    payload = _object(candidate.value.split(b".")[1])
    return payload.get("iss") == "supabase" and payload.get("role") == "service_role"


def _authorization(candidate: Candidate) -> Confidence | None:
    """Basic is the base64 of a name, a colon and a password. What else is replayed as it stands: a
    machine made it, or it would be a word of a manual."""
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
    """The JSON object in base64, or an empty one."""
    try:
        value = json.loads(from_base64(text))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


SEEK_RANDOM = frozenset(("random", "random-mixed", "random-named", "aws-key-id", "password-hash"))
"""Checks that ask whether a machine made the value: what they refuse may be a manual's example."""

CHECKS: Mapping[str, Check] = {
    "age": _sure(_bech32),
    "assigned-value": _whole(assigned_value),
    "authorization": _whole(_authorization),
    "aws-key-id": _aws_key_id,
    "azure-annotated-key": _sure(lambda found: azure_keys.is_annotated_key(found.value)),
    "azure-client-secret": _sure(lambda found: azure_keys.is_client_secret(found.value)),
    "azure-devops-token": _sure(lambda found: azure_keys.is_devops_token(found.value)),
    "azure-key": _sure(lambda found: azure_keys.is_key(found.value)),
    "azure-redis-key": _azure_redis,
    "base32-crc16": _sure(_base32_crc16),
    "base58check": _sure(_base58check),
    "bech32": _sure(_bech32),
    "command-argument": _late("values.arguments", "command_argument"),
    "command-setting": _late("values.arguments", "command_setting"),
    "configured": _whole(configured),
    "discord-token": _sure(_discord),
    "encoded-json": _sure(_encoded_json),
    "env-value": _late("values.dotenv", "env_value"),
    "fallback": _late("values.fallbacks", "fallback"),
    "github-token": _sure(_github),
    "gitlab-token": _sure(_gitlab),
    "grafana-token": _sure(_grafana),
    "jwt": _sure(_jwt),
    "kv-path": _late("values.store_paths", "kv_path"),
    "kv-rotation": _late("values.store_paths", "kv_rotation"),
    "machine-made": _sure(lambda found: is_random(found.value.decode("latin-1"))),
    "manifest-value": _late("values.kubernetes_secrets", "manifest_value"),
    "matrix-token": _sure(_matrix),
    "password-hash": _sure(_password_hash),
    "pem": _sure(lambda found: pem.is_private_key(found.value)),
    "pem-base64": _sure(lambda found: pem.is_private_key(from_base64(found.value))),
    "pem-encrypted": _sure(lambda found: pem.is_encrypted_key(found.value)),
    "pgp": _sure(lambda found: pem.is_pgp_key(found.value)),
    "placed": _late("values.fallbacks", "placed"),
    "positional": _late("values.fallbacks", "positional"),
    "random": _sure(_random),
    "random-mixed": _sure(_random_mixed),
    "random-named": _random_named,
    "remote-http": _late("values.store_paths", "remote_http"),
    "sanctum-token": _sure(_sanctum),
    "supabase-service-role": _sure(_supabase),
    "url-password": _whole(url_password),
    "vague-key": _whole(vague_key),
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
