"""Inventory: the audit devices of one Vault. It needs `read` and `sudo` on sys/audit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scanner.inventory.errors import ReadError, gap
from scanner.inventory.interface import Settings
from scanner.inventory.vault import login
from scanner.inventory.vault.backend import connect
from scanner.inventory.vault.hvac_client import hvac_client
from scanner.inventory.vault.mounts import canonical
from scanner.inventory.vault.options import home
from scanner.inventory.vault.parsing import parsing
from scanner.model import Gap


def audit_devices(settings: Settings) -> Mapping[str, Any] | Gap:
    """Return the devices by path, as sys/audit lists them, or a Gap with the reason."""
    try:
        with parsing():
            api = connect(settings, connections=1)
            space = home(settings.options)
            token = login.token(hvac_client(api, namespace=space), settings)
            try:
                answer = hvac_client(api, token).adapter.get("/v1/sys/audit")
            finally:
                login.log_out(hvac_client(api, token, space), settings)
            found: Mapping[str, Any] = answer["data"]
            return found
    except ReadError as error:
        return gap(f"{canonical(settings.name)}/-/sys/audit", error)
