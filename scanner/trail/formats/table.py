"""All formats. A new one is a module and a line here."""

from __future__ import annotations

from scanner.trail.formats import azure, cloudtrail, kubernetes, vault
from scanner.trail.formats.interface import Format

FORMATS: tuple[Format, ...] = (
    vault.FORMAT,
    cloudtrail.FORMAT,
    azure.FORMAT,
    kubernetes.FORMAT,
)
