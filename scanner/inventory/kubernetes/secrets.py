"""Inventory: a Secret's metadata -> Record.

`creationTimestamp` and the owners of `f:data` only bound the age of the value: it was not set
before the Secret was made, nor after the last time that an owner of its data wrote anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from scanner.fingerprints import digest
from scanner.inventory.kubernetes.fields import each, fields, is_plain, moment, text
from scanner.inventory.kubernetes.http import HAD_VALUES, LAST_APPLIED
from scanner.inventory.kubernetes.sources import Source
from scanner.records import Dated, Fault, Record, Sighting, Strength

_ACCOUNT_KEY = "service-account-token"
HELM = "helm-release"
_TYPES = {
    _ACCOUNT_KEY: "kubernetes.io/service-account-token",
    "tls": "kubernetes.io/tls",
    "bootstrap-token": "bootstrap.kubernetes.io/token",
    HELM: "helm.sh/release.v1",
}
SELECTORS: Sequence[tuple[str, str]] = (
    *((kind, f"type={name}") for kind, name in _TYPES.items()),
    ("secret", ",".join(f"type!={name}" for name in _TYPES.values())),
)
"""Each kind with the field selector that finds its Secrets, since metadata does not tell the type.
Together they find each Secret once."""

_DATA_HASH = "reconcile.external-secrets.io/data-hash"
_ACCOUNT = "kubernetes.io/service-account.name"
_LAST_USED = "kubernetes.io/legacy-token-last-used"
_INVALID_SINCE = "kubernetes.io/legacy-token-invalid-since"
_DATA = ("f:data", "f:stringData")

VALUES_IN_ANNOTATION = "secret-in-annotation"
LEGACY_ACCOUNT_KEY = "legacy-service-account-token"
SYNC_FAILING = "secret-sync-failing"


def record(
    secret: object, kind: str, ident: str, sources: Sequence[Source], seen: Sighting | None
) -> Record:
    """`sources`: what controllers say of this Secret. `seen`: what runs saw of its value."""
    said = next((one.dated for one in sources if one.dated), None)
    dated = said or _bounds(secret, seen)
    return Record(
        id=ident,
        kind=kind,
        dated=dated,
        undated="" if dated else "the Secret says neither when it was made nor who wrote its data",
        never=any(one.never for one in sources),
        tags=_labels(secret),
        keys=_keys(secret),
        rotation=next((one.rotation for one in sources if one.rotation), None),
        sighting=seen,
        faults=tuple(_faults(secret, kind, sources)),
    )


def mark_of(secret: object, ident: str, sources: Sequence[Source]) -> str:
    """Of what a controller keeps to know a new value by: its length and 16 bits, since all of it
    may confirm a guess. "" where there is none."""
    hashed = text(secret, "metadata", "annotations", _DATA_HASH)
    found = hashed or next((one.mark for one in sources if one.mark), "")
    bits = digest(f"{ident} {found}".encode())[:2].hex()
    return f"{len(found)}-{bits}" if found else ""


def sighted(mark: str, known: Sighting | None, now: datetime) -> Sighting:
    """What this run and the one before saw. A mark of another length was made in another way: that
    of the same value may differ from it."""
    form, _, _ = mark.partition("-")
    if known is None or known.last > now or not known.mark.startswith(f"{form}-"):
        return Sighting(mark=mark, after=None, by=now, last=now)
    if known.mark == mark:
        return known._replace(last=now)
    return Sighting(mark=mark, after=known.last, by=now, last=now)


def changed(record: Record) -> datetime | None:
    """When the value in use replaced another, at the earliest; None where nothing says that it
    did."""
    dated, seen = record.dated, record.sighting
    since = dated.earliest if dated and dated.strength is not Strength.BOUND else None
    return max(filter(None, (since, seen.after if seen else None)), default=None)


def _bounds(secret: object, seen: Sighting | None) -> Dated | None:
    """The narrowest that creation, owners and two runs give."""
    made, owned = moment(secret, "metadata", "creationTimestamp"), _owned(secret)
    after, by = (seen.after, seen.by) if seen else (None, None)
    told = {
        "metadata.creationTimestamp": made,
        "metadata.managedFields[f:data].time": owned,
        "the runs that saw its mark": by,
    }
    earliest = max(filter(None, (made, after)), default=None)
    latest = min(filter(None, (owned, by)), default=None)
    field = ", ".join(name for name, time in told.items() if time)
    if not field:
        return None
    return Dated(earliest=earliest, latest=latest, field=field, strength=Strength.BOUND)


def _owned(secret: object) -> datetime | None:
    """When an owner of its data last wrote anything."""
    times = (
        moment(entry, "time")
        for entry in each(secret, "metadata", "managedFields")
        if any(fields(entry, "fieldsV1", name) for name in _DATA)
    )
    return max(filter(None, times), default=None)


def _keys(secret: object) -> tuple[str, ...] | None:
    """The names of what it holds: its owners list them."""
    owned = {
        name.removeprefix("f:")
        for entry in each(secret, "metadata", "managedFields")
        for part in _DATA
        for name in fields(entry, "fieldsV1", part)
        if name.startswith("f:") and is_plain(name)
    }
    return tuple(sorted(owned)) if owned else None


def _labels(secret: object) -> dict[str, str]:
    names = fields(secret, "metadata", "labels")
    return {name: text(names, name) for name in names if is_plain(name)}


def _faults(secret: object, kind: str, sources: Sequence[Source]) -> Iterator[Fault]:
    if text(secret, "metadata", "annotations", LAST_APPLIED) == HAD_VALUES:
        detail = f"its values stand in the annotation {LAST_APPLIED}"
        yield Fault(rule=VALUES_IN_ANNOTATION, detail=detail)
    if kind == _ACCOUNT_KEY:
        yield Fault(rule=LEGACY_ACCOUNT_KEY, detail=_token(secret))
    for one in sources:
        if one.failing:
            yield Fault(rule=SYNC_FAILING, detail=f"{one.said}: {one.failing}")


def _token(secret: object) -> str:
    used = text(secret, "metadata", "labels", _LAST_USED)
    invalid = text(secret, "metadata", "labels", _INVALID_SINCE)
    account = text(secret, "metadata", "annotations", _ACCOUNT)
    return (
        f"a token of the service account {account or 'that it does not name'} that never ends, "
        + (f"last used on {used}" if used else "with no use on record")
        + (f", invalid since {invalid}" if invalid else "")
    )
