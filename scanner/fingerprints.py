"""Ground: stable IDs of findings, which do not change when lines move (design law 9)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from scanner.model import Finding

try:  # Python's built-in SHA-256. hashlib would load OpenSSL, which takes 2 ms.
    from _sha2 import sha256  # from 3.12 on
except ImportError:
    try:
        from _sha256 import sha256
    except ImportError:
        from hashlib import sha256


def identify(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Set ordinals and fingerprints. The order of the findings stays the same.

    A fingerprint is 32 hex digits, computed from rule, path, context and ordinal, never from the
    value. For a live secret the path is left out: the context is its id, and the path is only
    the place where it is declared.
    """
    seen: Counter[tuple[str, str, str]] = Counter()
    out = []
    for each in findings:
        path = "" if each.resource else each.location.path
        key = (each.rule, path, each.context)
        mark = _fingerprint(*key, str(seen[key]))
        out.append(each._replace(ordinal=seen[key], fingerprint=mark))
        seen[key] += 1
    return tuple(out)


def of_past(finding: Finding, commit: str) -> Finding:
    """A finding that exists only in git's history. Its fingerprint includes the commit, because
    the file may now have another finding in the same place."""
    key = (finding.rule, finding.location.path, finding.context, str(finding.ordinal))
    return finding._replace(fingerprint=_fingerprint(*key, commit))


def _fingerprint(*parts: str) -> str:
    text = "\0".join(("keywatch/1", *parts)).encode(errors="surrogateescape")
    return digest(text).hex()[:32]


def digest(data: bytes) -> bytes:
    """32 bytes of SHA-256."""
    made: bytes = sha256(data).digest()
    return made
