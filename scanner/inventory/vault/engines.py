"""Inventory: Vault's engines other than key/value: what each one stores, and its dates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice, pairwise
from typing import Any

from scanner.inventory.vault.mounts import Entry, EntryType, dated, is_no_time, parse_time
from scanner.inventory.vault.parallel_requests import Item
from scanner.model import Note, NoteKind
from scanner.records import Record, Rotation, Strength

_MAX_RUNS = 9  # of a schedule: more than a week of work days, or most of a year of months


def static_role(kind: str, entry: Entry) -> Iterator[Item]:
    """A role whose password Vault rotates. If that fails, the time of the last rotation stays."""
    rotated_at = entry.data.get("last_vault_rotation")
    last = None if is_no_time(rotated_at) else parse_time(rotated_at)
    period, wait = _schedule_of(entry.data, last or entry.mount.namespace.now)
    given_up = f"{entry.mount.path}/{entry.path}" in entry.mount.namespace.orphans
    yield Record(
        id=entry.id,
        kind=kind,
        dated=dated(last, "last_vault_rotation") if last else None,
        never=last is None,
        rotation=Rotation(
            period=int(period.total_seconds()),
            due=last + wait if last else None,
            failing="Vault no longer rotates it (sys/rotation/orphans)" if given_up else "",
        ),
    )


def dynamic_role(kind: str, entry: Entry) -> Iterator[Item]:
    """A role that issues a credential on request. Its mount's limit caps its max_ttl."""
    longest = int(entry.data.get("max_ttl") or 0)
    yield Record(id=entry.id, kind=kind, lifetime=entry.mount.capped(longest))


def unknown_age(kind: str, why: str, entry: Entry) -> Iterator[Item]:
    """A secret of unknown age, because Vault stores no time for it."""
    yield Record(id=entry.id, kind=kind, undated=why)


def _schedule_of(data: Mapping[str, Any], last: datetime) -> tuple[timedelta, timedelta]:
    """The longest time between two rotations, and the time from the last one to the next."""
    if data.get("rotation_schedule"):
        return _cron_schedule(str(data["rotation_schedule"]), data.get("rotation_window"), last)
    period = timedelta(seconds=int(data["rotation_period"]))
    return period, period


def _cron_schedule(cron: str, window: object, last: datetime) -> tuple[timedelta, timedelta]:
    """The same for a cron expression in UTC. A rotation may be up to `window` seconds late."""
    from cronsim import CronSim, CronSimError

    try:
        runs = list(islice(CronSim(cron.replace("?", "*"), last), _MAX_RUNS))
    except CronSimError:
        raise ValueError("not a cron expression") from None
    longest = max(after - before for before, after in pairwise(runs))
    return longest, runs[0] + timedelta(seconds=int(str(window or 0))) - last


def _transit_key(entry: Entry) -> Iterator[Item]:
    """The latest version counts. Older ones only decrypt what was encrypted with them."""
    if entry.data.get("soft_deleted"):
        yield Note(kind=NoteKind.NOT_LIVE, path=entry.id, text="it is deleted but can be restored")
        return
    number = str(entry.data["latest_version"])
    version = entry.data["keys"][number]
    created, field = (
        (datetime.fromtimestamp(version, UTC), f"keys[{number}]")
        if isinstance(version, int)
        else (parse_time(version["creation_time"]), f"keys[{number}].creation_time")
    )
    period = int(entry.data["auto_rotate_period"])
    due = created + timedelta(seconds=period) if period else None
    yield Record(
        id=entry.id,
        kind="transit-key",
        dated=dated(created, field),
        rotation=Rotation(period=period, due=due),
    )


def _issuer(entry: Entry) -> Iterator[Item]:
    """A CA. The date is that of its certificate, which can be issued again for the same key."""
    from cryptography import x509

    certificate = x509.load_pem_x509_certificate(entry.data["certificate"].encode())
    name = entry.data.get("issuer_name")
    yield Record(
        id=entry.id,
        kind="pki-issuer",
        dated=dated(certificate.not_valid_before_utc, "not_before", Strength.WEAK),
        tags={"issuer_name": str(name)} if name else {},
        expires=certificate.not_valid_after_utc,
    )


DATABASE = (
    EntryType(
        to_items=partial(static_role, "database-static-role"),
        list_path="static-roles/",
        read_path="static-roles/",
        id_prefix="static-roles/",
        value_path="static-creds/{}",
    ),
    EntryType(
        to_items=partial(dynamic_role, "database-dynamic-role"),
        list_path="roles/",
        read_path="roles/",
        id_prefix="roles/",
        value_path="creds/{}",
    ),
    EntryType(  # not read: it contains no date, and its address may contain the password
        to_items=partial(
            unknown_age,
            "database-root",
            "Vault stores no time for it: look for rotate-root in the audit log",
        ),
        list_path="config/",
        read_path=None,
        id_prefix="config/",
    ),
)
TRANSIT = (
    EntryType(
        to_items=_transit_key,
        list_path="keys/",
        read_path="keys/",
        id_prefix="keys/",
        value_path="export/encryption-key/{}",
    ),
)
PKI = (EntryType(to_items=_issuer, list_path="issuers/", read_path="issuer/", id_prefix="issuer/"),)
SSH = (
    EntryType(
        to_items=partial(unknown_age, "ssh-ca", "Vault stores no time for an SSH CA"),
        list_path=None,
        read_path="config/ca",
        id_prefix="config/ca",
    ),
)
