"""Scan the messages of commits and of annotated tags."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from scanner.detect.detector import Detector
from scanner.inputs import text_encoding
from scanner.inputs.git.commands import Objects
from scanner.inputs.git.revisions import Change
from scanner.model import Appearance, Gap, GapKind
from scanner.scan.plan import ScanPlan
from scanner.scan.result import ScanResult

COMMITS, TAGS = ".git/commits/", ".git/tags/"
"""The folders of the paths of messages. No file of a repository can have such a path."""

_AT_ONCE = 500  # messages that the prefilter searches in one pass
_TAGGED = re.compile(rb"object ([0-9a-f]+)\n")
_MOST_TAGS = 20  # tags of tags


class _Message(NamedTuple):
    """The message of the object `oid`; the size of the object if it is over the limit."""

    path: str
    oid: str
    text: bytes | int


def scan(plan: ScanPlan, changes: Sequence[Change], detector: Detector | None = None) -> ScanResult:
    """Find secrets in the messages of all commits of the changes, and of the tags at their tips.

    `detector` replaces that of the plan.
    """
    result = ScanResult()
    detector = detector or plan.workers.detector()
    asked = plan.selection.commits
    is_own = not (asked and asked.is_trusted)
    objects = Objects(plan.selection.source.root)
    messages = _messages(objects, changes, plan.workers.max_size)
    while some := [*islice(messages, _AT_ONCE)]:
        texts = [each.text for each in some if isinstance(each.text, bytes)]
        is_dull = not detector.has_candidate("", b"\n\n".join(texts))
        for each in some:
            if isinstance(each.text, int):
                reason = f"its message is too long: over {plan.workers.max_size} bytes"
                result.gaps.append(Gap(kind=GapKind.TOO_LARGE, path=each.path, reason=reason))
                continue
            if is_dull:
                continue
            seen = detector.observe(each.path, (each.text,), len(each.text), ())
            if seen:
                since = Appearance(each.oid) if each.path.startswith(COMMITS) else None
                found = (finding._replace(since=since) for finding in seen.findings)
                comments = seen.comments if is_own else ()
                result.observations.append(seen._replace(findings=tuple(found), comments=comments))
    objects.close()
    return result


def _messages(objects: Objects, changes: Sequence[Change], most: int) -> Iterator[_Message]:
    listed = (oid for each in changes for oid in (*each.commits, each.trees and each.head) if oid)
    commits = [*dict.fromkeys(listed)]
    for oid, data in zip(commits, objects.read_all(commits, most, b"commit"), strict=True):
        yield from _message(COMMITS, oid, data)
    waiting = [*dict.fromkeys(tip for change in changes for tip in change.tips)]
    known: set[str] = set()
    for _ in range(_MOST_TAGS):
        known |= {*waiting}
        tagged = []
        for oid, data in zip(waiting, objects.read_all(waiting, most, b"tag"), strict=True):
            yield from _message(TAGS, oid, data)
            if isinstance(data, bytes) and (found := _TAGGED.match(data)):
                tagged.append(found[1].decode())
        waiting = [oid for oid in dict.fromkeys(tagged) if oid not in known]


def _message(folder: str, oid: str, data: bytes | int | None) -> Iterator[_Message]:
    """The message in an object; nothing for an object of another kind."""
    if isinstance(data, bytes):
        message = data.partition(b"\n\n")[2]
        text = text_encoding.text(message)
        yield _Message(folder + oid, oid, message if text is None else text)
    elif data is not None:
        yield _Message(folder + oid, oid, data)
