"""Inventory: the certificates that a PKI engine has issued, if their end is near or just over.

Vault keeps each certificate until it is tidied. A renewed one has the same name and a later end, so
only the last one of each name counts. What lives for less than a week is renewed by programs.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from scanner.inventory.errors import ReadError
from scanner.inventory.vault.mounts import Mount, dated
from scanner.inventory.vault.parallel_requests import Step, StepResult
from scanner.model import Gap, GapKind
from scanner.records import Record, Strength

PERMISSIONS = (("certs/*", "list"), ("cert/+", "read"))
_MOST = 1_000
_NEAR, _OVER = timedelta(days=30), timedelta(days=30)
_SHORT = timedelta(days=7)
_ADVICE = "grant list on certs and read on cert/+ of the mount, as --permissions prints"


class _Issued(NamedTuple):
    name: str
    serial: str
    start: datetime
    end: datetime


def is_self_signed(pem: str) -> bool:
    """Is it the certificate of a root? ValueError if it is no certificate."""
    from cryptography import x509

    found = x509.load_pem_x509_certificate(pem.encode())
    return found.issuer == found.subject


def step(mount: Mount) -> Step:
    """The step that reads the issued certificates of a mount."""
    return Step(id=mount.id("cert"), run=partial(_read, mount), advice=_ADVICE)


def _read(mount: Mount) -> Iterator[StepResult]:
    serials = mount.names("certs/")
    last: dict[str, _Issued] = {}
    for serial in serials[:_MOST]:
        found = _issued(mount, serial)
        if found and (found.name not in last or last[found.name].end < found.end):
            last[found.name] = found
    now = mount.namespace.now
    items: list[StepResult] = [_record(mount, each) for each in last.values() if _is_due(each, now)]
    if len(serials) > _MOST:
        reason = f"it has {len(serials):,} certificates, and {_MOST:,} were read: tidy the mount"
        items.append(Gap(kind=GapKind.TOO_LARGE, path=mount.id("cert"), reason=reason))
    return iter(items)


def _issued(mount: Mount, serial: str) -> _Issued | None:
    """None for a CA, which is read as an issuer, and for what was revoked or deleted."""
    from cryptography import x509

    try:
        data = mount.read(f"cert/{serial}")
    except ReadError as error:
        if error.kind == "absent":
            return None
        raise
    certificate = x509.load_pem_x509_certificate(data["certificate"].encode())
    try:
        is_ca = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        is_ca = False
    if is_ca or int(data.get("revocation_time") or 0):
        return None
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return _Issued(certificate.subject.rfc4514_string(), serial, start, end)


def _is_due(issued: _Issued, now: datetime) -> bool:
    """Is its end near, as the policy warns (rotation_age.py), or just over?"""
    life = issued.end - issued.start
    return life >= _SHORT and now - _OVER <= issued.end <= now + min(_NEAR, life / 5)


def _record(mount: Mount, issued: _Issued) -> Record:
    return Record(
        id=mount.id(f"cert/{issued.serial}"),
        kind="pki-certificate",
        dated=dated(issued.start, "not_before", Strength.WEAK),
        tags={"subject": issued.name},
        expires=issued.end,
    )
