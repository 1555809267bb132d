"""Store credentials in KV version 2, with check-and-set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scanner.rotate.config import Entry
from scanner.rotate.executors import issued
from scanner.rotate.executors.interface import Parts, Target, Traits, tag
from scanner.rotate.machine import Work
from scanner.rotate.model import ConflictError, RefusedError
from scanner.rotate.stores import SecretId, VaultStore

TRAITS = Traits(
    what="Vault KV version 2, with a declared issuer",
    overlap="yes: as long as the issuer accepts both values",
    rollback="until the value is stored: the new one is revoked",
    idempotent="settled by check-and-set and a 16-bit tag of the value",
    rights=(
        "read on {mount}/metadata/{below}",
        "read, create, update and patch on {mount}/data/{below}",
        "with destroy_old: update on {mount}/destroy/{below}",
    ),
)


def manual(entry: Entry) -> str:
    if entry.issuer is None:
        return "no `issuer` says who makes the new value"
    return "" if entry.fields else "no `field` says which field of the secret to change"


def parts(target: Target) -> Parts:
    sink = KvSink(target, target.place, retires=target.entry.destroy_old)
    return issued.parts(target, issued.of_issuer(target), sink)


class KvSink:
    """A Sink."""

    def __init__(self, target: Target, place: SecretId, *, retires: bool = False) -> None:
        self._target = target
        self._place = place
        self.retires = retires

    def look(self, _work: Work) -> Mapping[str, Any]:
        data = self._metadata()
        number = int(data.get("current_version", 0))
        version = data.get("versions", {}).get(str(number), {})
        alive = bool(number) and not version["destroyed"] and not version["deletion_time"]
        return {"version": number, "had_value": alive}

    def put(self, work: Work, values: issued.Values) -> None:
        number = work.facts["version"]
        body = {"options": {"cas": number}, "data": dict(values)}
        method = "PATCH" if work.facts["had_value"] else "POST"
        try:
            self._vault.write(self._path("data"), body, method)
        except RefusedError:
            if self._current() != number:
                self.was_put(work)  # a ConflictError, unless an earlier request of ours did it
            raise

    def was_put(self, work: Work) -> bool:
        current = self._current()
        if current == work.facts["version"]:
            return False
        held = self._values(current) or {}
        names = self._target.entry.fields.values()
        ours = {name: held[name] for name in names if name in held}
        if tag(ours, work.facts["salt"]) != work.facts["tag"]:
            raise ConflictError(
                f"someone else wrote version {current} of {self._place.text}",
                "the value in use is theirs; begin a new rotation if it is still due",
            )
        return True

    def old(self, work: Work) -> issued.Values | None:
        return self._values(work.facts["version"]) if work.facts["had_value"] else None

    def retire(self, work: Work) -> str:
        number = work.facts["version"]
        if number:
            self._vault.write(self._path("destroy"), {"versions": [number]})
        return f"version {number} is destroyed"

    @property
    def _vault(self) -> VaultStore:
        return self._target.stores.vault(self._place)

    def _path(self, part: str) -> str:
        return f"{self._place.mount}/{part}/{self._place.below}"

    def _metadata(self) -> Mapping[str, Any]:
        return self._vault.read(self._path("metadata")) or {}

    def _current(self) -> int:
        return int(self._metadata().get("current_version", 0))

    def _values(self, version: int) -> issued.Values | None:
        found = self._vault.read(self._path("data"), f"?version={version}")
        data = (found or {}).get("data")
        return {str(key): str(value) for key, value in data.items()} if data else None
