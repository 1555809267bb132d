"""Ground: who a finding is, from what stays the same when lines move (design law 9)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from scanner.model import Finding

try:  # Python's own, where it stands apart: hashlib would load OpenSSL first, for 2 ms
    from _sha2 import sha256  # from 3.12 on
except ImportError:
    try:
        from _sha256 import sha256
    except ImportError:
        from hashlib import sha256


def identify(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings with ordinals and fingerprints, in the order given.

    A fingerprint is 32 hex digits of rule, path, context and ordinal; the value has no part in it.
    Of a live secret, whose context is its id, the path has none either: it is only where that is
    declared.
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
    """A finding that only history has: another one may have its place in the file now."""
    key = (finding.rule, finding.location.path, finding.context, str(finding.ordinal))
    return finding._replace(fingerprint=_fingerprint(*key, commit))


def _fingerprint(*parts: str) -> str:
    text = "\0".join(("keywatch/1", *parts)).encode(errors="surrogateescape")
    return digest(text).hex()[:32]


def digest(data: bytes) -> bytes:
    """32 bytes of SHA-256."""
    made: bytes = sha256(data).digest()
    return made
