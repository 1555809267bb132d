"""Inventory: the access keys of IAM users.

All keys of a user are one secret. If two are active, the one that was used last is the current one,
and the older one should be revoked. No text contains the IDs of keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from scanner.inventory.aws.service_region import ServiceRegion, exact, tags_of, utc
from scanner.inventory.listing import ReadSecret
from scanner.records import Record

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient
    from types_boto3_iam.type_defs import AccessKeyMetadataTypeDef as Key

_ROOT = ":root"
"""The end of the ARN of an account's root user. No IAM user can have this name."""
_NEVER = datetime.min.replace(tzinfo=UTC)


def listed(place: ServiceRegion[IAMClient]) -> Iterator[tuple[str, ReadSecret]]:
    yield _ROOT, partial(_root, place.client)
    for page in place.client.get_paginator("list_users").paginate():
        for user in page["Users"]:
            yield user["UserName"], partial(_user, place.client, user["UserName"])


def _root(client: IAMClient, path: str) -> Record | None:
    if not client.get_account_summary()["SummaryMap"]["AccountAccessKeysPresent"]:
        return None
    undated = "AWS shows the age of the root user's access key only to the root user: delete it"
    return Record(id=path, kind="iam-root-access-key", undated=undated)


def _user(client: IAMClient, name: str, path: str) -> Record | None:
    pages = client.get_paginator("list_access_keys").paginate(UserName=name)
    keys = [key for page in pages for key in page["AccessKeyMetadata"] if key["Status"] == "Active"]
    if not keys:
        return None
    several = len(keys) > 1
    tags = client.get_paginator("list_user_tags").paginate(UserName=name)
    return Record(
        id=path,
        kind="iam-access-key",
        dated=exact((_in_use(client, keys) if several else keys[0])["CreateDate"], "CreateDate"),
        tags=tags_of(tag for page in tags for tag in page["Tags"]),
        superseded=utc(max(key["CreateDate"] for key in keys)) if several else None,
    )


def _in_use(client: IAMClient, keys: Sequence[Key]) -> Key:
    return max(keys, key=lambda key: (_last_used(client, key), key["CreateDate"]))


def _last_used(client: IAMClient, key: Key) -> datetime:
    answer = client.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])
    return answer["AccessKeyLastUsed"].get("LastUsedDate", _NEVER)
