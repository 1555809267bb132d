"""Policy: `.secrets.baseline`, the file of detect-secrets: what it covers, and how it is renewed.

The document comes from a scanned repository, so nothing about its shape is taken for granted.
Settings in it are not judged here: only `detect/` knows detect-secrets.
"""

from __future__ import annotations

import json
import posixpath
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product
from typing import Any, NamedTuple

from scanner.errors import ConfigError
from scanner.model import ClassicMatch, Finding, Suppression
from scanner.policy.baseline import stale_note
from scanner.policy.docket import Docket, Part, Scope

FILE = ".secrets.baseline"
_TYPES = {
    "type": (str,),
    "hashed_secret": (str,),
    "filename": (str,),
    "line_number": (int,),
    "is_verified": (bool,),
    "is_secret": (bool, type(None)),
}
_LABELS = {True: "labelled a real secret", False: "labelled a false positive", None: ""}

Row = dict[str, Any]
Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassicBaseline:
    """Each entry's label by (path, type, hash): True, False, or None for one not yet audited.

    Every label covers, as it does in detect-secrets: even a real secret there is known debt.
    """

    where: str
    labels: Mapping[Key, bool | None] = field(default_factory=dict, repr=False)


def parse(document: object, where: str) -> ClassicBaseline:
    """What a document in the format of detect-secrets 1.x covers. ConfigError for a bad shape."""
    labels: dict[Key, bool | None] = {}
    for name, rows in results(document, where).items():
        path = normal(name)
        for row in rows:
            if _belongs(row, name):
                labels[path, row["type"], row["hashed_secret"]] = row.get("is_secret")
    return ClassicBaseline(where=where, labels=labels)


def cover(docket: Docket, baseline: ClassicBaseline, scope: Scope) -> Part:
    """Cover the open findings that the file knows.

    All of a finding's matches must be in it, so that nothing passes which detect-secrets itself
    would stop: a new value has new hashes. One entry covers every place of its value in the file.
    """
    labels = baseline.labels
    for number, finding in docket.open():
        keys = list(_keys(finding))
        if keys and all(key in labels for key in keys):
            docket.cover(number, _said(baseline, keys[0]))
    used = {key for finding in docket.findings for key in _keys(finding) if key in labels}
    keys_said = sorted(labels if scope.whole_tree else used)
    register = tuple(
        scope.entered(_said(baseline, each), needed=each in used) for each in keys_said
    )
    return Part(register=register, notes=stale_note(baseline.where, register))


def results(document: object, where: str) -> Mapping[str, Sequence[Row]]:
    """The rows by file name, each checked. ConfigError for a bad shape."""
    found = document.get("results") if isinstance(document, dict) else None
    if not isinstance(found, dict):
        raise _error(where, "it has no `results`")
    for name, rows in found.items():
        if not isinstance(rows, list) or not all(map(_is_row, rows)):
            raise _error(where, f"the entries of {name!r} are not in the format of detect-secrets")
    return found


def normal(path: str) -> str:
    """A file name of a baseline as keywatch spells it: Windows wrote backslashes."""
    return posixpath.normpath(path.replace("\\", "/"))


def update(
    document: Mapping[str, Any],
    found: Mapping[str, Iterable[ClassicMatch]],
    *,
    scanned: Callable[[str], bool],
    now: datetime,
    add: bool = True,
) -> dict[str, Any]:
    """The document with what `found` says about the files that were `scanned`.

    Entries still there keep their bytes; only a line that is wrong is put right, since `audit`
    looks at that line alone. Vanished ones go, new ones come where `add`. Without a change the
    result equals `document`, with its `generated_at`.
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
    return dated({**document, "results": new}, f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")


def dated(document: dict[str, Any], stamp: str) -> dict[str, Any]:
    """The document with a new `generated_at`, unless it is a slim one, which has none."""
    return {**document, "generated_at": stamp} if "generated_at" in document else document


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Rows as detect-secrets sorts those of one file."""
    return sorted(
        rows, key=lambda row: (row.get("line_number") or 0, row["hashed_secret"], row["type"])
    )


def render(document: Mapping[str, Any], like: bytes = b"") -> bytes:
    """The file of a document: as detect-secrets writes it, or as the file `like` was written.

    A formatter may have been over `like`: whichever of the common styles gives back its very
    bytes is kept, so that entries without a change stay the same.
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
    name: str, rows: list[Row], matches: Iterable[ClassicMatch], *, add: bool, slim: bool
) -> list[Row]:
    lines: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for match in matches:
        lines[match.kind, match.hashed_secret].append(match.line)
    kept = [
        _at(row, lines[row["type"], row["hashed_secret"]])
        for row in rows
        if (row["type"], row["hashed_secret"]) in lines and _belongs(row, name)
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
    """The row, at a line where its secret stands."""
    tracked = row.get("line_number")
    return {**row, "line_number": min(lines)} if tracked and tracked not in lines else row


def _without_line(row: Row) -> Row:
    return {key: value for key, value in row.items() if key != "line_number"}


def _belongs(row: Row, name: str) -> bool:
    """detect-secrets compares the row's own file name too: where it differs, nothing matches."""
    return normal(row.get("filename", name)) == normal(name)


def _is_row(row: object) -> bool:
    return (
        isinstance(row, dict)
        and {"type", "hashed_secret"} <= row.keys()
        and all(type(row[key]) in types for key, types in _TYPES.items() if key in row)
    )


def _keys(finding: Finding) -> Iterator[Key]:
    for match in finding.classic:
        yield finding.location.path, match.kind, match.hashed_secret


def _said(baseline: ClassicBaseline, key: Key) -> Suppression:
    path, kind, _hash = key
    reason = _LABELS[baseline.labels[key]]
    return Suppression(
        by="classic-baseline", where=baseline.where, rule=kind, path=path, reason=reason
    )


def _error(where: str, what: str) -> ConfigError:
    return ConfigError(
        f"the baseline cannot be used: {what}",
        where=where,
        todo=f"restore it from git, or write it anew: detect-secrets scan > {FILE}",
    )
