"""Inventory: the SecureString parameters of AWS Systems Manager.

Their only date also changes when the same value is written again. The history would say more, but
it contains values.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from scanner.inventory.aws.service_region import ServiceRegion, exact, tags_of
from scanner.inventory.listing import ReadSecret
from scanner.records import Record, Strength

if TYPE_CHECKING:
    from types_boto3_ssm import SSMClient
    from types_boto3_ssm.type_defs import ParameterMetadataTypeDef as Parameter

_SECURE = "SecureString"


def listed(place: ServiceRegion[SSMClient]) -> Iterator[tuple[str, ReadSecret]]:
    pages = place.client.get_paginator("describe_parameters").paginate(
        ParameterFilters=[{"Key": "Type", "Option": "Equals", "Values": [_SECURE]}]
    )
    for page in pages:
        for parameter in page["Parameters"]:
            yield parameter["Name"], partial(_parameter, place.client, parameter)


def _parameter(client: SSMClient, parameter: Parameter, path: str) -> Record:
    modified = exact(parameter["LastModifiedDate"], "LastModifiedDate")
    tags = client.list_tags_for_resource(ResourceType="Parameter", ResourceId=parameter["Name"])
    return Record(
        id=path,
        kind="ssm-securestring",
        dated=modified._replace(strength=Strength.WEAK),
        tags=tags_of(tags["TagList"]),
    )
