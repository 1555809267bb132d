"""Inventory: the keys of AWS KMS that customers manage and that are enabled.

Keys that AWS manages are left out: AWS rotates them every year, and nobody else can. That rotation
is switched on says nothing of an age, only a rotation that was does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from scanner.inventory.aws.place import DAY, Place, elsewhere, exact, moment, tags_of
from scanner.inventory.listing import Look
from scanner.model import Note
from scanner.records import Dated, Record, Rotation, Strength

if TYPE_CHECKING:
    from types_boto3_kms import KMSClient
    from types_boto3_kms.type_defs import KeyMetadataTypeDef as Key

_NOT_LIVE = {"Disabled", "PendingDeletion", "PendingReplicaDeletion", "PendingImport"}
_YEAR = 365  # days: how often KMS rotates where nobody chose
_KMS, _IMPORTED, _OUTSIDE = "AWS_KMS", "EXTERNAL", "EXTERNAL_KEY_STORE"


def listed(place: Place[KMSClient]) -> Iterator[tuple[str, Look]]:
    for page in place.client.get_paginator("list_keys").paginate():
        for key in page["Keys"]:
            yield key["KeyId"], partial(_key, place, key["KeyId"])


def _key(place: Place[KMSClient], key_id: str, path: str) -> Record | Note | None:
    key = place.client.describe_key(KeyId=key_id)["KeyMetadata"]
    if key["KeyManager"] == "AWS" or key["KeyState"] in _NOT_LIVE:
        return None
    primary = _primary(key) or place.region
    if primary != place.region:
        return elsewhere(path, primary, place.regions)
    outside = key["Origin"] == _OUTSIDE
    return Record(
        id=path,
        kind="kms-key",
        dated=None if outside else _dated(place.client, key),
        undated="it is kept outside AWS, in an external key store" if outside else "",
        tags=_tags(place.client, key_id),
        rotation=_rotation(place.client, key),
    )


def _primary(key: Key) -> str:
    """The region of the key that this one replicates, or of itself; "" where it has no replicas."""
    return key.get("MultiRegionConfiguration", {}).get("PrimaryKey", {}).get("Region", "")


def _dated(client: KMSClient, key: Key) -> Dated:
    """A symmetric key's newest rotation, else its creation. Imported material came some time after
    that: of it, the creation is only a bound."""
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
    """None where KMS could not rotate it by itself."""
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
