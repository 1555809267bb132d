r"""Detect: tell by its form whether a text is a complete PEM block with a key.

The key itself is never parsed. A block may be in a string literal, a YAML block, a comment or a
diff, and its line breaks may be escaped as `\n`.
"""

from __future__ import annotations

import re

from scanner.lazy_pattern import lazy

_BLOCK = lazy(
    rb"-----BEGIN (?P<label>[A-Z ]+)-----(?P<body>.*)-----END (?P<end>[A-Z ]+)-----", re.DOTALL
)
_LINE_BREAK = lazy(rb"\\{1,4}[rn]|[\r\n]")
_LITERAL_SYNTAX = lazy(rb"""^//[ \t]+|^\+?[ \t]*["']|["'][ \t]*[+.&]?[ \t]*\\?$""")
_LINE_SYNTAX = b" \t\"'`,;\\#*>|"
_BASE64 = lazy(rb"[0-9A-Za-z+/]+={0,2}")
_HEADER = lazy(rb"[A-Za-z-]{3,20}: ?[^\x00-\x1f]*")
_OPENSSH = b"b3BlbnNzaC1rZXktdjE"  # base64 of its magic, "openssh-key-v1"
# The fewest characters of a body by label: RSA of 512 bits, DSA of 1024.
_MIN_BODY = {
    b"RSA PRIVATE KEY": 400,
    b"DSA PRIVATE KEY": 300,
    b"OPENSSH PRIVATE KEY": 250,
    b"PGP PRIVATE KEY BLOCK": 200,
}
_MIN_OTHER_BODY = 60  # Ed25519 in PKCS #8
_MIN_DISTINCT = 16


def is_private_key(text: bytes) -> bool:
    """Is it a complete block with a private key that is not encrypted?"""
    label, headers, body = _parts(text)
    if b"ENCRYPTED" in label + headers or not _is_body(label, body):
        return False
    return body.startswith(_OPENSSH) or not label.startswith(b"OPENSSH")


def is_encrypted_key(text: bytes) -> bool:
    """Is it a complete block with a private key that is protected by a passphrase?"""
    label, headers, body = _parts(text)
    return b"ENCRYPTED" in label + headers and _is_body(label, body)


def is_pgp_key(text: bytes) -> bool:
    """Is it a complete block with an OpenPGP private key?"""
    label, _, body = _parts(text)
    return label == b"PGP PRIVATE KEY BLOCK" and _is_body(label, body)


def _is_body(label: bytes, body: bytes) -> bool:
    shortest = _MIN_BODY.get(label, _MIN_OTHER_BODY)
    return len(body) >= shortest and len(set(body)) >= _MIN_DISTINCT


def _parts(text: bytes) -> tuple[bytes, bytes, bytes]:
    """Return label, headers and base64 body of the block. The body is empty if it is none."""
    block = _BLOCK.search(text)
    if block is None or block["label"] != block["end"]:
        return b"", b"", b""
    headers, body = [], []
    for raw in _LINE_BREAK.split(block["body"]):
        line = _LITERAL_SYNTAX.sub(b"", raw.strip(b" \t")).strip(_LINE_SYNTAX)
        if not line or (line.startswith(b"=") and len(line) == 5):  # OpenPGP's own checksum
            continue
        if _BASE64.fullmatch(line):
            body.append(line)
        elif _HEADER.fullmatch(line):
            headers.append(line)
        else:
            return block["label"], b"", b""
    return block["label"], b"\n".join(headers), b"".join(body)
