"""Inventory: the actions that an audit of AWS needs, and those that it must do without."""

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
"""By service, in the order in which they are read."""

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
"""What reads values, or changes them."""

SIMULATE = "iam:SimulatePrincipalPolicy"

_ADVICE = """\
# An IAM policy for the auditor. None of these actions returns a value.
# It cannot be less: listing works on all resources or none, so the auditor sees every name, with
# descriptions and tags, also of parameters that are no secrets.
# KMS asks the policy of each key as well. Where one does not leave it to IAM (no statement for the
# account's root), the key is a gap until its own policy allows the kms: actions to the auditor.
# Where the backend assumes a role, the session is limited to these actions, whatever else the role
# may. The role's trust policy must allow sts:AssumeRole to whom the credentials belong.
# iam:SimulatePrincipalPolicy only tells which rights the auditor holds beyond these, for all
# resources; rights on single ones it does not see. Without it, that is a note.
"""


def permissions(settings: Settings) -> str:
    """An IAM policy of metadata alone, and what it cannot keep from the auditor."""
    return _ADVICE + json.dumps(policy(settings.options.get("services", tuple(NEEDED))), indent=2)


def policy(services: Iterable[str]) -> Mapping[str, Any]:
    """The IAM policy that reads these services."""
    actions = [f"{service}:{action}" for service in services for action in NEEDED[service]]
    statement = {
        "Sid": "KeywatchAudit",
        "Effect": "Allow",
        "Action": [*actions, SIMULATE],
        "Resource": "*",
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
