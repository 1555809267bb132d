"""Inventory: what controllers in the cluster report about the Secrets that they write: External
Secrets, Vault Secrets Operator, Sealed Secrets and cert-manager."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from scanner.inventory.kubernetes.json_fields import (
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


class ControllerReport(NamedTuple):
    """What one object says about the Secret that it writes into its own namespace.

    `name` is the object, for example `ExternalSecret db`. `mark` changes only with the value.
    `failing` says why the Secret is not up to date ("" if it is). `restarts`: the workloads to
    restart after a change, for example `deployment/web`. `expires` is the end of a certificate.
    """

    secret: str
    name: str
    dated: Dated | None = None
    never: bool = False
    mark: str = ""
    rotation: Rotation | None = None
    failing: str = ""
    restarts: frozenset[str] = frozenset()
    expires: datetime | None = None


def _external_secret(tree: object, _now: datetime) -> ControllerReport:
    """`refreshTime` changes with every sync, so it only tells when the next sync is due."""
    name = text(tree, "metadata", "name")
    target = text(tree, "status", "binding", "name") or text(tree, "spec", "target", "name")
    once = text(tree, "spec", "refreshPolicy") in ("CreatedOnce", "OnChange")
    period = 0 if once else duration(tree, "spec", "refreshInterval")
    last = moment(tree, "status", "refreshTime")
    return ControllerReport(
        secret=target or name,
        name=f"ExternalSecret {name}",
        rotation=Rotation(period=period, due=later(last, period) if last else None),
        failing=_failing(tree),
    )


def _vault_static_secret(tree: object, _now: datetime) -> ControllerReport:
    return ControllerReport(
        secret=text(tree, "spec", "destination", "name"),
        name=f"VaultStaticSecret {text(tree, 'metadata', 'name')}",
        mark=text(tree, "status", "secretMAC"),
        failing=_failing(tree),
        restarts=_restarts(tree),
    )


def _vault_dynamic_secret(tree: object, _now: datetime) -> ControllerReport:
    """A static role has a date. A lease has none: `lastRenewalTime` is about the same value."""
    static = at(tree, "spec", "allowStaticCreds") is True
    last = epoch(tree, "status", "staticCredsMetaData", "lastVaultRotation") if static else None
    period = number(tree, "status", "staticCredsMetaData", "rotationPeriod")
    field = "VaultDynamicSecret status.staticCredsMetaData.lastVaultRotation"
    return ControllerReport(
        secret=text(tree, "spec", "destination", "name"),
        name=f"VaultDynamicSecret {text(tree, 'metadata', 'name')}",
        dated=Dated(earliest=last, latest=last, field=field) if last else None,
        never=bool(static and fields(tree, "status", "staticCredsMetaData") and not last),
        mark=text(tree, "status", "secretMAC") or text(tree, "status", "secretLease", "id"),
        rotation=Rotation(period=period, due=later(last, period)) if last and period else None,
        failing=_failing(tree),
        restarts=_restarts(tree),
    )


def _vault_pki_secret(tree: object, now: datetime) -> ControllerReport:
    """Each certificate has a new key and serial number, but no time of issue.

    Without an expiry offset it is never renewed.
    """
    until = epoch(tree, "status", "expiration")
    return ControllerReport(
        secret=text(tree, "spec", "destination", "name"),
        name=f"VaultPKISecret {text(tree, 'metadata', 'name')}",
        mark=text(tree, "status", "serialNumber"),
        rotation=_renewal(tree, until),
        failing=_expired(until, now) or _invalid(tree) or _failing(tree),
        restarts=_restarts(tree),
        expires=until,
    )


def _renewal(tree: object, until: datetime | None) -> Rotation | None:
    """None if only Vault knows how long a certificate is valid."""
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


def _sealed_secret(tree: object, _now: datetime) -> ControllerReport:
    name = text(tree, "metadata", "name")
    return ControllerReport(secret=name, name=f"SealedSecret {name}", failing=_failing(tree))


def _certificate(tree: object, now: datetime) -> ControllerReport:
    since = moment(tree, "status", "notBefore")
    until = moment(tree, "status", "notAfter")
    return ControllerReport(
        secret=text(tree, "spec", "secretName"),
        name=f"Certificate {text(tree, 'metadata', 'name')}",
        dated=_date_of_key(tree, since) if since else None,
        rotation=_rotation_of_key(tree, since),
        failing=_expired(until, now) or _failing(tree),
        expires=until,
    )


def _date_of_key(tree: object, since: datetime) -> Dated | None:
    """The date of the certificate, if it comes with a new key.

    Without a policy that depends on the version of cert-manager: 1.18 and later create a new key.
    """
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
    """The reason of a failed condition. Its message is free text that may contain anything."""
    for condition in each(tree, "status", "conditions"):
        kind = text(condition, "type")
        if kind in _MUST_HOLD and text(condition, "status") == "False":
            reason = text(condition, "reason")
            return f"{kind} is false ({reason if _WORD.fullmatch(reason) else 'no reason given'})"
    return ""


def _restarts(tree: object) -> frozenset[str]:
    targets = each(tree, "spec", "rolloutRestartTargets")
    return frozenset(f"{text(one, 'kind').lower()}/{text(one, 'name')}" for one in targets)


CONTROLLERS: Mapping[tuple[str, str], Callable[[object, datetime], ControllerReport]] = (
    MappingProxyType(
        {
            ("external-secrets.io", "externalsecrets"): _external_secret,
            ("secrets.hashicorp.com", "vaultstaticsecrets"): _vault_static_secret,
            ("secrets.hashicorp.com", "vaultdynamicsecrets"): _vault_dynamic_secret,
            ("secrets.hashicorp.com", "vaultpkisecrets"): _vault_pki_secret,
            ("bitnami.com", "sealedsecrets"): _sealed_secret,
            ("cert-manager.io", "certificates"): _certificate,
        }
    )
)
"""By API group and resource: the function that reads an object."""
