"""Inventory: the audit devices of one Vault. It needs `read` and `sudo` on sys/audit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scanner.inventory.interface import Settings
from scanner.inventory.vault import login
from scanner.inventory.vault.client import connected
from scanner.inventory.vault.errors import Trouble, gap, readable
from scanner.inventory.vault.http import Wire
from scanner.inventory.vault.mount import canonical
from scanner.inventory.vault.options import home
from scanner.model import Gap


def audit_devices(settings: Settings) -> Mapping[str, Any] | Gap:
    """What sys/audit answers: the devices by path. A Gap says why it was not answered."""
    options = settings.options
    address, tls = options["address"], options.get("tls", {})
    try:
        with readable():
            wire = Wire(
                address,
                settings.timeout,
                login.trusted(tls) if address.startswith("https:") else None,
                server_name=tls.get("server_name"),
                connections=1,
            )
            token = login.token(connected(wire, namespace=home(options)), settings)
            answer = connected(wire, token).adapter.get("/v1/sys/audit")
            found: Mapping[str, Any] = answer["data"]
            return found
    except Trouble as error:
        return gap(f"{canonical(settings.name)}/-/sys/audit", error)
