"""The audit devices of Vault and OpenBao, as sys/audit lists them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scanner.inventory.interface import Settings
from scanner.model import Gap
from scanner.trail.event import quoted
from scanner.trail.logging_checks.interface import Fault
from scanner.trail.logging_checks.rules import VAULT_DEVICES, VAULT_RAW

_TWO = 2


def recognizes(data: Any) -> bool:
    devices = _devices(data)
    return all("type" in each and "options" in each for each in devices.values()) and (
        bool(devices) or data == {} or "request_id" in data
    )


def _devices(data: Any) -> Mapping[str, Any]:
    """The devices by path, of the answer or of its `data`."""
    inner = data.get("data")
    found: Mapping[str, Any] = inner if isinstance(inner, dict) else data
    return {path: each for path, each in found.items() if isinstance(each, dict)}


def faults(data: Any, name: str) -> Iterator[Fault]:
    devices = _devices(data)
    subject = f"vault://{name}/-/sys/audit"
    if len(devices) < _TWO:
        said = ", ".join(sorted(devices)) or "none"
        yield Fault(VAULT_DEVICES, subject, f"audit devices: {said}")
    for path, each in sorted(devices.items()):
        if str((each["options"] or {}).get("log_raw", "false")).lower() in ("true", "1"):
            yield Fault(VAULT_RAW, f"{subject}/{quoted(path)}", f"the device {path} has log_raw")


def live(settings: Settings, *, has_file: bool) -> Iterator[Fault | Gap]:  # noqa: ARG001
    from scanner.inventory.vault.review.audit_devices import audit_devices

    answer = audit_devices(settings)
    if isinstance(answer, Gap):
        yield answer
    else:
        yield from faults(answer, settings.name)
