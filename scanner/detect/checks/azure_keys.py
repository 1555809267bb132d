"""Detect: check Microsoft's identifiable keys offline, and generate them for tests.

Format and seeds: https://github.com/microsoft/security-utilities (IdentifiableSecrets.cs,
IdentifiableMetadata.cs, CommonAnnotatedKey.cs), read 2026-11-24. A key consists of random data, a
signature of four base64 characters, and in the last four bytes the Marvin32 hash of the rest. The
seed of the hash depends on the kind of key.
"""

from __future__ import annotations

import zlib
from binascii import b2a_base64
from collections.abc import Callable, Mapping
from string import ascii_lowercase, ascii_uppercase
from typing import NamedTuple

from scanner.detect.checks.checksums import (
    BASE32_LOWER,
    BASE62,
    TO_STANDARD,
    from_base64,
    in_base,
    marvin32,
)

RandomBytes = Callable[[int], bytes]

_TO_URL = bytes.maketrans(b"+/", b"-_")
_SEND_LISTEN_MANAGE = (b"Send0000", b"Listen00", b"Manage00")
_CLIENT_ALPHABET = ascii_lowercase + ascii_uppercase + "1234567890" + ".-_~"
_DEVOPS_SEEDS = (0xE0B9692D, 0x1019F92E)
# The offsets of the checksum's bytes in the 32 bytes of a DevOps token, lowest byte first.
_DEVOPS_CHECKSUM_PLACES = (22, 8, 7, 2)


class _Format(NamedTuple):
    size: int
    seeds: tuple[bytes, ...]


# By the signature. A seed is eight characters, read as a big-endian number.
_FORMATS: Mapping[bytes, _Format] = {
    b"+ASt": _Format(64, (b"Default0",)),
    b"ACDb": _Format(64, (b"MastRO00", b"MastRW00")),
    b"+ABa": _Format(64, (b"AbAcct00",)),
    b"+AMC": _Format(64, (b"Classic0",)),
    b"APIM": _Format(64, (b"Tenant00", b"IoTHub00", b"Gatewy00", b"GitKey00")),
    b"+ASb": _Format(32, _SEND_LISTEN_MANAGE),
    b"+AEh": _Format(32, _SEND_LISTEN_MANAGE),
    b"+ARm": _Format(32, _SEND_LISTEN_MANAGE),
    b"AIoT": _Format(32, (b"IoTHub00", b"DpsKey00", b"Device00")),
    b"AzCa": _Format(32, (b"Access00",)),
    b"AzFu": _Format(40, (b"Master00", b"System00", b"Functi00")),
    b"AzSe": _Format(39, (b"Query000", b"PAdmin00")),
    b"+ACR": _Format(39, (b"ACRDflt0",)),
}
_ANNOTATED_SEED = int.from_bytes(b"Default0", "big")


def is_key(text: bytes) -> bool:
    """Does a base64 key (either alphabet) have the checksum of its signature's service?"""
    data = from_base64(text)
    signature = text.rstrip(b"=")[-10:-6].translate(TO_STANDARD)
    form = _FORMATS.get(signature)
    if form is None or len(data) != form.size:
        return False
    body, checksum = data[:-4], int.from_bytes(data[-4:], "little")
    return any(marvin32(body, int.from_bytes(seed, "big")) == checksum for seed in form.seeds)


def is_annotated_key(text: bytes) -> bool:
    """Does a common annotated key of 84 characters have a valid checksum?"""
    body, checksum = text[:80], text[80:84].decode("ascii")
    return checksum == _annotated_checksum(body)


def is_client_secret(text: bytes) -> bool:
    """Does an Entra ID client secret (`8Q~`) have a valid checksum?"""
    secret = text.decode("ascii")
    return with_client_checksum(secret[:-3]) == secret


def is_devops_token(text: bytes) -> bool:
    """Does an Azure DevOps token of 52 base32 characters have a valid checksum?"""
    number = 0
    for char in text.decode("ascii"):
        number = number << 5 | BASE32_LOWER.index(char)
    data = (number >> 4).to_bytes(32, "big")
    checksum = int.from_bytes(bytes(data[at] for at in _DEVOPS_CHECKSUM_PLACES), "little")
    return checksum ^ _devops_crc(data) in _DEVOPS_SEEDS


def make_key(signature: str, random_bytes: RandomBytes) -> str:
    """Return a made-up key with this signature. Raises KeyError for an unknown signature."""
    form = _FORMATS[signature.encode("ascii")]
    spare = (form.size - 7) * 8 % 6  # bits of the random part in the signature's first byte
    head = random_bytes(form.size - 8)
    middle = random_bytes(1)[0] & (0xFF << spare & 0xFF)
    signed = middle << 24 | int.from_bytes(from_base64(signature.encode("ascii")), "big") << spare
    body = head + signed.to_bytes(4, "big")
    checksum = marvin32(body, int.from_bytes(form.seeds[0], "big"))
    text = b2a_base64(body + checksum.to_bytes(4, "little"), newline=False)
    return (text.translate(_TO_URL) if signature == "AzFu" else text).decode("ascii")


def make_annotated_key(signature: str, random_bytes: RandomBytes) -> str:
    """Return a made-up common annotated key with this signature."""
    while True:
        random_part = "".join(BASE62[byte % 62] for byte in random_bytes(52))
        body = f"{random_part}JQQJ99AKACAAAAAAAAAAAAAA{signature}"
        checksum = _annotated_checksum(body.encode("ascii"))
        if checksum.isalnum():  # the issuer, too, discards a key with "+" or "/"
            return body + checksum


def make_devops_token(random_bytes: RandomBytes) -> str:
    """Return a made-up Azure DevOps token of 52 characters."""
    data = bytearray(random_bytes(32))
    checksum = (_devops_crc(bytes(data)) ^ _DEVOPS_SEEDS[0]).to_bytes(4, "little")
    for at, byte in zip(_DEVOPS_CHECKSUM_PLACES, checksum, strict=True):
        data[at] = byte
    number = int.from_bytes(data, "big") << 4
    return in_base(BASE32_LOWER, number).rjust(52, "a")


def with_client_checksum(text: str) -> str:
    """Return an Entra ID client secret with the three characters of its checksum appended."""
    checksum = marvin32(text.encode("latin-1"), int.from_bytes(b"AadPwd00", "big"))
    return text + in_base(_CLIENT_ALPHABET, checksum)[:3]


def _annotated_checksum(body: bytes) -> str:
    checksum = marvin32(from_base64(body), _ANNOTATED_SEED)
    return b2a_base64(checksum.to_bytes(4, "little")[:3], newline=False).decode("ascii")


def _devops_crc(data: bytes) -> int:
    return zlib.crc32(bytes(b for i, b in enumerate(data) if i not in _DEVOPS_CHECKSUM_PLACES))
