"""Inventory: make a Record from a Secret's metadata.

`creationTimestamp` and `managedFields` only limit the age of the value. It was not set before the
Secret was created, nor after the last write by an owner of its data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from scanner.fingerprints import digest
from scanner.inventory.kubernetes.api import HAD_VALUES, LAST_APPLIED
from scanner.inventory.kubernetes.controllers import ControllerReport
from scanner.inventory.kubernetes.json_fields import each, fields, is_plain, moment, text
from scanner.records import Dated, Fault, Record, Strength, ValueMark

_ACCOUNT_TOKEN = "service-account-token"  # noqa: S105 - a kind
_TLS = "tls"
_NO_EXPIRY = "the end of its certificate cannot be read without its key"
HELM = "helm-release"
_TYPES = {
    _ACCOUNT_TOKEN: "kubernetes.io/service-account-token",
    _TLS: "kubernetes.io/tls",
    "bootstrap-token": "bootstrap.kubernetes.io/token",
    HELM: "helm.sh/release.v1",
}
SELECTORS: Sequence[tuple[str, str]] = (
    *((kind, f"type={name}") for kind, name in _TYPES.items()),
    ("secret", ",".join(f"type!={name}" for name in _TYPES.values())),
)
"""Each kind and the field selector that finds its Secrets, because metadata has no type.
Together they find each Secret once."""

_NO_TIME = timedelta()
_DATA_HASH = "reconcile.external-secrets.io/data-hash"
_ACCOUNT = "kubernetes.io/service-account.name"
_LAST_USED = "kubernetes.io/legacy-token-last-used"
_INVALID_SINCE = "kubernetes.io/legacy-token-invalid-since"
_DATA = ("f:data", "f:stringData")

VALUES_IN_ANNOTATION = "secret-in-annotation"
LEGACY_ACCOUNT_KEY = "legacy-service-account-token"
SYNC_FAILING = "secret-sync-failing"


def record(  # noqa: PLR0913, PLR0917 - what its facts come from
    secret: object,
    kind: str,
    ident: str,
    controllers: Sequence[ControllerReport],
    seen: ValueMark | None,
    ahead: timedelta = _NO_TIME,
) -> Record:
    """The record of a Secret, from its metadata, its controllers and its mark.

    The clock of the API server is `ahead` of this machine's. Controllers and audits have their own.
    """
    reported = next((report.dated for report in controllers if report.dated), None)
    dated = reported or _bounds(secret, seen, ahead)
    expires = min((report.expires for report in controllers if report.expires), default=None)
    no_date = "its metadata says neither when it was created nor when its data was written"
    return Record(
        id=ident,
        kind=kind,
        dated=dated,
        undated="" if dated else no_date,
        never=any(report.never for report in controllers),
        tags=_labels(secret),
        keys=_keys(secret),
        rotation=next((report.rotation for report in controllers if report.rotation), None),
        value_mark=seen,
        faults=tuple(_faults(secret, kind, controllers)),
        expires=expires,
        expiry_unknown=_NO_EXPIRY if kind == _TLS and not expires else "",
    )


def mark_of(secret: object, ident: str, controllers: Sequence[ControllerReport]) -> str:
    """A mark of what a controller stores to recognize a new value. "" if there is nothing.

    The mark is its length and 16 bits of a hash, because all of it could confirm a guess.
    """
    hashed = text(secret, "metadata", "annotations", _DATA_HASH)
    found = hashed or next((report.mark for report in controllers if report.mark), "")
    bits = digest(f"{ident} {found}".encode())[:2].hex()
    return f"{len(found)}-{bits}" if found else ""


def updated_mark(mark: str, known: ValueMark | None, now: datetime) -> ValueMark:
    """The mark after this run. `known` is that of the previous run.

    A mark of another length was made in another way, so the two cannot be compared.
    """
    form, _, _ = mark.partition("-")
    if known is None or known.last > now or not known.mark.startswith(f"{form}-"):
        return ValueMark(mark=mark, after=None, by=now, last=now)
    if known.mark == mark:
        return known._replace(last=now)
    return ValueMark(mark=mark, after=known.last, by=now, last=now)


def changed(record: Record) -> datetime | None:
    """The earliest time at which the current value replaced another. None if that is unknown."""
    dated, seen = record.dated, record.value_mark
    since = dated.earliest if dated and dated.strength is not Strength.BOUND else None
    return max(filter(None, (since, seen.after if seen else None)), default=None)


def _bounds(secret: object, seen: ValueMark | None, ahead: timedelta) -> Dated | None:
    """The narrowest limits from creation, owners and two audits."""
    made, owned = moment(secret, "metadata", "creationTimestamp"), _owned(secret)
    made, owned = made and made - ahead, owned and owned - ahead
    after, by = (seen.after, seen.by) if seen else (None, None)
    sources = {
        "metadata.creationTimestamp": made,
        "metadata.managedFields[f:data].time": owned,
        "the audits that saw its mark": by,
    }
    earliest = max(filter(None, (made, after)), default=None)
    latest = min(filter(None, (owned, by)), default=None)
    field = ", ".join(name for name, time in sources.items() if time)
    if not field:
        return None
    return Dated(earliest=earliest, latest=latest, field=field, strength=Strength.BOUND)


def _owned(secret: object) -> datetime | None:
    """When an owner of its data last wrote anything to the Secret."""
    times = (
        moment(entry, "time")
        for entry in each(secret, "metadata", "managedFields")
        if any(fields(entry, "fieldsV1", name) for name in _DATA)
    )
    return max(filter(None, times), default=None)


def _keys(secret: object) -> tuple[str, ...] | None:
    """The names of its keys, from the fields that its owners manage."""
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


def _faults(secret: object, kind: str, controllers: Sequence[ControllerReport]) -> Iterator[Fault]:
    if text(secret, "metadata", "annotations", LAST_APPLIED) == HAD_VALUES:
        detail = f"the annotation {LAST_APPLIED} contains its values"
        yield Fault(rule=VALUES_IN_ANNOTATION, detail=detail)
    if kind == _ACCOUNT_TOKEN:
        yield Fault(rule=LEGACY_ACCOUNT_KEY, detail=_token(secret))
    for report in controllers:
        if report.failing:
            yield Fault(rule=SYNC_FAILING, detail=f"{report.name}: {report.failing}")


def _token(secret: object) -> str:
    used = text(secret, "metadata", "labels", _LAST_USED)
    invalid = text(secret, "metadata", "labels", _INVALID_SINCE)
    account = text(secret, "metadata", "annotations", _ACCOUNT)
    return (
        f"a token of the service account {account or '(not named)'} that never expires, "
        + (f"last used on {used}" if used else "with no recorded use")
        + (f", invalid since {invalid}" if invalid else "")
    )
