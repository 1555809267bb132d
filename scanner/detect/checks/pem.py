r"""Detection: whether text is a whole frame around a key, judged by its form alone.

The key itself is never parsed. A frame may stand in a string literal, a YAML block, a comment or a
diff, and its line ends may be written as `\n`.
"""

from __future__ import annotations

import re

_FRAME = re.compile(
    rb"-----BEGIN (?P<label>[A-Z ]+)-----(?P<body>.*)-----END (?P<end>[A-Z ]+)-----", re.DOTALL
)
_WRITTEN_LINE_END = re.compile(rb"\\{1,4}[rn]|[\r\n]")
_AROUND_A_LITERAL = re.compile(rb"""^//[ \t]+|^\+?[ \t]*["']|["'][ \t]*[+.&]?[ \t]*\\?$""")
_AROUND_A_LINE = b" \t\"'`,;\\#*>|"
_BASE64 = re.compile(rb"[0-9A-Za-z+/]+={0,2}")
_HEADER = re.compile(rb"[A-Za-z-]{3,20}: ?[^\x00-\x1f]*")
_OPENSSH = b"b3BlbnNzaC1rZXktdjE"  # base64 of its magic, "openssh-key-v1"
# Characters of the shortest body by label: RSA of 512 bits, DSA of 1024, Ed25519 in PKCS #8.
_SHORTEST = {
    b"RSA PRIVATE KEY": 400,
    b"DSA PRIVATE KEY": 300,
    b"OPENSSH PRIVATE KEY": 250,
    b"PGP PRIVATE KEY BLOCK": 200,
}
_SHORTEST_OTHER = 60
_FEWEST_DISTINCT = 16


def is_private_key(text: bytes) -> bool:
    """A whole frame around a private key that is not encrypted."""
    label, headers, body = _parts(text)
    if b"ENCRYPTED" in label + headers or not _is_body(label, body):
        return False
    return body.startswith(_OPENSSH) or not label.startswith(b"OPENSSH")


def is_encrypted_key(text: bytes) -> bool:
    """A whole frame around a private key that a passphrase protects."""
    label, headers, body = _parts(text)
    return b"ENCRYPTED" in label + headers and _is_body(label, body)


def is_pgp_key(text: bytes) -> bool:
    """A whole frame around an OpenPGP private key."""
    label, _, body = _parts(text)
    return label == b"PGP PRIVATE KEY BLOCK" and _is_body(label, body)


def _is_body(label: bytes, body: bytes) -> bool:
    shortest = _SHORTEST.get(label, _SHORTEST_OTHER)
    return len(body) >= shortest and len(set(body)) >= _FEWEST_DISTINCT


def _parts(text: bytes) -> tuple[bytes, bytes, bytes]:
    """Label, headers and base64 body of the frame; an empty body where it is not one."""
    frame = _FRAME.search(text)
    if frame is None or frame["label"] != frame["end"]:
        return b"", b"", b""
    headers, body = [], []
    for raw in _WRITTEN_LINE_END.split(frame["body"]):
        line = _AROUND_A_LITERAL.sub(b"", raw.strip(b" \t")).strip(_AROUND_A_LINE)
        if not line or (line.startswith(b"=") and len(line) == 5):  # OpenPGP's own checksum
            continue
        if _BASE64.fullmatch(line):
            body.append(line)
        elif _HEADER.fullmatch(line):
            headers.append(line)
        else:
            return frame["label"], b"", b""
    return frame["label"], b"\n".join(headers), b"".join(body)
