"""Inventory: AWS Secrets Manager. The value in use is the version that is staged AWSCURRENT.

`LastChangedDate` moves with every edit, `LastRotatedDate` only with the store's own rotation, so
neither says how old the value is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from scanner.inventory.aws.place import DAY, Place, elsewhere, exact, moment, tags_of, utc
from scanner.inventory.listing import Look
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
_ROTATING = 3600
"""Seconds that a rotation takes at most: four steps of a function that runs for 15 minutes."""


def listed(place: Place[SecretsManagerClient]) -> Iterator[tuple[str, Look]]:
    for page in place.client.get_paginator("list_secrets").paginate():
        for secret in page["SecretList"]:
            yield secret["Name"], partial(_secret, place, secret)


def _secret(place: Place[SecretsManagerClient], secret: Secret, path: str) -> Record | Note | None:
    primary = secret.get("PrimaryRegion", place.region)
    if primary != place.region:
        return elsewhere(path, primary, place.regions)
    versions = _versions(place.client, secret["ARN"])
    current = _staged(versions, _CURRENT)
    return Record(
        id=path,
        kind="secretsmanager-secret",
        dated=exact(current["CreatedDate"], _FIELD) if current else None,
        undated="" if current else "no version is staged AWSCURRENT: it holds no value",
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
    """None where it was never set up, as for what only people or scripts can rotate. Its rules stay
    when it is switched off."""
    if not secret.get("RotationEnabled"):
        was_set_up = "RotationRules" in secret or "LastRotatedDate" in secret
        return Rotation(period=0) if was_set_up else None
    due = moment(secret, "NextRotationDate")
    period = _period(secret, versions, due)
    return Rotation(period=period, due=due, failing=_failing(versions, now)) if period else None


def _period(secret: Secret, versions: Sequence[Version], due: datetime | None) -> int:
    """Seconds. A cron expression has no single period: that of the value in use counts."""
    rules = secret.get("RotationRules", {})
    rate = _RATE.fullmatch(rules.get("ScheduleExpression", ""))
    current = _staged(versions, _CURRENT)
    if rate:
        return int(rate[1]) * (DAY if rate[2] == "day" else 3600)
    if "AutomaticallyAfterDays" in rules:
        return rules["AutomaticallyAfterDays"] * DAY
    return int((due - current["CreatedDate"]).total_seconds()) if due and current else 0


def _failing(versions: Sequence[Version], now: datetime) -> str:
    """A version that stays pending was made by a rotation that did not end."""
    pending = _staged(versions, _PENDING)
    if pending is None or _CURRENT in pending["VersionStages"]:
        return ""
    since = utc(pending["CreatedDate"])
    stuck = (now - since).total_seconds() > _ROTATING
    return f"a rotation began at {since:%Y-%m-%d %H:%M} UTC and did not end" if stuck else ""
