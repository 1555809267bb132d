"""Rotate Azure Key Vault keys, and secrets with a declared issuer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from scanner.rotate.config import Entry
from scanner.rotate.executors import issued
from scanner.rotate.executors.interface import MARK, Parts, Target, Traits, stored_at
from scanner.rotate.machine import Step, Work
from scanner.rotate.model import ConflictError, Outcome, RefusedError
from scanner.rotate.stores import SecretId

SECRET = Traits(
    what="Azure Key Vault secret, with a declared issuer",
    overlap="yes: the old version stays enabled until its end",
    rollback="until the value is stored: the new one is revoked",
    idempotent="settled by a tag of the version, which names the rotation",
    rights=("Key Vault Secrets Officer on the secret",),
)
KEY = Traits(
    what="Azure Key Vault key",
    overlap="yes: older versions stay enabled, because they decrypt",
    rollback="not needed: older versions stay",
    idempotent="settled by the list of versions",
    rights=("Key Vault Crypto Officer on the key",),
)
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)


class Key:
    """An Executor."""

    TRAITS = KEY

    def manual(self, _entry: Entry) -> str:
        return ""

    def parts(self, target: Target) -> Parts:
        place, name = target.place, target.place.parts[2]

        def versions() -> list[str]:
            listed = target.stores.azure(place).call(
                place, lambda vault: [*vault.keys.list_properties_of_key_versions(name)]
            )
            return [str(each.version) for each in listed]

        def look(_work: Work) -> Outcome:
            found = versions()
            if not found:
                raise RefusedError(f"there is no {place.text}")
            return Outcome({"versions": found})

        def rotate(work: Work) -> Outcome:
            target.stores.azure(place).call(place, lambda vault: vault.keys.rotate_key(name))
            return rotated(work) or Outcome()

        def rotated(work: Work) -> Outcome | None:
            new = [each for each in versions() if each not in work.facts["versions"]]
            notes = ("someone else rotated the key, too",) if len(new) > 1 else ()
            return Outcome({"new": new[-1], **stored_at(work)}, notes=notes) if new else None

        def verify(work: Work) -> Outcome:
            found = target.stores.azure(place).call(place, lambda vault: vault.keys.get_key(name))
            version = str(found.properties.version)
            if version in work.facts["versions"]:
                raise RefusedError("Key Vault does not use the new version")
            return Outcome(proofs=(f"Key Vault uses version {version}",))

        return Parts(
            [
                Step("look", look, once=True),
                Step("rotate", rotate, seen=rotated, once=True),
                Step("verify", verify),
            ]
        )


class Secret:
    """An Executor."""

    TRAITS = SECRET

    def manual(self, entry: Entry) -> str:
        return "" if entry.issuer else "no `issuer` says who makes the new value"

    def parts(self, target: Target) -> Parts:
        sink = SecretVersionSink(target, target.place)
        return issued.parts(target, issued.of_issuer(target), sink)


class SecretVersionSink:
    """A Sink. A secret of Key Vault is one text, so there is one field."""

    retires = True

    def __init__(self, target: Target, place: SecretId) -> None:
        self._target = target
        self._place = place
        self._name = place.parts[2]

    def look(self, _work: Work) -> Mapping[str, Any]:
        enabled = [each for each in self._versions() if each.enabled is not False]
        newest = enabled[0] if enabled else None
        return {
            "versions": [str(each.version) for each in enabled],
            "version": str(newest.version) if newest else "",
            "had_value": newest is not None,
            "tags": dict(newest.tags or {}) if newest else {},
            "type": (newest.content_type or "") if newest else "",
        }

    def put(self, work: Work, values: issued.Values) -> None:
        if self._newest() != work.facts["version"]:
            self.was_put(work)
        (value,) = values.values()
        tags = {**work.facts["tags"], MARK: work.mark}
        more = {"content_type": work.facts["type"]} if work.facts["type"] else {}
        self._call(lambda vault: vault.secrets.set_secret(self._name, value, tags=tags, **more))

    def was_put(self, work: Work) -> bool:
        versions = self._versions()
        ours = [each for each in versions if (each.tags or {}).get(MARK) == work.mark]
        if ours and ours[0] is versions[0]:
            return True
        if versions and str(versions[0].version) not in (work.facts["version"], ""):
            if str(versions[0].version) in work.facts["versions"]:
                return False
            raise ConflictError(
                f"someone else wrote a version of {self._place.text}",
                "the value in use is theirs; begin a new rotation if it is still due",
            )
        return False

    def old(self, work: Work) -> issued.Values | None:
        version = work.facts["version"]
        if not version:
            return None
        found = self._call(lambda vault: vault.secrets.get_secret(self._name, version))
        return {self._target.entry.fields.get("value", "value"): str(found.value)}

    def retire(self, work: Work) -> str:
        for version in work.facts["versions"]:
            self._call(
                lambda vault, one=version: vault.secrets.update_secret_properties(
                    self._name, one, enabled=False
                )
            )
        return f"{len(work.facts['versions'])} older version is disabled"

    def _newest(self) -> str:
        versions = self._versions()
        return str(versions[0].version) if versions else ""

    def _versions(self) -> list[Any]:
        """The newest first. Two of the same second: the one that names a rotation is newer."""
        listed: list[Any] = self._call(
            lambda vault: [*vault.secrets.list_properties_of_secret_versions(self._name)]
        )
        return sorted(
            listed,
            key=lambda each: (each.created_on or _FIRST, MARK in (each.tags or {})),
            reverse=True,
        )

    def _call(self, action: Any) -> Any:
        return self._target.stores.azure(self._place).call(self._place, action)
