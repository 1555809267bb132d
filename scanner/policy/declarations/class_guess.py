"""Policy: guess the class of a secret from its name."""

from __future__ import annotations

import re

from scanner.policy.declarations.model import DeclaredSecret

_WORD = re.compile(r"[a-z0-9]+")
# The first class with a word that is in the name wins.
_WORDS = {
    "jwt-signing-key": "jwt jwks signing sign signer",
    "encryption-key": "encryption encrypt crypto cipher aes kms transit dek kek master unseal",
    "db-credential": "db database postgres postgresql pg mysql mariadb mongo redis sql oracle dsn",
    "service-token": "token tokens session bearer",
}
DEFAULT = "api-key"


def secret_class(one: DeclaredSecret) -> str:
    """The class for the last part of the name, its key, or its whole name; otherwise api-key."""
    return _of(one.written.rpartition("/")[2]) or _of(one.key) or _of(one.written) or DEFAULT


def _of(name: str) -> str:
    words = set(_WORD.findall(name.lower()))
    return next((known for known, some in _WORDS.items() if words & set(some.split())), "")
