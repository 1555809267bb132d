"""Inventory: engines of HashiCorp's Vault for accounts elsewhere: LDAP, AWS, Azure, Google."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from scanner.inventory.vault.engines import dynamic_role, static_role, undated
from scanner.inventory.vault.mount import Entry, Shelf, at, is_zero, moment
from scanner.inventory.vault.requests import Item
from scanner.records import Record, Rotation, Strength

_ISSUES_KEYS = "service_account_key"
_LONGEST_STS = 36 * 3600  # that AWS gives a federated token; an assumed role gets less
_GO_DURATION = re.compile(r"([0-9]+)([hms])")
_UNITS = {"h": 3600, "m": 60, "s": 1}


def _ldap_root(entry: Entry) -> Iterator[Item]:
    said = entry.data.get("last_bind_password_rotation")
    if is_zero(said):
        yield from undated("ldap-root", "Vault has not rotated it since it was written", entry)
    else:
        dated = at(moment(said), "last_bind_password_rotation")
        yield Record(id=entry.id, kind="ldap-root", dated=dated)


def _azure_root(entry: Entry) -> Iterator[Item]:
    """Its rotation sets the end from the period of that day, which may have been changed since."""
    end, period = (
        entry.data.get("root_password_expiration_date"),
        entry.data.get("root_password_ttl"),
    )
    if is_zero(end) or not period:
        yield from undated("azure-root", "Vault has not rotated it since it was written", entry)
    else:
        field = "root_password_expiration_date - root_password_ttl"
        set_at = moment(end) - timedelta(seconds=_seconds(period))
        yield Record(id=entry.id, kind="azure-root", dated=at(set_at, field, Strength.WEAK))


def _aws_static_role(entry: Entry) -> Iterator[Item]:
    yield Record(
        id=entry.id,
        kind="aws-static-role",
        undated="Vault tells its date beside the value alone (static-creds)",
        rotation=Rotation(period=_seconds(entry.data["rotation_period"])),
    )


def _aws_role(entry: Entry) -> Iterator[Item]:
    """A user's keys live as long as their lease; a session as long as AWS was asked for."""
    kinds = entry.data.get("credential_type") or entry.data.get("credential_types")
    if "iam_user" in str(kinds):
        lifetime = entry.mount.longest_lease()
    else:
        lifetime = _seconds(entry.data.get("max_sts_ttl") or _LONGEST_STS)
    yield Record(id=entry.id, kind="aws-role", lifetime=lifetime)


def _gcp_account(entry: Entry) -> Iterator[Item]:
    """It issues keys that live as long as their lease, or tokens by a key that Vault keeps."""
    if entry.data["secret_type"] == _ISSUES_KEYS:
        longest = entry.mount.read("config").get("max_ttl")
        lifetime = _seconds(longest or 0) or entry.mount.longest_lease()
        yield Record(id=entry.id, kind="gcp-account", lifetime=lifetime)
    else:
        why = "Vault keeps no time of its key: the audit log has rotate-key"
        yield from undated("gcp-account", why, entry)


def _seconds(duration: object) -> int:
    """A number of seconds, or Go's `768h0m0s`."""
    said = str(duration)
    units = _GO_DURATION.findall(said)
    return sum(int(count) * _UNITS[unit] for count, unit in units) if units else int(float(said))


LDAP = (
    Shelf(
        tells=partial(static_role, "ldap-static-role"),
        lists="static-role/",
        reads="static-role/",
        named="static-role/",
        values="static-cred/{}",
    ),
    Shelf(
        tells=partial(dynamic_role, "ldap-dynamic-role"),
        lists="role/",
        reads="role/",
        named="role/",
        values="creds/{}",
    ),
    Shelf(tells=_ldap_root, lists=None, reads="config", named="config"),
)
AWS = (
    Shelf(
        tells=_aws_static_role,
        lists="static-roles/",
        reads="static-roles/",
        named="static-roles/",
        values="static-creds/{}",
    ),
    Shelf(tells=_aws_role, lists="roles/", reads="roles/", named="roles/", values="creds/{}"),
    Shelf(
        tells=partial(
            undated, "aws-root", "Vault keeps no time of it: the audit log has rotate-root"
        ),
        lists=None,
        reads="config/root",
        named="config/root",
    ),
)
AZURE = (
    Shelf(
        tells=partial(dynamic_role, "azure-role"),
        lists="roles/",
        reads="roles/",
        named="roles/",
        values="creds/{}",
    ),
    Shelf(tells=_azure_root, lists=None, reads="config", named="config"),
)
GCP = (
    Shelf(
        tells=_gcp_account,
        lists="rolesets/",
        reads="roleset/",
        named="roleset/",
        values="roleset/{}/token",
    ),
    Shelf(
        tells=_gcp_account,
        lists="static-accounts/",
        reads="static-account/",
        named="static-account/",
        values="static-account/{}/token",
    ),
    Shelf(
        tells=partial(
            undated, "gcp-root", "Vault keeps no time of it: the audit log has rotate-root"
        ),
        lists=None,
        reads="config",
        named="config",
    ),
)
