"""Is everything logged? Each kind of configuration, complete and not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from scanner.errors import ConfigError
from scanner.trail.logging_checks.check import judged
from tests.support.trails import POLICY, run

FILE = {"type": "file", "options": {"file_path": "/var/log/audit.log"}}
RAW = {"type": "socket", "options": {"log_raw": "true"}}
SELECTOR = {"ReadWriteType": "All", "IncludeManagementEvents": True}
AUDIT = {"category": "AuditEvent", "enabled": True}
TO = {"workspaceId": "/subscriptions/s1/workspaces/w"}
GROUP = {"categoryGroup": "audit", "enabled": True}
METADATA = {"level": "Metadata", "resources": [{"group": "", "resources": ["secrets"]}]}


def policy(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [*rules]}


def advanced(*fields: dict[str, Any], category: str = "Management") -> dict[str, Any]:
    chosen = [{"Field": "eventCategory", "Equals": [category]}, *fields]
    return {"AdvancedEventSelectors": [{"FieldSelectors": chosen}]}


@pytest.mark.parametrize(
    ("configuration", "found"),
    [
        ({"data": {"a/": FILE, "b/": FILE}}, []),
        ({"a/": FILE}, ["vault-devices"]),
        ({}, ["vault-devices"]),
        ({"a/": FILE, "b/": RAW}, ["vault-raw"]),
        ({"TrailARN": "arn:x", "EventSelectors": [SELECTOR]}, []),
        ({"EventSelectors": [{**SELECTOR, "ReadWriteType": "WriteOnly"}]}, ["cloudtrail"]),
        (
            {
                "EventSelectors": [
                    {**SELECTOR, "ExcludeManagementEventSources": ["kms.amazonaws.com"]}
                ]
            },
            ["cloudtrail"],
        ),
        (
            {
                "EventSelectors": [
                    {**SELECTOR, "ExcludeManagementEventSources": ["rdsdata.amazonaws.com"]}
                ]
            },
            [],
        ),
        ({"EventSelectors": [{**SELECTOR, "IncludeManagementEvents": False}]}, ["cloudtrail"]),
        (
            {
                "EventSelectors": [
                    {**SELECTOR, "ReadWriteType": kind} for kind in ("ReadOnly", "WriteOnly")
                ]
            },
            [],
        ),
        ({"IsLogging": True}, []),
        ({"IsLogging": False}, ["cloudtrail"]),
        (advanced(), []),
        (advanced({"Field": "eventSource", "NotEquals": ["rdsdata.amazonaws.com"]}), []),
        (advanced({"Field": "eventSource", "NotEquals": ["kms.amazonaws.com"]}), ["cloudtrail"]),
        (advanced({"Field": "readOnly", "Equals": ["false"]}), ["cloudtrail"]),
        (advanced({"Field": "eventName", "StartsWith": ["Get"]}), ["cloudtrail"]),
        (advanced(category="Data"), ["cloudtrail"]),
        ([{"name": "x", "logs": [AUDIT], **TO}], []),
        ([{"logs": [AUDIT], "workspaceId": ""}], ["azure"]),
        (
            {"value": [{"properties": {"logs": [{**AUDIT, "category": "x"}, GROUP], **TO}}]},
            [],
        ),
        ([{"logs": [{**AUDIT, "enabled": False}], **TO}, {"logs": None, **TO}], ["azure"]),
        ([], ["azure"]),
        (policy(METADATA), []),
        (policy({"level": "None", "users": ["system:kube-proxy"]}, METADATA), []),
        (policy({"level": "None", "verbs": ["get"]}, METADATA), ["kubernetes"]),
        (policy({"level": "None"}), ["kubernetes"] * 3),
        (policy({**METADATA, "level": "RequestResponse"}), ["kubernetes-values"] * 3),
        (policy(), ["kubernetes"] * 3),
        (policy({**METADATA, "omitStages": ["ResponseComplete"]}), ["kubernetes"] * 3),
        ({**policy(METADATA), "omitStages": ["RequestReceived"]}, []),
    ],
)
def test_a_configuration_is_judged(configuration: Any, found: list[str]) -> None:
    _, faults = judged(configuration, "f")
    assert [fault.rule.id.removeprefix("trail-logging-") for fault in faults] == found


@pytest.mark.parametrize("other", [{"a": 1}, "text", 5, None, [{"x": 1}], {"EventSelectors": 5}])
def test_what_is_no_configuration_is_an_error(other: Any) -> None:
    with pytest.raises(ConfigError):
        judged(other, "f")


def test_the_command_reports_what_is_not_logged(tmp_path: Path) -> None:
    (tmp_path / "keywatch.yaml").write_text(POLICY)
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(policy({"level": "None"})))
    done = run(tmp_path, "--logging", str(tmp_path / "policy.yaml"))
    assert done.rules == {"trail-logging-kubernetes"}
    assert done.code == 1
