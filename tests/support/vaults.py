"""How the tests of Vault's backend ask it, and what they look at in its answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import jsonschema

from scanner.inventory import vault
from scanner.inventory.interface import Backend, Settings
from scanner.model import Gap, Note
from scanner.records import Dated, Record
from tests.support.openbao import ROOT_TOKEN, Bao

Item = Record | Gap | Note
FORM = {"type": "object", "additionalProperties": False, "properties": vault.OPTIONS}


def settings(
    address: str,
    *,
    token: str = "",
    timeout: float = 30.0,
    environ: Mapping[str, str] | None = None,
    **options: Any,
) -> Settings:
    """An entry of the operator's file called prod, in the form that its schema demands."""
    said = {"address": address, "auth": {"method": "token", "env": "TOKEN"}, **options}
    jsonschema.validate(said, FORM)
    return Settings(
        name="prod",
        kind="vault",
        options=said,
        timeout=timeout,
        environ=environ or {"TOKEN": token},
    )


def backend(asked: Settings, now: datetime | None = None) -> Backend:
    return vault.connect(asked, now or datetime.now(UTC))


def auditor(bao: Bao, *mounts: str, now: datetime | None = None, **options: Any) -> Backend:
    """With a token that has the rights that `--permissions` prints for this, and no other."""
    more = {"mounts": list(mounts), **options} if mounts else options
    token = bao.token(vault.permissions(settings(bao.address, token=ROOT_TOKEN, **more)))
    asked = settings(bao.address, token=token, **more)
    return backend(asked._replace(clock=datetime.now(UTC)), now)


def audited(bao: Bao, *mounts: str, now: datetime | None = None, **options: Any) -> list[Item]:
    return list(auditor(bao, *mounts, now=now, **options).read())


def records(items: Iterable[Item]) -> dict[str, Record]:
    """By the part of their id below the namespace."""
    return {one.id.split("/", 4)[4]: one for one in items if isinstance(one, Record)}


def the_record(items: Iterable[Item]) -> Record:
    """Of what gave one record and nothing else."""
    (one,) = items
    assert isinstance(one, Record), one
    return one


def gaps(items: Iterable[Item]) -> list[tuple[str, str]]:
    """(kind, path) of each."""
    return [(one.kind, one.path) for one in items if isinstance(one, Gap)]


def notes(items: Iterable[Item]) -> list[tuple[str, str]]:
    return [(one.kind, one.path) for one in items if isinstance(one, Note)]


def date_of(record: Record) -> datetime:
    assert isinstance(record.dated, Dated)
    assert record.dated.earliest == record.dated.latest
    assert record.dated.latest is not None
    return record.dated.latest


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
