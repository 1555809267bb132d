"""Detect: generate made-up credentials from templates, for the examples of rules.

A rule file may not hold a literal that looks like a token, so its examples are templates such as
`ghp_{base62:30}{crc32}`. A field is `{kind}` or `{kind:argument}`. The argument of an alphabet is a
length or a range of lengths: `{hex:32}`, `{base62:20-40}`. Write a literal brace twice.
"""

from __future__ import annotations

import json
import random
import re
import string
import uuid
from base64 import b32encode
from binascii import b2a_base64, crc_hqx
from collections.abc import Callable, Mapping

from scanner.detect.checks import azure_keys
from scanner.detect.checks.checksums import (
    BASE32_LOWER,
    BASE36,
    BASE62,
    BECH32,
    bech32_checksum,
    crc32_base36,
    crc32_base62,
    crc32_base62_reversed,
    crc32_hex,
    crc32_hex_little,
    in_base,
    to_base58check,
)

_ALPHABETS: Mapping[str, str] = {
    "alnum": string.ascii_lowercase + string.digits,
    "ALNUM": string.ascii_uppercase + string.digits,
    "base32": BASE32_LOWER.upper(),
    "base32lower": BASE32_LOWER,
    "base62": BASE62,
    "base64": string.ascii_letters + string.digits + "+/",
    "base64url": string.ascii_letters + string.digits + "-_",
    "digits": string.digits,
    "hex": "0123456789abcdef",
    "HEX": "0123456789ABCDEF",
    "letters": string.ascii_letters,
    "lower": string.ascii_lowercase,
    "upper": string.ascii_uppercase,
}
_LENGTH = re.compile(r"(?P<least>[0-9]{1,5})(?:-(?P<most>[0-9]{1,5}))?")
_FIELD = re.compile(r"\{\{|\}\}|\{(?P<kind>[A-Za-z0-9-]+)(?::(?P<argument>[^{}]*))?\}|[{}]")
_TOKEN_END = re.compile(r"[0-9A-Za-z]*\Z")
_ROUTABLE_END = re.compile(r"[\w+-]*\Z", re.ASCII)
_PEM_LENGTHS: Mapping[str, int] = {"EC PRIVATE KEY": 121, "OPENSSH PRIVATE KEY": 400}
_OPENSSH_MAGIC = b"openssh-key-v1\0"


def expand(template: str, seed: int) -> str:
    """Return the text of a template. The same seed gives the same text.

    Raises ValueError with the position (from 1) of a malformed field.
    """
    source = random.Random(f"{seed}/{template}")  # noqa: S311 - samples, not secrets
    text, done = "", 0
    for field in _FIELD.finditer(template):
        text += template[done : field.start()]
        text += _field(field, text, source)
        done = field.end()
    return text + template[done:]


def _field(field: re.Match[str], before: str, source: random.Random) -> str:
    if field[0] in ("{{", "}}"):
        return field[0][0]
    kind, argument, position = field["kind"], field["argument"] or "", field.start() + 1
    if kind in _ALPHABETS:
        return _characters(_ALPHABETS[kind], argument, position, source)
    if kind in _KINDS:
        return _special(kind, argument, position, before, source)
    if kind is None:
        raise ValueError(f"single brace at position {position}: write it twice, or close the field")
    known = ", ".join(sorted((*_ALPHABETS, *_KINDS)))
    raise ValueError(f"unknown field {kind!r} at position {position}; the fields are {known}")


def _characters(alphabet: str, argument: str, position: int, source: random.Random) -> str:
    length = _LENGTH.fullmatch(argument)
    if length is None:
        raise ValueError(f"{argument!r} at position {position} is not a length such as 32 or 20-40")
    least = int(length["least"])
    most = int(length["most"] or least)
    if not 0 < least <= most:
        raise ValueError(f"{argument!r} at position {position} is not a valid range")
    return "".join(source.choices(alphabet, k=source.randint(least, most)))


def _special(kind: str, argument: str, position: int, before: str, source: random.Random) -> str:
    try:
        return _KINDS[kind](argument, before, source)
    except KeyError:
        raise ValueError(
            f"unknown argument {argument!r} of {kind!r} at position {position}"
        ) from None


def _base64(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode("ascii")


def _base64url(data: bytes) -> str:
    return _base64(data).rstrip("=").translate(str.maketrans("+/", "-_"))


def _json64(value: object) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode("ascii"))


def _uuid(_argument: str, _before: str, source: random.Random) -> str:
    return str(uuid.UUID(bytes=source.randbytes(16), version=4))


def _basic(_argument: str, _before: str, source: random.Random) -> str:
    """The credentials of Basic authorization."""
    return _base64(f"ci:{''.join(source.choices(_ALPHABETS['alnum'], k=14))}".encode())


def _base32_crc16(argument: str, _before: str, source: random.Random) -> str:
    """Base32 with a CRC-16. The argument, in hex, is put before 32 random bytes."""
    data = bytes.fromhex(argument) + source.randbytes(32)
    return b32encode(data + crc_hqx(data, 0).to_bytes(2, "little")).decode("ascii").rstrip("=")


def _base58check(argument: str, _before: str, source: random.Random) -> str:
    """The argument is `version|length|tail`: version and tail in hex, with random bytes between."""
    version, length, tail = argument.split("|")
    return to_base58check(
        bytes.fromhex(version) + source.randbytes(int(length)) + bytes.fromhex(tail)
    )


def _crc32(_argument: str, before: str, _source: random.Random) -> str:
    """The checksum of GitHub and npm: base-62 CRC32 of the letters and digits before it."""
    token = _TOKEN_END.search(before)
    covered = token[0] if token else ""
    return crc32_base62(covered)


def _crc32_hex(_argument: str, before: str, _source: random.Random) -> str:
    """The checksum of Laravel Sanctum: CRC32 of the forty characters before it."""
    return crc32_hex(before[-40:])


def _matrix(argument: str, before: str, _source: random.Random) -> str:
    """The checksum of a Matrix token, without the `_` before it: `synapse` or `mas`."""
    token = _ROUTABLE_END.search(before)
    checksum = {"synapse": crc32_base62, "mas": crc32_base62_reversed}[argument]
    return checksum(token[0].removesuffix("_") if token else "")


def _grafana(_argument: str, before: str, _source: random.Random) -> str:
    """The checksum of a Grafana token, without the `_` before it."""
    token = _ROUTABLE_END.search(before)
    return crc32_hex_little(token[0].removesuffix("_") if token else "")


def _gitlab(_argument: str, before: str, source: random.Random) -> str:
    """The part of a routable GitLab token after its prefix."""
    prefix = _ROUTABLE_END.search(before)
    user = source.randint(1, 9_999_999)
    payload = _base64url(b"o:1\nu:%x" % user + source.randbytes(16) + b"\x10")
    body = f"{payload}.{in_base(BASE36, len(payload)):0>2}"
    return body + crc32_base36((prefix[0] if prefix else "") + body)


def _jwt(argument: str, _before: str, source: random.Random) -> str:
    """A signed JSON Web Token; the argument is `claim=value,claim=value`."""
    claims = dict(part.split("=", 1) for part in argument.split(",") if "=" in part)
    payload = {"sub": str(source.randint(10**6, 10**9)), "iat": 1_700_000_000} | claims
    header = _json64({"alg": "HS256", "typ": "JWT"})
    return f"{header}.{_json64(payload)}.{_base64url(source.randbytes(32))}"


def _json(argument: str, _before: str, source: random.Random) -> str:
    """A base64 JSON object; the argument is `name,name=value`, random if not given."""
    parts = (part.partition("=") for part in argument.split(","))
    return _json64({name: value or source.randbytes(15).hex() for name, _, value in parts})


def _encoded(argument: str, _before: str, source: random.Random) -> str:
    """Base64 of the argument followed by 48 random letters and digits."""
    return _base64((argument + "".join(source.choices(BASE62, k=48))).encode("ascii"))


def _join(argument: str, _before: str, _source: random.Random) -> str:
    """The argument without its plus signs: a weak password such as `{join:super+secret}`."""
    return argument.replace("+", "")


def _repeat(argument: str, _before: str, _source: random.Random) -> str:
    """`text*times`: a placeholder such as `{repeat:x*36}`."""
    text, _, times = argument.rpartition("*")
    if not text or _LENGTH.fullmatch(times) is None:
        raise KeyError(argument)
    return text * int(times.partition("-")[0])


def _frame(argument: str, _before: str, _source: random.Random) -> str:
    """The argument is `LABEL|text`: a PEM block with the text instead of a key."""
    label, _, text = argument.partition("|")
    return f"-----BEGIN {label}-----\n{text}\n-----END {label}-----"


def _snowflake(_argument: str, _before: str, source: random.Random) -> str:
    """The first part of a Discord bot token: the base64 of the bot's numeric ID."""
    return _base64url(str(source.randint(10**17, 10**18 - 1)).encode("ascii"))


def _pem(argument: str, _before: str, source: random.Random) -> str:
    """A PEM block with the given label, and a random body of the length of a key."""
    return "\n".join(_pem_lines(argument, source))


def _pem_escaped(argument: str, _before: str, source: random.Random) -> str:
    return "\\n".join(_pem_lines(argument, source))


def _pem_base64(argument: str, _before: str, source: random.Random) -> str:
    return _base64(("\n".join(_pem_lines(argument, source)) + "\n").encode("ascii"))


def _pem_lines(label: str, source: random.Random) -> list[str]:
    magic = _OPENSSH_MAGIC if label.startswith("OPENSSH") else b"\x30\x82"
    body = _body(magic + source.randbytes(_PEM_LENGTHS.get(label, 1192)))
    return [f"-----BEGIN {label}-----", *body, f"-----END {label}-----"]


def _body(data: bytes) -> list[str]:
    text = _base64(data)
    return [text[start : start + 64] for start in range(0, len(text), 64)]


def _key_lines(_argument: str, _before: str, source: random.Random) -> str:
    """The base64 lines of a key, without the PEM header and footer."""
    return "\n".join(_body(source.randbytes(1192)))


def _age(_argument: str, _before: str, source: random.Random) -> str:
    """The part after `AGE-SECRET-KEY-1`: 32 random bytes in Bech32, with a checksum."""
    data = [source.randrange(32) for _ in range(51)] + [source.choice((0, 16))]
    words = data + bech32_checksum("age-secret-key-", data)
    return "".join(BECH32[word] for word in words).upper()


def _bech32(argument: str, _before: str, source: random.Random) -> str:
    """The argument is `prefix|number`: the prefix, `1`, random 5-bit words, and a checksum."""
    prefix, _, length = argument.partition("|")
    data = [source.randrange(32) for _ in range(int(length))]
    return f"{prefix}1" + "".join(BECH32[word] for word in data + bech32_checksum(prefix, data))


def _azure(argument: str, _before: str, source: random.Random) -> str:
    """A checksummed Azure key; the argument is its signature."""
    return azure_keys.make_key(argument, source.randbytes)


def _azure_cask(argument: str, _before: str, source: random.Random) -> str:
    return azure_keys.make_annotated_key(argument, source.randbytes)


def _azure_client_secret(_argument: str, _before: str, source: random.Random) -> str:
    def characters(count: int) -> str:
        return "".join(source.choices(_ALPHABETS["base64url"], k=count))

    return azure_keys.with_client_checksum(f"{characters(3)}8Q~{characters(31)}")


def _azure_devops(_argument: str, _before: str, source: random.Random) -> str:
    return azure_keys.make_devops_token(source.randbytes)


_KINDS: Mapping[str, Callable[[str, str, random.Random], str]] = {
    "age": _age,
    "azure": _azure,
    "azure-cask": _azure_cask,
    "azure-client-secret": _azure_client_secret,
    "azure-devops": _azure_devops,
    "base32-crc16": _base32_crc16,
    "base58check": _base58check,
    "basic": _basic,
    "bech32": _bech32,
    "crc32": _crc32,
    "crc32-hex": _crc32_hex,
    "encoded": _encoded,
    "frame": _frame,
    "gitlab-routable": _gitlab,
    "grafana-crc32": _grafana,
    "json": _json,
    "jwt": _jwt,
    "join": _join,
    "key-lines": _key_lines,
    "matrix-crc32": _matrix,
    "pem": _pem,
    "pem-base64": _pem_base64,
    "pem-escaped": _pem_escaped,
    "repeat": _repeat,
    "snowflake": _snowflake,
    "uuid": _uuid,
}
