"""Inventory: the actions that an audit of AWS needs, and those that it should not have."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from scanner.inventory.interface import Settings

NEEDED: Mapping[str, tuple[str, ...]] = {
    "secretsmanager": ("ListSecrets", "ListSecretVersionIds"),
    "iam": (
        "ListUsers",
        "ListUserTags",
        "ListAccessKeys",
        "GetAccessKeyLastUsed",
        "GetAccountSummary",
    ),
    "kms": (
        "ListKeys",
        "DescribeKey",
        "ListKeyRotations",
        "GetKeyRotationStatus",
        "ListResourceTags",
    ),
    "ssm": ("DescribeParameters", "ListTagsForResource"),
}
"""Actions by service, in the order in which the services are read."""

EXCESSIVE = (
    "secretsmanager:GetSecretValue",
    "secretsmanager:BatchGetSecretValue",
    "secretsmanager:PutSecretValue",
    "secretsmanager:DeleteSecret",
    "ssm:GetParameter",
    "ssm:GetParameters",
    "ssm:GetParametersByPath",
    "ssm:GetParameterHistory",
    "ssm:PutParameter",
    "kms:Decrypt",
    "kms:ScheduleKeyDeletion",
    "iam:CreateAccessKey",
)
"""Actions that read or change values."""

SIMULATE = "iam:SimulatePrincipalPolicy"

TRAILS = (
    "cloudtrail:DescribeTrails",
    "cloudtrail:GetEventSelectors",
    "cloudtrail:GetTrailStatus",
)
"""What `keywatch trail --operator` needs, to know what CloudTrail records. An audit needs none."""

_ADVICE = """\
# An IAM policy for the auditor. None of these actions returns a value.
# AWS allows listing only for all resources or for none. So the auditor sees every name, description
# and tag, even of parameters that are not secrets.
# KMS also checks the policy of each key. If a key's policy does not delegate to IAM (no statement
# for the account's root), it must allow the kms: actions to the auditor. Until then, the key is
# reported as not read.
# If the backend assumes a role, its session is limited to these actions, whatever the role allows.
# The role's trust policy must allow sts:AssumeRole to the owner of the credentials.
# iam:SimulatePrincipalPolicy shows which other permissions the auditor has on all resources, but
# not those on single resources. Without this action, a note says that they are unknown.
# keywatch trail --operator checks whether CloudTrail records who reads secrets. Only for that, add
# {trails}.
"""


def permissions(settings: Settings) -> str:
    """An IAM policy for metadata only, and what it cannot restrict."""
    advice = _ADVICE.format(trails=f"{', '.join(TRAILS[:-1])} and {TRAILS[-1]}")
    return advice + json.dumps(policy(settings.options.get("services", tuple(NEEDED))), indent=2)


def policy(services: Iterable[str]) -> Mapping[str, Any]:
    """The IAM policy that reads these services."""
    actions = [f"{service}:{action}" for service in services for action in NEEDED[service]]
    return allowing([*actions, SIMULATE])


def allowing(actions: Iterable[str]) -> Mapping[str, Any]:
    """The IAM policy that allows these actions."""
    statement = {
        "Sid": "KeywatchAudit",
        "Effect": "Allow",
        "Action": [*actions],
        "Resource": "*",
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
