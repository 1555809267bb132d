"""Detect: turn matches into findings and notes with masked values. No plaintext leaves here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from scanner.detect import mask
from scanner.detect.engine.chunks import Cursor
from scanner.detect.engine.matches import Match
from scanner.fingerprints import digest
from scanner.model import Finding, Location, Note, NoteKind


def notes(path: str, data: bytes, matches: Sequence[Match], cursor: Cursor) -> Iterator[Note]:
    """Return a note for each placeholder: it is listed, but it is not a finding."""
    for match in matches:
        line, _ = cursor.move(data, match.start)
        text = f"ignored by {match.rule.id}: the value is a placeholder or a published example"
        yield Note(kind=NoteKind.PLACEHOLDER, path=path, line=line, text=text)


Tag = Callable[[bytes], int]
"""Computes the tag of a value."""


def findings(
    path: str, data: bytes, matches: Sequence[Match], cursor: Cursor, tag: Tag | None = None
) -> Iterator[Finding]:
    """Return the findings of sorted matches in a piece of a file, which begins at `cursor`.

    `tag` replaces the 16 bits of a hash.
    """
    for match in matches:
        line, column = cursor.move(data, match.start)
        end_line, end_column = cursor.ahead(data, match.end)
        location = Location(
            path=path, line=line, column=column, end_line=end_line, end_column=end_column
        )
        found = finding(path, match, location)
        yield found if tag is None else found._replace(tag=tag(match.value))


def finding(path: str, match: Match, location: Location, detail: str = "") -> Finding:
    """Return the finding of one match. `scanner.fingerprints` adds ordinal and fingerprint."""
    return Finding(
        rule=match.rule.id,
        location=location,
        severity=match.rule.severity if match.severity is None else match.severity,
        confidence=match.confidence,
        preview=preview(match),
        context=mask.text(match.name),
        detail=detail or " ".join(f"in {layer}" for layer in match.layers),
        tag=_tag(b"keywatch-tag-2\0", match.value),
        old_tag=_tag(
            b"keywatch-tag-1\0" + path.encode(errors="surrogateescape") + b"\0", match.value
        ),
        detect_secrets=match.detect_secrets,
    )


def preview(match: Match) -> str:
    """Return the masked value."""
    prefixes = () if match.rule.named else match.rule.keywords
    return mask.preview(match.value, prefixes, ", decoded" if match.layers else "")


def keyed_tag(key: bytes) -> Tag:
    """A tag that is a MAC of 128 bits: only who has the key can tell whether two values are equal,
    and only for values that keywatch has read with it."""
    from hashlib import blake2b  # it loads OpenSSL, which takes 2 ms

    return lambda value: int.from_bytes(blake2b(value, key=key, digest_size=16).digest(), "big")


def _tag(salt: bytes, value: bytes) -> int:
    """Return 16 bits of a salted hash: they reveal a changed value, but cannot confirm a guess.

    The salt of new tags is the same everywhere. Different salts would give 16 more bits of a value
    for each file that has it.
    """
    return int.from_bytes(digest(salt + value)[:2], "big")


def masked(data: bytes, start: int, end: int, matches: Sequence[Match]) -> str:
    """Return the text from `start` to `end`, with each match replaced by `…`."""
    out, at = "", start
    for match in matches:
        if match.end > at and match.start < end:
            out += mask.text(data[at : max(match.start, at)]) + "…"
            at = min(match.end, end)
    return out + mask.text(data[at:end])
