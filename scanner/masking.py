"""Mask secrets in texts that others wrote: a reason, a key, an argument or a path may hold one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from scanner import cache

if TYPE_CHECKING:
    from scanner.detect.detector import Detector
    from scanner.model import Finding, Gap, Note
    from scanner.policy.exceptions.accepted_gaps import AcceptedGap
    from scanner.policy.exceptions.allow_entries import AllowEntry

Excused = TypeVar("Excused", "AllowEntry", "AcceptedGap")
_SHORTEST = 8  # characters of the shortest secret that is recognised in a text


def masked(text: str) -> str:
    """`text` with every secret in it masked. A text that cannot be checked is replaced."""
    if len(text) < _SHORTEST:
        return text
    try:
        named = _detector().names([text]).get(text)
    except Exception:  # noqa: BLE001 - an error on the way to an error message
        return "(left out: it could not be checked for secrets)"
    return named.observation.path if named and named.observation else text


def masked_id(name: str) -> str:
    """The canonical id of a live secret, masked. Most ids begin alike, so that part is cached."""
    *above, below = name.split("/", 5)
    return f"{_masked_once('/'.join(above))}/{masked(below)}" if above[4:] else masked(name)


_masked_once = functools.lru_cache(maxsize=1000)(masked)


def masked_finding(finding: Finding) -> Finding:
    """A finding with its names, paths and texts masked."""
    place, resource = finding.location, finding.resource
    name = masked_id(resource.id) if resource else masked(finding.context)
    return finding._replace(
        location=place._replace(path=_masked_once(place.path)),
        context=name,
        detail=masked(finding.detail),
        resource=resource and resource._replace(id=name),
    )


def masked_terms(entry: Excused) -> Excused:
    """An exception with its reason and owner masked."""
    return entry._replace(reason=masked(entry.reason), owner=masked(entry.owner))


def masked_gap(gap: Gap) -> Gap:
    return gap._replace(path=masked(gap.path), reason=masked(gap.reason))


def masked_note(note: Note) -> Note:
    return note._replace(path=masked(note.path), text=masked(note.text))


def cached(name: str, make: Callable[[], bytes], folder: str) -> bytes:
    """Like `cache.cached`, but an entry with a secret in it is not stored."""
    payload = cache.load(name, folder)
    if payload is None:
        payload = make()
        text = payload.decode(errors="replace")
        if masked(text) == text:
            cache.store(name, payload, folder)
    return payload


@functools.cache
def _detector() -> Detector:
    from scanner.detect.detector import Detector, matcher_for
    from scanner.detect.rules import rulebook

    folder = cache.folder()
    book = rulebook.load(cache_folder=folder)
    return Detector(book, matcher_for(book, "auto", folder), edges=False)
