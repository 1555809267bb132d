"""Rotate the secret IDs of an AppRole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from scanner.rotate.config import Entry
from scanner.rotate.executors import issued, sinks
from scanner.rotate.executors.interface import MARK, Parts, Target, Traits
from scanner.rotate.machine import Work
from scanner.rotate.model import OperatorError, RefusedError
from scanner.rotate.stores import VaultStore

TRAITS = Traits(
    what="Vault AppRole secret ids",
    overlap="yes: a role may have several",
    rollback="until the value is stored: the new one is destroyed",
    idempotent="settled by the metadata of the secret ID, which names the rotation",
    rights=(
        "list and update on {mount}/{below}",
        "update on {mount}/{below}-accessor/lookup and {mount}/{below}-accessor/destroy",
        "read on the role and its role-id, update on {mount}/login",
        "the rights for the place in `store`",
    ),
)


def manual(entry: Entry) -> str:
    return sinks.manual(entry)


def parts(target: Target) -> Parts:
    return issued.parts(target, _SecretIds(target), sinks.of(target))


class _SecretIds:
    """A Source. Every secret ID that existed before the rotation is revoked at its end."""

    revokes = True

    def __init__(self, target: Target) -> None:
        self._target = target
        self._mount = target.place.mount
        self._role = target.place.below.removesuffix("/secret-id")
        self._below = f"{self._mount}/{self._role}/secret-id"

    def look(self, _work: Work) -> Mapping[str, Any]:
        role = self._vault.read(f"{self._mount}/{self._role}")
        if role is None:
            raise RefusedError(f"there is no role {self._role}")
        return {"accessors": self._accessors(), "uses": int(role.get("secret_id_num_uses") or 0)}

    def create(self, work: Work) -> tuple[issued.Values, Mapping[str, Any]]:
        answer = self._vault.write(self._below, {"metadata": json.dumps({MARK: work.mark})})
        data = answer["data"]
        return {"value": data["secret_id"]}, {"accessor": data["secret_id_accessor"]}

    def discard(self, work: Work) -> str:
        found = [each for each in self._accessors() if self._is_of(each, work.mark)]
        for accessor in found:
            self._destroy(accessor)
        return f"{len(found)} secret ID created for it was destroyed"

    def verify(self, work: Work, values: issued.Values) -> str:
        if work.facts["uses"]:
            return ""  # a login would use it up
        role_id = (self._vault.read(f"{self._mount}/{self._role}/role-id") or {})["role_id"]
        said = {"role_id": role_id, "secret_id": values["value"]}
        answer = self._vault.accepts(f"{self._mount}/login", said)
        if answer is None:
            raise RefusedError("Vault does not accept the new secret ID")
        self._vault.end_token(answer["auth"]["client_token"])
        return "the new secret ID logs in"

    def revoke(self, work: Work, _old: issued.Values | None) -> None:
        here = set(self._accessors())
        if work.facts["accessor"] not in here:
            raise OperatorError(
                "the new secret ID is not there any more; the old ones are not revoked",
                "find out who destroyed it; then keywatch rotate resume --abandon ID",
            )
        for accessor in work.facts["accessors"]:
            if accessor in here:
                self._destroy(accessor)

    def revoked(self, work: Work, old: issued.Values | None) -> str:
        left = set(self._accessors()) & set(work.facts["accessors"])
        if left:
            raise RefusedError(f"{len(left)} older secret IDs still exist")
        if self._target.entry.prove_old and old and self._logs_in(old):
            raise RefusedError("the old secret ID still logs in")
        return "no secret ID from before the rotation exists"

    def _logs_in(self, old: issued.Values) -> bool:
        field = self._target.entry.fields.get("value", "value")
        role_id = (self._vault.read(f"{self._mount}/{self._role}/role-id") or {})["role_id"]
        said = {"role_id": role_id, "secret_id": old.get(field, "")}
        return self._vault.accepts(f"{self._mount}/login", said) is not None

    def _accessors(self) -> list[str]:
        return self._vault.names(self._below)

    def _is_of(self, accessor: str, mark: str) -> bool:
        said = {"secret_id_accessor": accessor}
        data = self._vault.read(f"{self._below}-accessor/lookup", **said) or {}
        return (data.get("metadata") or {}).get(MARK) == mark

    def _destroy(self, accessor: str) -> None:
        said = {"secret_id_accessor": accessor}
        self._vault.write(f"{self._below}-accessor/destroy", said)

    @property
    def _vault(self) -> VaultStore:
        return self._target.stores.vault(self._target.place)
