"""Detect: matches -> findings and notes, with the values masked. Plaintext ends here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scanner.detect import mask
from scanner.detect.engine.chunks import Cursor
from scanner.detect.engine.matches import Match
from scanner.fingerprints import digest
from scanner.model import Finding, Location, Note


def notes(path: str, data: bytes, matches: Sequence[Match], place: Cursor) -> Iterator[Note]:
    """What stands where a secret goes: not to be acted on, but not to be passed over either."""
    for match in matches:
        line, _ = place.move(data, match.start)
        text = f"a placeholder or an example stands where {match.rule.id} looks for a secret"
        yield Note(kind="placeholder", path=path, line=line, text=text)


def findings(path: str, data: bytes, matches: Sequence[Match], place: Cursor) -> Iterator[Finding]:
    """The findings of matches that stand in order in a piece of a file, which begins at `place`."""
    for match in matches:
        line, column = place.move(data, match.start)
        end_line, end_column = place.ahead(data, match.end)
        location = Location(
            path=path, line=line, column=column, end_line=end_line, end_column=end_column
        )
        yield finding(path, match, location)


def finding(path: str, match: Match, location: Location, detail: str = "") -> Finding:
    """The finding of one match, without the number that its file gives it (identity.py)."""
    return Finding(
        rule=match.rule.id,
        location=location,
        severity=match.rule.severity if match.severity is None else match.severity,
        confidence=match.confidence,
        preview=preview(match),
        context=mask.text(match.name),
        detail=detail or " ".join(f"in {layer}" for layer in match.layers),
        tag=_tag(path, match.value),
        detect_secrets=match.detect_secrets,
    )


def preview(match: Match) -> str:
    """What may be shown of the value."""
    prefixes = () if match.rule.named else match.rule.keywords
    return mask.preview(match.value, prefixes, ", decoded" if match.layers else "")


def _tag(path: str, value: bytes) -> int:
    """16 bits: enough to notice a new value, too little to confirm a guess (design law 10)."""
    salt = b"keywatch-tag-1\0" + path.encode(errors="surrogateescape") + b"\0"
    return int.from_bytes(digest(salt + value)[:2], "big")


def masked(data: bytes, start: int, end: int, matches: Sequence[Match]) -> str:
    """The text from `start` to `end`, with `…` for what the matches hold of it."""
    out, at = "", start
    for match in matches:
        if match.end > at and match.start < end:
            out += mask.text(data[at : max(match.start, at)]) + "…"
            at = min(match.end, end)
    return out + mask.text(data[at:end])
