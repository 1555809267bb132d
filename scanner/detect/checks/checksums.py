"""Detect: encodings and issuers' checksums, for checks and for made-up samples.

The rule that uses an algorithm names its source.
"""

from __future__ import annotations

import zlib
from binascii import Error, a2b_base64
from collections.abc import Iterable, Sequence
from string import ascii_lowercase, ascii_uppercase, digits

from scanner.fingerprints import digest

BASE32_LOWER = ascii_lowercase + "234567"
BASE36 = digits + ascii_lowercase
BASE62 = digits + ascii_uppercase + ascii_lowercase
BASE58 = "".join(char for char in BASE62 if char not in "0OIl")
BECH32 = "qpzry9x8" + "gf2tvdw0" + "s3jn54kh" + "ce6mua7l"
TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_BECH32_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def from_base64(text: bytes) -> bytes:
    """Decode base64 in either alphabet, padded or not. Returns b"" if it is not base64."""
    bare = text.translate(TO_STANDARD).rstrip(b"=")
    try:
        return a2b_base64(bare + b"=" * (-len(bare) % 4))
    except Error:
        return b""


def in_base(alphabet: str, number: int) -> str:
    """Write a number with the digits of `alphabet`, without leading zeros ("" for zero)."""
    text = ""
    while number:
        number, rest = divmod(number, len(alphabet))
        text = alphabet[rest] + text
    return text


def crc32_base62(text: str) -> str:
    """Return the last six characters of a GitHub or npm token: CRC32 in base 62."""
    return in_base(BASE62, zlib.crc32(text.encode("ascii"))).rjust(6, "0")


def crc32_base62_reversed(text: str) -> str:
    """Return the last six characters of a Matrix Authentication Service token.

    They are the CRC32 in base 62, lowest digit first, padded with zeros on the left.
    """
    return in_base(BASE62, zlib.crc32(text.encode("ascii")))[::-1].rjust(6, "0")


def crc32_hex(text: str) -> str:
    """Return the last eight characters of a Laravel Sanctum token: CRC32 in hex."""
    return f"{zlib.crc32(text.encode('ascii')):08x}"


def crc32_base36(text: str) -> str:
    """Return the last seven characters of a routable GitLab token: CRC32 in base 36."""
    return in_base(BASE36, zlib.crc32(text.encode("ascii"))).rjust(7, "0")


def crc32_hex_little(text: str) -> str:
    """Return the last eight characters of a Grafana token: CRC32 in hex, lowest byte first."""
    return zlib.crc32(text.encode("ascii")).to_bytes(4, "little").hex()


def from_base58check(text: str) -> bytes:
    """Decode Bitcoin's Base58Check, and remove the checksum.

    The checksum is the first four bytes of the double SHA-256. Raises ValueError if it is wrong.
    """
    number = 0
    for char in text:
        number = number * 58 + BASE58.index(char)
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    if _base58_checksum(data[:-4]) != data[-4:]:
        raise ValueError("the checksum is wrong")
    return data[:-4]


def to_base58check(data: bytes) -> str:
    """Encode `data`, which must not begin with a zero byte, in Base58Check."""
    return in_base(BASE58, int.from_bytes(data + _base58_checksum(data), "big"))


def _base58_checksum(data: bytes) -> bytes:
    return digest(digest(data))[:4]


def bech32_checksum(prefix: str, words: Sequence[int]) -> list[int]:
    """Return the six 5-bit words of the BIP 173 checksum of `prefix` and `words`."""
    spread = [ord(char) >> 5 for char in prefix] + [0] + [ord(char) & 31 for char in prefix]
    total = _bech32_polymod([*spread, *words, 0, 0, 0, 0, 0, 0]) ^ 1
    return [(total >> 5 * (5 - place)) & 31 for place in range(6)]


def _bech32_polymod(words: Iterable[int]) -> int:
    total = 1
    for word in words:
        top = total >> 25
        total = (total & 0x1FFFFFF) << 5 ^ word
        for place, factor in enumerate(_BECH32_GENERATOR):
            total ^= factor if (top >> place) & 1 else 0
    return total


def marvin32(data: bytes, seed: int) -> int:
    """Return Microsoft's Marvin32 hash of `data` with a 64-bit `seed`, folded to 32 bits."""
    low, high = _marvin_state(data, seed)
    return low ^ high


def _marvin_state(data: bytes, seed: int) -> tuple[int, int]:
    low, high = seed & 0xFFFFFFFF, seed >> 32
    padded = data + b"\x80" + b"\0" * (3 - len(data) % 4)
    for start in range(0, len(padded), 4):
        word = int.from_bytes(padded[start : start + 4], "little")
        low, high = _marvin_block((low + word) & 0xFFFFFFFF, high)
    return _marvin_block(low, high)


def _marvin_block(low: int, high: int) -> tuple[int, int]:
    high ^= low
    low = (_rotate(low, 20) + high) & 0xFFFFFFFF
    high = _rotate(high, 9) ^ low
    low = (_rotate(low, 27) + high) & 0xFFFFFFFF
    return low, _rotate(high, 19)


def _rotate(word: int, by: int) -> int:
    return (word << by | word >> (32 - by)) & 0xFFFFFFFF
