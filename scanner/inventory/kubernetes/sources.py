"""Inventory: what controllers in the cluster say of the Secrets that they write: External Secrets,
Vault Secrets Operator, Sealed Secrets and cert-manager."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from scanner.inventory.kubernetes.fields import (
    at,
    duration,
    each,
    epoch,
    fields,
    later,
    moment,
    number,
    text,
)
from scanner.records import Dated, Rotation, Strength

_MUST_HOLD = frozenset({"Ready", "Synced", "SecretSynced", "Healthy"})
_SECOND = timedelta(seconds=1)
_WORD = re.compile(r"[A-Za-z]{1,64}")


class Source(NamedTuple):
    """What one object says of the Secret that it writes into its own namespace.

    `said` is the object itself, `ExternalSecret db`. `mark` changes with the value alone. `failing`
    says why the Secret is not kept up to date ("": it is). `restarts`: the workloads that are
    restarted after a change: `deployment/web`.
    """

    secret: str
    said: str
    dated: Dated | None = None
    never: bool = False
    mark: str = ""
    rotation: Rotation | None = None
    failing: str = ""
    restarts: frozenset[str] = frozenset()


def _external_secret(tree: object, _now: datetime) -> Source:
    """`refreshTime` moves at every sync: it dates no value, and tells when the next one is due."""
    name = text(tree, "metadata", "name")
    target = text(tree, "status", "binding", "name") or text(tree, "spec", "target", "name")
    once = text(tree, "spec", "refreshPolicy") in ("CreatedOnce", "OnChange")
    period = 0 if once else duration(tree, "spec", "refreshInterval")
    last = moment(tree, "status", "refreshTime")
    return Source(
        secret=target or name,
        said=f"ExternalSecret {name}",
        rotation=Rotation(period=period, due=later(last, period) if last else None),
        failing=_failing(tree),
    )


def _vault_static_secret(tree: object, _now: datetime) -> Source:
    return Source(
        secret=text(tree, "spec", "destination", "name"),
        said=f"VaultStaticSecret {text(tree, 'metadata', 'name')}",
        mark=text(tree, "status", "secretMAC"),
        failing=_failing(tree),
        restarts=_restarts(tree),
    )


def _vault_dynamic_secret(tree: object, _now: datetime) -> Source:
    """A static role has a date. What is leased is a new value with each new lease, and
    `lastRenewalTime` is of the same one."""
    static = at(tree, "spec", "allowStaticCreds") is True
    last = epoch(tree, "status", "staticCredsMetaData", "lastVaultRotation") if static else None
    period = number(tree, "status", "staticCredsMetaData", "rotationPeriod")
    field = "VaultDynamicSecret status.staticCredsMetaData.lastVaultRotation"
    return Source(
        secret=text(tree, "spec", "destination", "name"),
        said=f"VaultDynamicSecret {text(tree, 'metadata', 'name')}",
        dated=Dated(earliest=last, latest=last, field=field) if last else None,
        never=bool(static and fields(tree, "status", "staticCredsMetaData") and not last),
        mark=text(tree, "status", "secretMAC") or text(tree, "status", "secretLease", "id"),
        rotation=Rotation(period=period, due=later(last, period)) if last and period else None,
        failing=_failing(tree),
        restarts=_restarts(tree),
    )


def _vault_pki_secret(tree: object, now: datetime) -> Source:
    """Each certificate has a new key and a new serial number, and no time at which it was issued.
    Without an offset it is never renewed."""
    until = epoch(tree, "status", "expiration")
    return Source(
        secret=text(tree, "spec", "destination", "name"),
        said=f"VaultPKISecret {text(tree, 'metadata', 'name')}",
        mark=text(tree, "status", "serialNumber"),
        rotation=_renewal(tree, until),
        failing=_expired(until, now) or _invalid(tree) or _failing(tree),
        restarts=_restarts(tree),
    )


def _renewal(tree: object, until: datetime | None) -> Rotation | None:
    """None where only Vault knows for how long a certificate is."""
    before = duration(tree, "spec", "expiryOffset")
    period = duration(tree, "spec", "ttl") - before
    if not before:
        return Rotation(period=0)
    due = later(until, -before) if until else None
    return Rotation(period=period, due=due) if period > 0 else None


def _invalid(tree: object) -> str:
    if at(tree, "status", "valid") is not False:
        return ""
    reason = text(tree, "status", "error")
    return f"it is not valid ({reason if _WORD.fullmatch(reason) else 'no reason given'})"


def _expired(until: datetime | None, now: datetime) -> str:
    return f"it expired on {until:%Y-%m-%d}" if until and until <= now else ""


def _sealed_secret(tree: object, _now: datetime) -> Source:
    name = text(tree, "metadata", "name")
    return Source(secret=name, said=f"SealedSecret {name}", failing=_failing(tree))


def _certificate(tree: object, now: datetime) -> Source:
    since = moment(tree, "status", "notBefore")
    until = moment(tree, "status", "notAfter")
    return Source(
        secret=text(tree, "spec", "secretName"),
        said=f"Certificate {text(tree, 'metadata', 'name')}",
        dated=_date_of_key(tree, since) if since else None,
        rotation=_rotation_of_key(tree, since),
        failing=_expired(until, now) or _failing(tree),
    )


def _date_of_key(tree: object, since: datetime) -> Dated | None:
    """That of the certificate, where the key is made anew with it. If the object does not say so,
    it depends on the version of cert-manager: from 1.18 on it is."""
    policy = _key_policy(tree)
    strength = Strength.EXACT if policy == "Always" else Strength.WEAK
    field = "Certificate status.notBefore"
    if policy == "Never":
        return None
    return Dated(earliest=since, latest=since, field=field, strength=strength)


def _rotation_of_key(tree: object, since: datetime | None) -> Rotation | None:
    due = moment(tree, "status", "renewalTime")
    if _key_policy(tree) == "Never":
        return Rotation(period=0)
    return Rotation(period=(due - since) // _SECOND, due=due) if since and due else None


def _key_policy(tree: object) -> str:
    return text(tree, "spec", "privateKey", "rotationPolicy")


def _failing(tree: object) -> str:
    """The reason that a condition gives; its message is free text, and may hold anything."""
    for condition in each(tree, "status", "conditions"):
        kind = text(condition, "type")
        if kind in _MUST_HOLD and text(condition, "status") == "False":
            reason = text(condition, "reason")
            return f"{kind} is false ({reason if _WORD.fullmatch(reason) else 'no reason given'})"
    return ""


def _restarts(tree: object) -> frozenset[str]:
    targets = each(tree, "spec", "rolloutRestartTargets")
    return frozenset(f"{text(one, 'kind').lower()}/{text(one, 'name')}" for one in targets)


SOURCES: Mapping[tuple[str, str], Callable[[object, datetime], Source]] = MappingProxyType(
    {
        ("external-secrets.io", "externalsecrets"): _external_secret,
        ("secrets.hashicorp.com", "vaultstaticsecrets"): _vault_static_secret,
        ("secrets.hashicorp.com", "vaultdynamicsecrets"): _vault_dynamic_secret,
        ("secrets.hashicorp.com", "vaultpkisecrets"): _vault_pki_secret,
        ("bitnami.com", "sealedsecrets"): _sealed_secret,
        ("cert-manager.io", "certificates"): _certificate,
    }
)
"""By API group and resource."""
