"""Policy: update `.secrets.baseline` after a scan.

Unchanged entries keep their bytes, so that a diff shows only what changed.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import product
from typing import Any, NamedTuple

from scanner.model import DetectSecretsMatch
from scanner.policy.baselines.detect_secrets_baseline import Row, belongs, normal


def update(
    document: Mapping[str, Any],
    found: Mapping[str, Iterable[DetectSecretsMatch]],
    *,
    scanned: Callable[[str], bool],
    now: datetime,
    add: bool = True,
) -> dict[str, Any]:
    """The document, updated with the matches in the files that were `scanned`.

    Existing entries change only if their line is wrong, because `detect-secrets audit` reads only
    that line. Entries without a match are removed, and new ones are added if `add`. If nothing
    changed, the result equals `document`, including `generated_at`.
    """
    old = document["results"]
    slim = not any("line_number" in row for rows in old.values() for row in rows)
    slim = slim and "generated_at" not in document
    new = {
        name: _renew(name, rows, found.get(normal(name), ()), add=add, slim=slim)
        if scanned(normal(name))
        else rows
        for name, rows in old.items()
    }
    known = set(map(normal, old))
    for path in found if add else ():
        if path not in known:
            new[path] = _renew(path, [], found[path], add=True, slim=slim)
    new = {name: rows for name, rows in sorted(new.items()) if rows}
    if new == {name: rows for name, rows in old.items() if rows}:
        return dict(document)
    changed = {**document, "results": new}
    if "generated_at" in document:
        changed["generated_at"] = f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return changed


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Sort the rows of one file as detect-secrets does."""
    return sorted(
        rows, key=lambda row: (row.get("line_number") or 0, row["hashed_secret"], row["type"])
    )


def render(document: Mapping[str, Any], like: bytes = b"") -> bytes:
    """The bytes of a document, in the JSON style of the file `like` or of detect-secrets.

    A formatter may have changed `like`. The common style that reproduces its bytes is used, so that
    unchanged entries stay the same.
    """
    before = json.loads(like) if like else None
    style = next((s for s in _STYLES if like and _dump(before, s) == like), _PLAIN)
    return _dump(document, style)


class _Style(NamedTuple):
    sort_keys: bool = False
    indent: int | str = 2
    ensure_ascii: bool = True
    newline: str = "\n"
    last: str = "\n"


_PLAIN = _Style()
_STYLES = tuple(
    _Style(sort_keys, indent, ensure_ascii, newline, last)
    for sort_keys, ensure_ascii in product((True, False), (True, False))
    for indent in (2, 4, "\t")
    for newline, last in product(("\n", "\r\n"), ("\n", ""))
)


def _dump(document: object, style: _Style) -> bytes:
    text = json.dumps(
        document,
        indent=style.indent,
        sort_keys=style.sort_keys,
        ensure_ascii=style.ensure_ascii,
    )
    return (text + style.last).replace("\n", style.newline).encode("utf-8", "surrogatepass")


def _renew(
    name: str, rows: list[Row], matches: Iterable[DetectSecretsMatch], *, add: bool, slim: bool
) -> list[Row]:
    lines: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for match in matches:
        lines[match.kind, match.hashed_secret].append(match.line)
    kept = [
        _at(row, lines[row["type"], row["hashed_secret"]])
        for row in rows
        if (row["type"], row["hashed_secret"]) in lines and belongs(row, name)
    ]
    known = {(row["type"], row["hashed_secret"]) for row in kept}
    fresh = [
        _row(kind, name, hashed, min(where))
        for (kind, hashed), where in lines.items()
        if add and (kind, hashed) not in known
    ]
    renewed = rows if kept == rows and not fresh else in_order([*kept, *fresh])
    return [_without_line(row) for row in renewed] if slim else renewed


def _row(kind: str, name: str, hashed: str, line: int) -> Row:
    return {
        "type": kind,
        "filename": name,
        "hashed_secret": hashed,
        "is_verified": False,
        "line_number": line,
    }


def _at(row: Row, lines: Sequence[int]) -> Row:
    """The row, with a line number that contains its secret."""
    tracked = row.get("line_number")
    return {**row, "line_number": min(lines)} if tracked and tracked not in lines else row


def _without_line(row: Row) -> Row:
    return {key: value for key, value in row.items() if key != "line_number"}
