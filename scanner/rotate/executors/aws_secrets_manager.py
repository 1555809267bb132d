"""Rotate AWS Secrets Manager secrets: by its own rotation function, or with a declared issuer."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

from scanner.rotate.config import Entry
from scanner.rotate.executors import issued
from scanner.rotate.executors.interface import Parts, Target, Traits, stored_at
from scanner.rotate.machine import Step, Work
from scanner.rotate.model import ConflictError, Outcome, RefusedError, UnknownError
from scanner.rotate.stores import SecretId

TRAITS = Traits(
    what="AWS Secrets Manager",
    overlap="as the rotation function does it; with a declared issuer, as for KV",
    rollback="no, it rolls forward; AWSPREVIOUS keeps the old value",
    idempotent="by ClientRequestToken, which is derived from the rotation",
    rights=(
        "secretsmanager:DescribeSecret, ListSecretVersionIds and RotateSecret",
        "with an issuer: secretsmanager:GetSecretValue and PutSecretValue instead of RotateSecret",
    ),
)
_CURRENT, _PENDING = "AWSCURRENT", "AWSPENDING"
_PATIENCE = 60
"""Seconds to wait for the rotation function."""
_NAMESPACE = uuid.UUID("6f1c2a52-7d0e-4f6c-9a2b-8d4e5b1f7c30")


def manual(_entry: Entry) -> str:
    return ""


def parts(target: Target) -> Parts:
    if target.entry.issuer:
        return issued.parts(target, issued.of_issuer(target), SecretSink(target, target.place))
    own = _OwnRotation(target)
    return Parts(
        [
            Step("look", own.look, once=True),
            Step("rotate", own.rotate, seen=own.rotated, once=True),
            Step("verify", own.verify),
        ]
    )


def token(work: Work) -> str:
    return str(uuid.uuid5(_NAMESPACE, work.mark))


class _Secret:
    def __init__(self, target: Target, place: SecretId) -> None:
        self._target = target
        self._place = place
        self._name = "/".join(place.parts[3:])

    def _call(self, action: str, **arguments: Any) -> Any:
        aws = self._target.stores.aws(self._place)
        return aws.call(self._place, action, SecretId=self._name, **arguments)

    def _stages(self) -> Mapping[str, list[str]]:
        found: Mapping[str, list[str]] = self._call("describe_secret").get("VersionIdsToStages", {})
        return found

    def _staged(self, stage: str) -> str:
        return next((one for one, stages in self._stages().items() if stage in stages), "")


class _OwnRotation(_Secret):
    def __init__(self, target: Target) -> None:
        super().__init__(target, target.place)

    def look(self, _work: Work) -> Outcome:
        if not self._call("describe_secret").get("RotationEnabled"):
            raise RefusedError(
                "Secrets Manager has no rotation function for it",
                "set one up, or declare an issuer for it",
            )
        return Outcome({"before": self._staged(_CURRENT)})

    def rotate(self, work: Work) -> Outcome:
        self._call("rotate_secret", ClientRequestToken=token(work), RotateImmediately=True)
        end = time.monotonic() + _PATIENCE
        while (found := self.rotated(work)) is None:
            if time.monotonic() >= end:
                raise UnknownError(
                    f"the rotation function has not ended within {_PATIENCE} s",
                    "look into the log of the function, then run keywatch rotate resume",
                )
            time.sleep(1)
        return found

    def rotated(self, work: Work) -> Outcome | None:
        stages = self._stages().get(token(work), [])
        if _CURRENT in stages:
            return Outcome(stored_at(work))
        current = self._staged(_CURRENT)
        if stages and _PENDING not in stages and current != work.facts["before"]:
            return Outcome(stored_at(work), notes=("a later rotation has replaced it already",))
        return None

    def verify(self, work: Work) -> Outcome:
        proof = f"version {token(work)} is AWSCURRENT; the function's test step accepted it"
        return Outcome(proofs=(proof,))


class SecretSink(_Secret):
    """A Sink."""

    retires = False

    def look(self, _work: Work) -> Mapping[str, Any]:
        current = self._staged(_CURRENT)
        return {"current": current, "had_value": bool(current)}

    def put(self, work: Work, values: issued.Values) -> None:
        if self._staged(_CURRENT) != work.facts["current"]:
            self.was_put(work)
        merged = {**(self._values(_CURRENT) or {}), **values} if work.facts["had_value"] else values
        text = next(iter(values.values())) if list(values) == [""] else json.dumps(dict(merged))
        self._call("put_secret_value", ClientRequestToken=token(work), SecretString=text)

    def was_put(self, work: Work) -> bool:
        current = self._staged(_CURRENT)
        if current == work.facts["current"]:
            return False
        if current != token(work):
            raise ConflictError(
                f"someone else changed {self._place.text}",
                "the value in use is theirs; begin a new rotation if it is still due",
            )
        return True

    def old(self, work: Work) -> issued.Values | None:
        """AWSPREVIOUS is the version from before, as long as nobody changes the secret again."""
        if not work.facts["had_value"]:
            return None
        try:
            return self._values("", VersionId=work.facts["current"])
        except RefusedError:
            return None

    def retire(self, _work: Work) -> str:
        return "the old version has no stage any more"

    def _values(self, stage: str, **version: str) -> issued.Values | None:
        chosen = version or {"VersionStage": stage}
        text = self._call("get_secret_value", **chosen).get("SecretString", "")
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        return found if isinstance(found, dict) else {"": text}
