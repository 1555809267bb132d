"""Inventory: Vault's engines other than key/value: what each keeps, and what dates it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice, pairwise
from typing import Any

from scanner.inventory.vault.mount import Entry, Shelf, at, is_zero, moment
from scanner.inventory.vault.requests import Item
from scanner.model import Note, NoteKind
from scanner.records import Record, Rotation, Strength

_FIRINGS = 9  # of a schedule: over a week of work days, or most of a year of months


def static_role(kind: str, entry: Entry) -> Iterator[Item]:
    """A role whose password Vault rotates. Where that fails, the time of the last one stops."""
    said = entry.data.get("last_vault_rotation")
    last = None if is_zero(said) else moment(said)
    period, wait = _pace(entry.data, last or entry.mount.place.now)
    given_up = f"{entry.mount.path}/{entry.path}" in entry.mount.place.orphans
    yield Record(
        id=entry.id,
        kind=kind,
        dated=at(last, "last_vault_rotation") if last else None,
        never=last is None,
        rotation=Rotation(
            period=int(period.total_seconds()),
            due=last + wait if last else None,
            failing="Vault gave it up (sys/rotation/orphans)" if given_up else "",
        ),
    )


def dynamic_role(kind: str, entry: Entry) -> Iterator[Item]:
    """A role that issues a credential to each who asks: 0 is the longest that its mount allows."""
    longest = int(entry.data.get("max_ttl") or 0)
    yield Record(id=entry.id, kind=kind, lifetime=longest or entry.mount.longest_lease())


def undated(kind: str, why: str, entry: Entry) -> Iterator[Item]:
    """A secret of which Vault keeps no time."""
    yield Record(id=entry.id, kind=kind, undated=why)


def _pace(data: Mapping[str, Any], last: datetime) -> tuple[timedelta, timedelta]:
    """How often it is rotated at least, and how long after the last time the next one is due."""
    if data.get("rotation_schedule"):
        return _schedule(str(data["rotation_schedule"]), data.get("rotation_window"), last)
    period = timedelta(seconds=int(data["rotation_period"]))
    return period, period


def _schedule(cron: str, window: object, last: datetime) -> tuple[timedelta, timedelta]:
    """The same of a cron expression, in UTC; `window`: seconds after it that are in time, too."""
    from cronsim import CronSim, CronSimError

    try:
        firings = list(islice(CronSim(cron.replace("?", "*"), last), _FIRINGS))
    except CronSimError:
        raise ValueError("no cron expression") from None
    longest = max(after - before for before, after in pairwise(firings))
    return longest, firings[0] + timedelta(seconds=int(str(window or 0))) - last


def _transit_key(entry: Entry) -> Iterator[Item]:
    """Versions before the latest decrypt what they encrypted: they are no old credential in use."""
    if entry.data.get("soft_deleted"):
        yield Note(kind=NoteKind.NOT_LIVE, path=entry.id, text="it is deleted, and can be restored")
        return
    number = str(entry.data["latest_version"])
    made = entry.data["keys"][number]
    created, field = (
        (datetime.fromtimestamp(made, UTC), f"keys[{number}]")
        if isinstance(made, int)
        else (moment(made["creation_time"]), f"keys[{number}].creation_time")
    )
    period = int(entry.data["auto_rotate_period"])
    due = created + timedelta(seconds=period) if period else None
    yield Record(
        id=entry.id,
        kind="transit-key",
        dated=at(created, field),
        rotation=Rotation(period=period, due=due),
    )


def _issuer(entry: Entry) -> Iterator[Item]:
    """A CA: its certificate is dated, and can be issued again over the same key."""
    from cryptography import x509

    certificate = x509.load_pem_x509_certificate(entry.data["certificate"].encode())
    name = entry.data.get("issuer_name")
    yield Record(
        id=entry.id,
        kind="pki-issuer",
        dated=at(certificate.not_valid_before_utc, "not_before", Strength.WEAK),
        tags={"issuer_name": str(name)} if name else {},
    )
    if (end := certificate.not_valid_after_utc) <= entry.mount.place.now:
        yield Note(
            kind=NoteKind.EXPIRED, path=entry.id, text=f"its certificate ended on {end:%Y-%m-%d}"
        )


DATABASE = (
    Shelf(
        tells=partial(static_role, "database-static-role"),
        lists="static-roles/",
        reads="static-roles/",
        named="static-roles/",
        values="static-creds/{}",
    ),
    Shelf(
        tells=partial(dynamic_role, "database-dynamic-role"),
        lists="roles/",
        reads="roles/",
        named="roles/",
        values="creds/{}",
    ),
    Shelf(  # its address may hold the password, and nothing of it is a date: it is not read
        tells=partial(
            undated, "database-root", "Vault keeps no time of it: the audit log has rotate-root"
        ),
        lists="config/",
        reads=None,
        named="config/",
    ),
)
TRANSIT = (
    Shelf(
        tells=_transit_key,
        lists="keys/",
        reads="keys/",
        named="keys/",
        values="export/encryption-key/{}",
    ),
)
PKI = (Shelf(tells=_issuer, lists="issuers/", reads="issuer/", named="issuer/"),)
SSH = (
    Shelf(
        tells=partial(undated, "ssh-ca", "Vault keeps no time of an SSH CA"),
        lists=None,
        reads="config/ca",
        named="config/ca",
    ),
)
