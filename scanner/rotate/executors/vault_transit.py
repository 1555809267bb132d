"""Rotate transit keys: a new version. Raising the oldest usable version is opt-in."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from typing import Any

from scanner.rotate import commands
from scanner.rotate.config import Entry
from scanner.rotate.executors.interface import Parts, Target, Traits, stored_at
from scanner.rotate.machine import Step, Work
from scanner.rotate.model import OperatorError, Outcome, RefusedError

TRAITS = Traits(
    what="Vault transit key",
    overlap="yes: older versions decrypt until min_decryption_version is raised",
    rollback="not needed: older versions stay",
    idempotent="settled by `latest_version`",
    rights=(
        "read on {mount}/keys/{name}",
        "update on {mount}/keys/{name}/rotate",
        "update on {mount}/encrypt/{name} and {mount}/decrypt/{name}, to try the new version",
        "with raise_min_decryption_version: update on {mount}/keys/{name}/config",
    ),
)


def manual(_entry: Entry) -> str:
    return ""


def parts(target: Target) -> Parts:
    key = _Key(target)
    before = [
        Step("look", key.look, once=True),
        Step("rotate", key.rotate, seen=key.rotated, once=True),
    ]
    if target.entry.verify:
        before.append(Step("verify", key.verify))
    if not target.entry.rewrap:
        return Parts(before)
    after = [
        Step("prove-rewrap", key.prove_rewrap),
        Step("raise-min", key.raise_min, seen=key.raised),
    ]
    return Parts(before, after, overlaps=True)


class _Key:
    def __init__(self, target: Target) -> None:
        self._target = target
        self._place = target.place
        self._name = target.place.below.removeprefix("keys/")

    def look(self, _work: Work) -> Outcome:
        return Outcome({"before": int(self._read()["latest_version"])})

    def rotate(self, work: Work) -> Outcome:
        self._write(f"keys/{self._name}/rotate", {})
        return self.rotated(work) or Outcome()

    def rotated(self, work: Work) -> Outcome | None:
        latest = int(self._read()["latest_version"])
        if latest <= work.facts["before"]:
            return None
        several = latest - work.facts["before"] > 1
        note = f"the key is at version {latest}: someone else rotated it, too"
        facts = {"latest": latest, **stored_at(work)}
        return Outcome(facts, notes=(note,) if several else ())

    def verify(self, work: Work) -> Outcome:
        if not self._read().get("supports_encryption"):
            return Outcome(proofs=(f"the latest version is {work.facts['latest']}",))
        text = base64.b64encode(os.urandom(16)).decode()
        sealed = self._write(f"encrypt/{self._name}", {"plaintext": text})["data"]["ciphertext"]
        opened = self._write(f"decrypt/{self._name}", {"ciphertext": sealed})["data"]["plaintext"]
        version = int(sealed.split(":")[1].removeprefix("v"))
        if opened != text or version < work.facts["latest"]:
            raise RefusedError("the new version does not encrypt and decrypt")
        return Outcome(proofs=(f"version {version} encrypts and decrypts",))

    def prove_rewrap(self, work: Work) -> Outcome:
        """The operator's command prints the lowest version with which data is still encrypted."""
        rewrap = self._target.entry.rewrap
        assert rewrap  # noqa: S101 - the step exists only with it
        said = {"action": "lowest-version-in-use", "secret": self._place.text}
        printed = commands.run(rewrap.proof, said, self._target.environ).strip()
        lowest, latest = int(printed) if printed.isdecimal() else 0, work.facts["latest"]
        if lowest < latest:
            raise OperatorError(
                f"data may still be encrypted with version {lowest}; the latest is {latest}",
                "rewrap it, then run keywatch rotate resume",
            )
        proof = f"the lowest version in use is {lowest}, says the operator's command"
        return Outcome({"lowest": min(lowest, latest)}, (proof,))

    def raise_min(self, work: Work) -> Outcome:
        lowest = work.facts["lowest"]
        self._write(f"keys/{self._name}/config", {"min_decryption_version": lowest})
        return Outcome(proofs=(f"versions below {lowest} do not decrypt any more",))

    def raised(self, work: Work) -> Outcome | None:
        lowest = work.facts["lowest"]
        if int(self._read()["min_decryption_version"]) < lowest:
            return None
        return Outcome(proofs=(f"versions below {lowest} do not decrypt any more",))

    def _read(self) -> Mapping[str, Any]:
        vault = self._target.stores.vault(self._place)
        data = vault.read(f"{self._place.mount}/keys/{self._name}")
        if data is None:
            raise RefusedError(f"there is no {self._place.text}")
        return data

    def _write(self, below: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        vault = self._target.stores.vault(self._place)
        return vault.write(f"{self._place.mount}/{below}", body)
