"""Inventory: the enabled, customer-managed keys of AWS KMS.

Keys that AWS manages are left out: AWS rotates them every year, and nobody else can. The age comes
from the last rotation, not from the rotation setting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from scanner.inventory.aws.service_region import (
    DAY,
    ServiceRegion,
    exact,
    moment,
    replica_note,
    tags_of,
)
from scanner.inventory.listing import ReadSecret
from scanner.model import Note
from scanner.records import Dated, Record, Rotation, Strength

if TYPE_CHECKING:
    from types_boto3_kms import KMSClient
    from types_boto3_kms.type_defs import KeyMetadataTypeDef as Key

_NOT_LIVE = {"Disabled", "PendingDeletion", "PendingReplicaDeletion", "PendingImport"}
_YEAR = 365  # days: the default rotation period of KMS
_KMS, _IMPORTED, _OUTSIDE = "AWS_KMS", "EXTERNAL", "EXTERNAL_KEY_STORE"


def listed(place: ServiceRegion[KMSClient]) -> Iterator[tuple[str, ReadSecret]]:
    for page in place.client.get_paginator("list_keys").paginate():
        for key in page["Keys"]:
            yield key["KeyId"], partial(_key, place, key["KeyId"])


def _key(place: ServiceRegion[KMSClient], key_id: str, path: str) -> Record | Note | None:
    key = place.client.describe_key(KeyId=key_id)["KeyMetadata"]
    if key["KeyManager"] == "AWS" or key["KeyState"] in _NOT_LIVE:
        return None
    primary = _primary(key) or place.region
    if primary != place.region:
        return replica_note(path, primary, place.regions)
    outside = key["Origin"] == _OUTSIDE
    return Record(
        id=path,
        kind="kms-key",
        dated=None if outside else _dated(place.client, key),
        undated="it is stored outside AWS, in an external key store" if outside else "",
        tags=_tags(place.client, key_id),
        rotation=_rotation(place.client, key),
    )


def _primary(key: Key) -> str:
    """The region of the primary key. "" if the key is in one region only."""
    return key.get("MultiRegionConfiguration", {}).get("PrimaryKey", {}).get("Region", "")


def _dated(client: KMSClient, key: Key) -> Dated:
    """The latest rotation of a symmetric key, otherwise its creation.

    Key material is imported some time after the creation, which is then only a lower limit.
    """
    if key["KeySpec"] == "SYMMETRIC_DEFAULT" and key["Origin"] in (_KMS, _IMPORTED):
        pages = client.get_paginator("list_key_rotations").paginate(KeyId=key["KeyId"])
        rotations = [one for page in pages for one in page["Rotations"]]
        dates = [one["RotationDate"] for one in rotations if "RotationDate" in one]
        if dates:
            return exact(max(dates), "RotationDate")
    created = exact(key["CreationDate"], "CreationDate")
    imported = key["Origin"] == _IMPORTED
    return created._replace(latest=None, strength=Strength.BOUND) if imported else created


def _rotation(client: KMSClient, key: Key) -> Rotation | None:
    """None if KMS cannot rotate the key automatically."""
    if key["KeySpec"] != "SYMMETRIC_DEFAULT" or key["Origin"] != _KMS:
        return None
    status = client.get_key_rotation_status(KeyId=key["KeyId"])
    if not status["KeyRotationEnabled"]:
        return Rotation(period=0)
    period = status.get("RotationPeriodInDays", _YEAR) * DAY
    return Rotation(period=period, due=moment(status, "NextRotationDate"))


def _tags(client: KMSClient, key_id: str) -> Mapping[str, str]:
    pages = client.get_paginator("list_resource_tags").paginate(KeyId=key_id)
    return tags_of((tag for page in pages for tag in page["Tags"]), "TagKey", "TagValue")
