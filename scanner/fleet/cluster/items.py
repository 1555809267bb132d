"""Write the results of commits as JSON, and read them back.

What is written leaves the worker and is kept in the state. It holds no plaintext: a path with a
secret in it is masked, and the hashes of detect-secrets and the tags of earlier versions are left
out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from scanner.fleet.cluster.units import FINDING, GAP, MESSAGE, MOVED, SKIP, Item
from scanner.model import (
    AllowComment,
    CommentKind,
    Confidence,
    Finding,
    Gap,
    Location,
    Note,
    Observation,
    Severity,
    Skip,
)

_Plain = list[Any]


def of_finding(commit: str, finding: Finding) -> Item:
    return Item(commit, FINDING, _text(_finding(finding)))


def of_message(commit: str, seen: Observation) -> Item:
    """What was found in the message of a commit."""
    parts = [
        seen.path,
        seen.size,
        [_finding(each) for each in seen.findings],
        [[*each] for each in seen.comments],
        [[*each] for each in seen.notes],
        [[*each] for each in seen.gaps],
    ]
    return Item(commit, MESSAGE, _text(parts))


def of_moved(commit: str, old: str, new: str) -> Item:
    return Item(commit, MOVED, _text([old, new]))


def of_gap(commit: str, gap: Gap) -> Item:
    return Item(commit, GAP, _text([*gap]))


def of_skip(commit: str, skip: Skip) -> Item:
    return Item(commit, SKIP, _text([*skip]))


def finding(item: Item) -> Finding:
    return _read_finding(json.loads(item.data))


def message(item: Item) -> Observation:
    path, size, findings, comments, notes, gaps = json.loads(item.data)
    return Observation(
        path=path,
        size=size,
        findings=tuple(map(_read_finding, findings)),
        comments=tuple(_comment(each) for each in comments),
        notes=tuple(Note(*each) for each in notes),
        gaps=tuple(Gap(*each) for each in gaps),
    )


def moved(item: Item) -> tuple[str, str, str]:
    """The commit, the old path and the new path."""
    old, new = json.loads(item.data)
    return item.commit, old, new


def gap(item: Item) -> Gap:
    return Gap(*json.loads(item.data))


def skip(item: Item) -> Skip:
    return Skip(*json.loads(item.data))


def relevant(items: Iterable[Item]) -> tuple[Item, ...]:
    """The items without renames of files that have no finding."""
    kept = [item for item in items if item.kind != MOVED]
    renames: dict[str, list[tuple[str, Item]]] = {}
    for item in items:
        if item.kind == MOVED:
            _, old, new = moved(item)
            renames.setdefault(old, []).append((new, item))
    waiting = [finding(item).location.path for item in kept if item.kind == FINDING]
    known = {*waiting}
    while waiting:
        for new, item in renames.pop(waiting.pop(), ()):
            kept.append(item)
            if new not in known:
                known.add(new)
                waiting.append(new)
    return tuple(kept)


def _finding(finding: Finding) -> _Plain:
    return [
        finding.rule,
        [*finding.location],
        int(finding.severity),
        int(finding.confidence),
        finding.preview,
        finding.context,
        finding.ordinal,
        finding.fingerprint,
        finding.detail,
        finding.tag,
    ]


def _read_finding(parts: Sequence[Any]) -> Finding:
    rule, place, severity, confidence, preview, context, ordinal, fingerprint, detail, tag = parts
    return Finding(
        rule=rule,
        location=Location(*place),
        severity=Severity(severity),
        confidence=Confidence(confidence),
        preview=preview,
        context=context,
        ordinal=ordinal,
        fingerprint=fingerprint,
        detail=detail,
        tag=tag,
    )


def _comment(parts: Sequence[Any]) -> AllowComment:
    read = AllowComment(*parts)
    return read._replace(kind=CommentKind(read.kind))


def _text(value: Any) -> str:
    """JSON in ASCII: names that are not valid Unicode stay what they are."""
    return json.dumps(value, separators=(",", ":"))
