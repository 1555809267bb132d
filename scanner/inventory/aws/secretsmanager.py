"""Inventory: AWS Secrets Manager. The current value is the version with the label AWSCURRENT.

Neither `LastChangedDate` nor `LastRotatedDate` is the age of the value: the first changes with
every edit, the second only with automatic rotation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from scanner.inventory.aws.service_region import (
    DAY,
    ServiceRegion,
    exact,
    moment,
    replica_note,
    tags_of,
    utc,
)
from scanner.inventory.listing import ReadSecret
from scanner.model import Note
from scanner.records import Record, Rotation

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient
    from types_boto3_secretsmanager.type_defs import (
        SecretListEntryTypeDef as Secret,
    )
    from types_boto3_secretsmanager.type_defs import (
        SecretVersionsListEntryTypeDef as Version,
    )

_CURRENT, _PENDING = "AWSCURRENT", "AWSPENDING"
_FIELD = f"CreatedDate of {_CURRENT}"
_RATE = re.compile(r"rate\((\d{1,6}) (hour|day)s?\)")
_MAX_ROTATION = 3600
"""The longest time of a rotation in seconds: four calls of a function of up to 15 minutes."""


def listed(place: ServiceRegion[SecretsManagerClient]) -> Iterator[tuple[str, ReadSecret]]:
    for page in place.client.get_paginator("list_secrets").paginate():
        for secret in page["SecretList"]:
            yield secret["Name"], partial(_secret, place, secret)


def _secret(
    place: ServiceRegion[SecretsManagerClient], secret: Secret, path: str
) -> Record | Note | None:
    primary = secret.get("PrimaryRegion", place.region)
    if primary != place.region:
        return replica_note(path, primary, place.regions)
    versions = _versions(place.client, secret["ARN"])
    current = _staged(versions, _CURRENT)
    return Record(
        id=path,
        kind="secretsmanager-secret",
        dated=exact(current["CreatedDate"], _FIELD) if current else None,
        undated="" if current else "no version has the label AWSCURRENT, so it has no value",
        tags=tags_of(secret.get("Tags", ())),
        rotation=_rotation(secret, versions, place.now),
    )


def _versions(client: SecretsManagerClient, arn: str) -> Sequence[Version]:
    page = client.list_secret_version_ids(SecretId=arn)
    versions = page["Versions"]
    while token := page.get("NextToken"):
        page = client.list_secret_version_ids(SecretId=arn, NextToken=token)
        versions += page["Versions"]
    return versions


def _staged(versions: Sequence[Version], stage: str) -> Version | None:
    return next((one for one in versions if stage in one.get("VersionStages", ())), None)


def _rotation(secret: Secret, versions: Sequence[Version], now: datetime) -> Rotation | None:
    """None if automatic rotation was never set up. Its rules stay when it is switched off."""
    if not secret.get("RotationEnabled"):
        was_set_up = "RotationRules" in secret or "LastRotatedDate" in secret
        return Rotation(period=0) if was_set_up else None
    due = moment(secret, "NextRotationDate")
    period = _period(secret, versions, due)
    return Rotation(period=period, due=due, failing=_failing(versions, now)) if period else None


def _period(secret: Secret, versions: Sequence[Version], due: datetime | None) -> int:
    """Seconds. For a cron expression: the time from the current value to the next rotation."""
    rules = secret.get("RotationRules", {})
    rate = _RATE.fullmatch(rules.get("ScheduleExpression", ""))
    current = _staged(versions, _CURRENT)
    if rate:
        return int(rate[1]) * (DAY if rate[2] == "day" else 3600)
    if "AutomaticallyAfterDays" in rules:
        return rules["AutomaticallyAfterDays"] * DAY
    return int((due - current["CreatedDate"]).total_seconds()) if due and current else 0


def _failing(versions: Sequence[Version], now: datetime) -> str:
    """Why rotation fails. A version that stays pending is from a rotation that did not end."""
    pending = _staged(versions, _PENDING)
    if pending is None or _CURRENT in pending["VersionStages"]:
        return ""
    since = utc(pending["CreatedDate"])
    stuck = (now - since).total_seconds() > _MAX_ROTATION
    return f"a rotation started at {since:%Y-%m-%d %H:%M} UTC and did not end" if stuck else ""
