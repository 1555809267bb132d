"""Inventory: engines for accounts in other systems: LDAP, AWS, Azure and Google Cloud."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from scanner.inventory.vault.engines import dynamic_role, static_role, unknown_age
from scanner.inventory.vault.mounts import Entry, EntryType, dated, is_no_time, parse_time
from scanner.inventory.vault.parallel_requests import Item
from scanner.records import Record, Rotation, Strength

_ISSUES_KEYS = "service_account_key"
_LONGEST_STS = 36 * 3600  # AWS's limit for a federated token; that of an assumed role is lower
_GO_DURATION = re.compile(r"([0-9]+)([hms])")
_UNITS = {"h": 3600, "m": 60, "s": 1}


def _ldap_root(entry: Entry) -> Iterator[Item]:
    rotated_at = entry.data.get("last_bind_password_rotation")
    if is_no_time(rotated_at):
        yield from unknown_age(
            "ldap-root", "Vault has not rotated it since it was configured", entry
        )
    else:
        rotation = dated(parse_time(rotated_at), "last_bind_password_rotation")
        yield Record(id=entry.id, kind="ldap-root", dated=rotation)


def _azure_root(entry: Entry) -> Iterator[Item]:
    """The date is computed from the expiry and the period, which may have been changed since."""
    end, period = (
        entry.data.get("root_password_expiration_date"),
        entry.data.get("root_password_ttl"),
    )
    if is_no_time(end) or not period:
        yield from unknown_age(
            "azure-root", "Vault has not rotated it since it was configured", entry
        )
    else:
        field = "root_password_expiration_date - root_password_ttl"
        set_at = parse_time(end) - timedelta(seconds=_seconds(period))
        yield Record(id=entry.id, kind="azure-root", dated=dated(set_at, field, Strength.WEAK))


def _aws_static_role(entry: Entry) -> Iterator[Item]:
    yield Record(
        id=entry.id,
        kind="aws-static-role",
        undated="Vault shows its date only together with the value (static-creds)",
        rotation=Rotation(period=_seconds(entry.data["rotation_period"])),
    )


def _aws_role(entry: Entry) -> Iterator[Item]:
    """A user's keys live as long as their lease. A session lives as long as the role allows."""
    kinds = entry.data.get("credential_type") or entry.data.get("credential_types")
    if "iam_user" in str(kinds):
        lifetime = entry.mount.longest_lease()
    else:
        lifetime = _seconds(entry.data.get("max_sts_ttl") or _LONGEST_STS)
    yield Record(id=entry.id, kind="aws-role", lifetime=lifetime)


def _gcp_account(entry: Entry) -> Iterator[Item]:
    """It issues keys that live as long as their lease, or tokens from a key that Vault stores."""
    if entry.data["secret_type"] == _ISSUES_KEYS:
        longest = entry.mount.read("config").get("max_ttl")
        lifetime = entry.mount.capped(_seconds(longest or 0))
        yield Record(id=entry.id, kind="gcp-account", lifetime=lifetime)
    else:
        why = "Vault stores no time for its key: look for rotate-key in the audit log"
        yield from unknown_age("gcp-account", why, entry)


def _seconds(duration: object) -> int:
    """Seconds, from a number or from Go's format `768h0m0s`."""
    text = str(duration)
    units = _GO_DURATION.findall(text)
    return sum(int(count) * _UNITS[unit] for count, unit in units) if units else int(float(text))


LDAP = (
    EntryType(
        to_items=partial(static_role, "ldap-static-role"),
        list_path="static-role/",
        read_path="static-role/",
        id_prefix="static-role/",
        value_path="static-cred/{}",
    ),
    EntryType(
        to_items=partial(dynamic_role, "ldap-dynamic-role"),
        list_path="role/",
        read_path="role/",
        id_prefix="role/",
        value_path="creds/{}",
    ),
    EntryType(to_items=_ldap_root, list_path=None, read_path="config", id_prefix="config"),
)
AWS = (
    EntryType(
        to_items=_aws_static_role,
        list_path="static-roles/",
        read_path="static-roles/",
        id_prefix="static-roles/",
        value_path="static-creds/{}",
    ),
    EntryType(
        to_items=_aws_role,
        list_path="roles/",
        read_path="roles/",
        id_prefix="roles/",
        value_path="creds/{}",
    ),
    EntryType(
        to_items=partial(
            unknown_age,
            "aws-root",
            "Vault stores no time for it: look for rotate-root in the audit log",
        ),
        list_path=None,
        read_path="config/root",
        id_prefix="config/root",
    ),
)
AZURE = (
    EntryType(
        to_items=partial(dynamic_role, "azure-role"),
        list_path="roles/",
        read_path="roles/",
        id_prefix="roles/",
        value_path="creds/{}",
    ),
    EntryType(to_items=_azure_root, list_path=None, read_path="config", id_prefix="config"),
)
GCP = (
    EntryType(
        to_items=_gcp_account,
        list_path="rolesets/",
        read_path="roleset/",
        id_prefix="roleset/",
        value_path="roleset/{}/token",
    ),
    EntryType(
        to_items=_gcp_account,
        list_path="static-accounts/",
        read_path="static-account/",
        id_prefix="static-account/",
        value_path="static-account/{}/token",
    ),
    EntryType(
        to_items=partial(
            unknown_age,
            "gcp-root",
            "Vault stores no time for it: look for rotate-root in the audit log",
        ),
        list_path=None,
        read_path="config",
        id_prefix="config",
    ),
)
