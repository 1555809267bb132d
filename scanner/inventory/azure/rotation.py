"""Inventory: the rotation policy of an Azure key. It does not prove that a rotation happened."""

from __future__ import annotations

from datetime import datetime

from azure.keyvault.keys import KeyRotationPolicy, KeyRotationPolicyAction
from isodate import parse_duration

from scanner.records import Rotation


def rotation(policy: KeyRotationPolicy, created: datetime) -> Rotation:
    """The rotation of a version created at that time. ValueError for invalid durations."""
    for action in policy.lifetime_actions:
        if action.action == KeyRotationPolicyAction.rotate:
            due = created + parse_duration(action.time_after_create or policy.expires_in or "")
            if not action.time_after_create:
                due -= parse_duration(action.time_before_expiry or "")
            return Rotation(period=int((due - created).total_seconds()), due=due)
    return Rotation(period=0)
