"""Rotate a PKI issuer: make a new issuer beside the old one and make it the default."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from scanner.inventory.vault import certificates
from scanner.rotate.config import Entry, NewIssuer
from scanner.rotate.executors.interface import Parts, Target, Traits, stored_at
from scanner.rotate.machine import Step, Work
from scanner.rotate.model import ConflictError, Outcome, RefusedError

TRAITS = Traits(
    what="Vault PKI issuer",
    overlap="yes: the old issuer stays until its certificate ends, or until stop_old",
    rollback="yes, by hand: make the old issuer the default again",
    idempotent="settled by the new issuer's name, which is that of the rotation",
    rights=(
        "for a root: update on {mount}/issuers/generate/root/internal",
        "for an intermediate: list on {mount}/keys, update on {mount}/keys/generate/internal",
        "and update on {mount}/issuers/generate/intermediate/existing",
        "and update on {mount}/intermediate/set-signed and {parent}/root/sign-intermediate",
        "and patch on {mount}/issuer/*",
        "read on {mount}/issuer/*, list on {mount}/issuers",
        "read and update on {mount}/config/issuers",
        "with stop_old: update on {mount}/issuer/{name}",
    ),
)


def manual(entry: Entry) -> str:
    return "" if entry.new_issuer else "no `new_issuer` says which certificate to make"


def parts(target: Target) -> Parts:
    ca = _Authority(target)
    before = [
        Step("look", ca.look, once=True),
        Step("create", ca.create, seen=ca.created, once=True),
        Step("make-default", ca.make_default, seen=ca.is_default, once=True),
        Step("verify", ca.verify),
    ]
    if not (target.entry.new_issuer and target.entry.new_issuer.stop_old):
        return Parts(before)
    return Parts(before, [Step("stop-old", ca.stop_old, seen=ca.stopped)], overlaps=True)


class _Authority:
    def __init__(self, target: Target) -> None:
        self._target = target
        self._place = target.place
        self._mount = target.place.mount
        self._old = target.place.below.rpartition("/")[2]

    def look(self, _work: Work) -> Outcome:
        old = self._read(f"issuer/{self._old}")
        if old is None:
            raise RefusedError(f"there is no {self._place.text}")
        self._refuse_other_kind(str(old.get("certificate", "")))
        default = (self._read("config/issuers") or {}).get("default")
        if default != self._old:
            raise RefusedError(
                "it is not the default issuer of its mount",
                "rotate the default issuer, or delete this one when its certificates have ended",
            )
        return Outcome({"default": default})

    def _refuse_other_kind(self, certificate: str) -> None:
        """A root in the place of an intermediate would be trusted by nobody."""
        is_root = certificates.is_self_signed(certificate)
        if is_root and self._wanted.signed_by:
            raise RefusedError(
                "it is a root, and `signed_by` asks for an intermediate", "remove signed_by"
            )
        if not is_root and not self._wanted.signed_by:
            raise RefusedError(
                "it is an intermediate, and a new root in its place would be trusted by nobody",
                "name the mount whose issuer signs it: new_issuer: {signed_by: MOUNT}",
            )

    @property
    def _wanted(self) -> NewIssuer:
        wanted = self._target.entry.new_issuer
        assert wanted  # noqa: S101 - `manual` has refused an entry without it
        return wanted

    def create(self, work: Work) -> Outcome:
        if self._wanted.signed_by:
            return self._create_intermediate(work.rotation.id)
        wanted = self._wanted
        body = {"common_name": wanted.common_name, "ttl": wanted.ttl, "key_type": wanted.key_type}
        body["issuer_name"] = work.rotation.id
        answer = self._write("issuers/generate/root/internal", body)
        return Outcome({"issuer": str(answer["data"]["issuer_id"])})

    def _create_intermediate(self, name: str) -> Outcome:
        """The key and then the issuer get the rotation's name, so that a crash between the
        requests leaves nothing that the next attempt does not find."""
        wanted, vault = self._wanted, self._target.stores.vault(self._place)
        key = next((key for key, one in self._listed("keys") if one["key_name"] == name), "")
        if not key:
            made = self._write(
                "keys/generate/internal", {"key_name": name, "key_type": wanted.key_type}
            )
            key = made["data"]["key_id"]
        issuer = next((each for each, one in self._listed("issuers") if one["key_id"] == key), "")
        if not issuer:
            body = {"common_name": wanted.common_name, "key_ref": key}
            request = self._write("issuers/generate/intermediate/existing", body)["data"]["csr"]
            body = {"common_name": wanted.common_name, "ttl": wanted.ttl, "csr": request}
            parent = f"{wanted.signed_by}/root/sign-intermediate"
            signed = vault.write(parent, {**body, "format": "pem_bundle"})["data"]
            bundle = {"certificate": signed["certificate"]}  # with the chain of its parents
            taken = self._write("intermediate/set-signed", bundle)["data"]["mapping"]
            issuer = next(each for each, its_key in taken.items() if its_key == key)
        self._write(f"issuer/{issuer}", {"issuer_name": name}, "PATCH")
        return Outcome({"issuer": str(issuer)})

    def created(self, work: Work) -> Outcome | None:
        """By the list: Vault answers 500 for an issuer that does not exist."""
        for issuer, about in self._listed("issuers"):
            if about["issuer_name"] == work.rotation.id:
                return Outcome({"issuer": str(issuer)})
        return None

    def _listed(self, kind: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
        vault = self._target.stores.vault(self._place)
        listed = vault.read(f"{self._mount}/{kind}", "?list=true")
        known: Mapping[str, Mapping[str, Any]] = (listed or {}).get("key_info", {})
        return known.items()

    def make_default(self, work: Work) -> Outcome:
        default = (self._read("config/issuers") or {}).get("default")
        if default != work.facts["default"]:
            raise ConflictError(
                "someone else changed the default issuer",
                f"delete the issuer {work.rotation.id} if it is not needed",
            )
        self._write("config/issuers", {"default": work.facts["issuer"]})
        return Outcome(stored_at(work))

    def is_default(self, work: Work) -> Outcome | None:
        default = (self._read("config/issuers") or {}).get("default")
        return Outcome(stored_at(work)) if default == work.facts["issuer"] else None

    def verify(self, work: Work) -> Outcome:
        found = self._read("issuer/default") or {}
        if found.get("issuer_id") != work.facts["issuer"]:
            raise ConflictError("someone else changed the default issuer")
        return Outcome(proofs=(f"the default issuer is {work.facts['issuer']}",))

    def stop_old(self, _work: Work) -> Outcome:
        usage = "read-only,crl-signing,ocsp-signing"
        self._write(f"issuer/{self._old}", {"usage": usage}, "PATCH")
        return Outcome(proofs=(f"the old issuer {self._old} issues no certificates any more",))

    def stopped(self, _work: Work) -> Outcome | None:
        found = self._read(f"issuer/{self._old}") or {}
        if "issuing-certificates" in str(found.get("usage")):
            return None
        return Outcome(proofs=(f"the old issuer {self._old} issues no certificates any more",))

    def _read(self, below: str) -> Mapping[str, Any] | None:
        return self._target.stores.vault(self._place).read(f"{self._mount}/{below}")

    def _write(
        self, below: str, body: Mapping[str, Any], method: str = "POST"
    ) -> Mapping[str, Any]:
        return self._target.stores.vault(self._place).write(f"{self._mount}/{below}", body, method)
