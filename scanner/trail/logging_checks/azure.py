"""The diagnostic settings of Azure key vaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scanner.inventory.interface import Settings
from scanner.model import Gap
from scanner.trail.logging_checks.interface import Fault
from scanner.trail.logging_checks.rules import AZURE

_DESTINATIONS = (
    *("storageAccountId", "workspaceId", "eventHubAuthorizationRuleId", "marketplacePartnerId"),
    "serviceBusRuleId",
)


def recognizes(data: Any) -> bool:
    settings = data.get("value") if isinstance(data, dict) else data
    return isinstance(settings, list) and all("logs" in _properties(each) for each in settings)


def _properties(setting: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = setting.get("properties", setting)
    return found


def faults(data: Any, name: str) -> Iterator[Fault]:
    settings = data["value"] if isinstance(data, dict) else data
    subject = f"azure://{name}"
    logging = [each for each in map(_properties, settings) if _is_logging(each)]
    if not logging:
        detail = "no setting has the category AuditEvent, or the group audit or allLogs, enabled"
        yield Fault(AZURE, subject, detail)
    elif not any(each.get(field) for each in logging for field in _DESTINATIONS):
        yield Fault(AZURE, subject, "the AuditEvents are sent nowhere: no destination is set")


def live(settings: Settings, *, has_file: bool) -> Iterator[Fault | Gap]:  # noqa: ARG001
    from scanner.inventory.azure import diagnostic_settings

    for found in diagnostic_settings.read(settings):
        if isinstance(found, Gap):
            yield found
        else:
            yield from faults(found.settings, found.vault.removeprefix("azure://"))


def _is_logging(setting: Mapping[str, Any]) -> bool:
    return any(log.get("enabled") is True and _is_audit(log) for log in setting.get("logs") or ())


def _is_audit(log: Mapping[str, Any]) -> bool:
    return log.get("category") == "AuditEvent" or log.get("categoryGroup") in ("audit", "allLogs")
