"""Rotate the access key of an IAM user: two keys exist until the old one is deleted."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from scanner.rotate.config import Entry
from scanner.rotate.executors import issued, sinks
from scanner.rotate.executors.interface import Parts, Target, Traits, short
from scanner.rotate.machine import Work
from scanner.rotate.model import OperatorError, RefusedError

TRAITS = Traits(
    what="AWS IAM access key",
    overlap="yes: a user may have two keys",
    rollback="until the key is stored: the new key is deleted",
    idempotent="settled by listing the keys; a key whose secret was lost is deleted",
    rights=(
        (
            "iam:ListAccessKeys, GetAccessKeyLastUsed, CreateAccessKey, UpdateAccessKey and"
            " DeleteAccessKey on the user"
        ),
        "the rights for the place in `store`",
    ),
)
_TRIES = 10
"""A new key is not known everywhere at once: seconds to try it."""


def manual(entry: Entry) -> str:
    return sinks.manual(entry)


def parts(target: Target) -> Parts:
    return issued.parts(target, _AccessKeys(target), sinks.of(target))


class _AccessKeys:
    """A Source."""

    revokes = True

    def __init__(self, target: Target) -> None:
        self._target = target
        self._place = target.place
        self._user = "/".join(target.place.parts[3:])

    def look(self, _work: Work) -> Mapping[str, Any]:
        keys = self._keys()
        if len(keys) > 1:
            raise OperatorError(
                f"{self._user} has two access keys already, and IAM allows no third",
                "delete the one that is not in use, then run keywatch rotate resume",
            )
        return {"keys": [short(each["AccessKeyId"]) for each in keys]}

    def create(self, _work: Work) -> tuple[issued.Values, Mapping[str, Any]]:
        key = self._call("create_access_key")["AccessKey"]
        values = {"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]}
        return values, {"key": short(key["AccessKeyId"])}

    def discard(self, work: Work) -> str:
        made = work.facts.get("key", "")
        new = [
            each for each in self._keys() if short(each["AccessKeyId"]) not in work.facts["keys"]
        ]
        for key in new:
            if short(key["AccessKeyId"]) != made and self._was_used(key):
                raise OperatorError(
                    f"{self._user} has a new access key that is in use, perhaps of someone else",
                    "find out whose it is; delete it if it is nobody's, then run resume",
                )
            self._call("delete_access_key", AccessKeyId=key["AccessKeyId"])
        return f"{len(new)} access key created for it was deleted"

    def verify(self, _work: Work, values: issued.Values) -> str:
        aws = self._target.stores.aws(self._place)
        for _ in range(_TRIES):
            if aws.key_works("", values["access_key_id"], values["secret_access_key"]):
                return "STS accepts the new access key"
            time.sleep(1)
        raise RefusedError(f"STS does not accept the new access key within {_TRIES} s")

    def revoke(self, work: Work, _old: issued.Values | None) -> None:
        keys = {short(each["AccessKeyId"]): each["AccessKeyId"] for each in self._keys()}
        if work.facts["key"] not in keys:
            raise OperatorError(
                "the new access key is not there any more; the old one is not deleted",
                "find out who deleted it; then keywatch rotate resume --abandon ID",
            )
        for old in work.facts["keys"]:
            if old in keys:
                self._call("update_access_key", AccessKeyId=keys[old], Status="Inactive")
                self._call("delete_access_key", AccessKeyId=keys[old])

    def revoked(self, work: Work, _old: issued.Values | None) -> str:
        left = {short(each["AccessKeyId"]) for each in self._keys()} & set(work.facts["keys"])
        if left:
            raise RefusedError("the old access key still exists")
        return "IAM has no access key of the user from before the rotation"

    def _keys(self) -> list[Mapping[str, Any]]:
        return list(self._call("list_access_keys")["AccessKeyMetadata"])

    def _was_used(self, key: Mapping[str, Any]) -> bool:
        aws = self._target.stores.aws(self._place)
        said = aws.call(self._place, "get_access_key_last_used", AccessKeyId=key["AccessKeyId"])
        return "LastUsedDate" in said["AccessKeyLastUsed"]

    def _call(self, action: str, **arguments: Any) -> Any:
        aws = self._target.stores.aws(self._place)
        return aws.call(self._place, action, UserName=self._user, **arguments)
