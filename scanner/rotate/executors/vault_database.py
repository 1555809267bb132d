"""Rotate database credentials that Vault manages: static roles and the root of a connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scanner.rotate.config import Entry
from scanner.rotate.executors.interface import Parts, Target, Traits, stored_at
from scanner.rotate.machine import Step, Work
from scanner.rotate.model import Outcome, RefusedError, UnknownError
from scanner.rotate.stores import VaultStore

STATIC_ROLE = Traits(
    what="Vault database static role",
    overlap="no: the database has one password for the user",
    rollback="no, it rolls forward",
    idempotent="settled by `last_vault_rotation`",
    rights=(
        "read on {mount}/static-roles/{name}",
        "update on {mount}/rotate-role/{name}",
        (
            "with prove_old: read on {mount}/static-creds/{name}; create, update and delete on"
            " {mount}/config/keywatch-check-*; read on {mount}/config/*"
        ),
    ),
)
ROOT = Traits(
    what="Vault database root",
    overlap="no",
    rollback="no, it rolls forward; nobody knows the new password but Vault",
    idempotent="repeatable: the engine keeps no date, so a repeated rotation is noted",
    rights=("read on {mount}/config/{name}", "update on {mount}/rotate-root/{name}"),
)


class StaticRole:
    """An Executor."""

    TRAITS = STATIC_ROLE

    def manual(self, _entry: Entry) -> str:
        return ""

    def parts(self, target: Target) -> Parts:
        role = _Role(target)
        steps = [
            Step("look", role.look, once=True),
            Step("rotate", role.rotate, seen=role.rotated, once=True),
        ]
        if target.entry.prove_old:
            steps += [Step("verify", role.verify), Step("prove-old", role.prove_old)]
        else:
            steps.append(Step("verify", role.dated))
        return Parts(before=steps)


class _Role:
    def __init__(self, target: Target) -> None:
        self._target = target
        self._place = target.place
        self._name = target.place.below.removeprefix("static-roles/")

    @property
    def _vault(self) -> VaultStore:
        return self._target.stores.vault(self._place)

    def look(self, work: Work) -> Outcome:
        data = self._read()
        if self._target.entry.prove_old:
            work.old = dict(self._credential())
        return Outcome({"before": str(data.get("last_vault_rotation")), "db": data["db_name"]})

    def rotate(self, work: Work) -> Outcome:
        if self._target.entry.prove_old and not work.old:
            work.old = dict(self._credential())  # the look was before a crash
        self._vault.write(f"{self._place.mount}/rotate-role/{self._name}", {})
        done = self.rotated(work)
        if done is None:
            raise UnknownError("the role was rotated, and last_vault_rotation has not moved")
        return done

    def rotated(self, work: Work) -> Outcome | None:
        last = str(self._read().get("last_vault_rotation"))
        if last == work.facts["before"]:
            return None
        return Outcome({"last_vault_rotation": last, **stored_at(work)})

    def dated(self, work: Work) -> Outcome:
        """Without a login attempt: Vault has noted the rotation after the database accepted it."""
        proof = f"last_vault_rotation moved from {work.facts['before']} to"
        return Outcome(proofs=(f"{proof} {work.facts['last_vault_rotation']}",))

    def verify(self, work: Work) -> Outcome:
        if not self._logs_in(work, self._credential()):
            raise RefusedError(
                "the database refuses the new password", "run keywatch rotate apply --now again"
            )
        return Outcome(proofs=("the new password logs in to the database",))

    def prove_old(self, work: Work) -> Outcome:
        if not work.old:
            note = "not proven that the old password is dead: it was lost with a process"
            return Outcome(notes=(note,))
        if self._logs_in(work, work.old):
            raise RefusedError(
                "the old password still logs in to the database",
                "find out whether the database checks passwords at all (pg_hba.conf: trust)",
            )
        return Outcome(proofs=("the old password does not log in to the database any more",))

    def _read(self) -> Mapping[str, Any]:
        data = self._vault.read(f"{self._place.mount}/static-roles/{self._name}")
        if data is None:
            raise RefusedError(f"there is no {self._place.text}")
        return data

    def _credential(self) -> Mapping[str, str]:
        data = self._vault.read(f"{self._place.mount}/static-creds/{self._name}") or {}
        return {"username": str(data["username"]), "password": str(data["password"])}

    def _logs_in(self, work: Work, credential: Mapping[str, str]) -> bool:
        """The engine itself tries to log in, with a connection that exists only for that."""
        mount, check = self._place.mount, f"keywatch-check-{work.rotation.id}"
        config = self._vault.read(f"{mount}/config/{work.facts['db']}") or {}
        details = config["connection_details"]
        body = {
            "plugin_name": config["plugin_name"],
            "connection_url": details["connection_url"],
            "verify_connection": True,
            "allowed_roles": [],
            **credential,
        }
        self._vault.write(f"{mount}/config/{check}", {}, "DELETE")
        try:
            return self._vault.accepts(f"{mount}/config/{check}", body) is not None
        finally:
            self._vault.write(f"{mount}/config/{check}", {}, "DELETE")


class Root:
    """An Executor."""

    TRAITS = ROOT

    def manual(self, _entry: Entry) -> str:
        return ""

    def parts(self, target: Target) -> Parts:
        place = target.place
        name = place.below.removeprefix("config/")

        def look(_work: Work) -> Outcome:
            if target.stores.vault(place).read(f"{place.mount}/config/{name}") is None:
                raise RefusedError(f"there is no {place.text}")
            return Outcome()

        def rotate(work: Work) -> Outcome:
            target.stores.vault(place).write(f"{place.mount}/rotate-root/{name}", {})
            return Outcome(stored_at(work), ("Vault logged in with the new password and kept it",))

        note = "perhaps rotated twice: a process ended here, and the engine keeps no date of it"
        return Parts(
            before=[
                Step("look", look, once=True),
                Step("rotate", rotate, once=True, say_repeated=note),
            ]
        )
