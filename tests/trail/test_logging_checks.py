"""Is everything logged? Each kind of configuration, complete and not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from scanner.errors import ConfigError
from scanner.trail.logging_checks import faults
from tests.support.trails import POLICY, run

FILE = {"type": "file", "options": {"file_path": "/var/log/audit.log"}}
RAW = {"type": "socket", "options": {"log_raw": "true"}}
SELECTOR = {"ReadWriteType": "All", "IncludeManagementEvents": True}
AUDIT = {"category": "AuditEvent", "enabled": True}
METADATA = {"level": "Metadata", "resources": [{"group": "", "resources": ["secrets"]}]}


def policy(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [*rules]}


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
        ({"IsLogging": True}, []),
        ({"IsLogging": False}, ["cloudtrail"]),
        (
            {
                "AdvancedEventSelectors": [
                    {"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}
                ]
            },
            [],
        ),
        (
            {
                "AdvancedEventSelectors": [
                    {"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Data"]}]}
                ]
            },
            ["cloudtrail"],
        ),
        ([{"name": "x", "logs": [AUDIT]}], []),
        ({"value": [{"properties": {"logs": [{"categoryGroup": "audit", "enabled": True}]}}]}, []),
        ([{"logs": [{**AUDIT, "enabled": False}]}], ["azure"]),
        ([], ["azure"]),
        (policy(METADATA), []),
        (policy({"level": "None", "users": ["system:kube-proxy"]}, METADATA), []),
        (policy({"level": "None", "verbs": ["get"]}, METADATA), ["kubernetes"]),
        (policy({"level": "None"}), ["kubernetes"] * 3),
        (policy({**METADATA, "level": "RequestResponse"}), ["kubernetes-values"] * 3),
        (policy(), ["kubernetes"] * 3),
    ],
)
def test_a_configuration_is_judged(configuration: Any, found: list[str]) -> None:
    rules = [fault.rule.id.removeprefix("trail-logging-") for fault in faults(configuration, "f")]
    assert rules == found


@pytest.mark.parametrize("other", [{"a": 1}, "text", 5, None, [{"x": 1}], {"EventSelectors": 5}])
def test_what_is_no_configuration_is_an_error(other: Any) -> None:
    with pytest.raises(ConfigError):
        faults(other, "f")


def test_the_command_reports_what_is_not_logged(tmp_path: Path) -> None:
    (tmp_path / "keywatch.yaml").write_text(POLICY)
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(policy({"level": "None"})))
    done = run(tmp_path, "--logging", str(tmp_path / "policy.yaml"))
    assert done.rules == {"trail-logging-kubernetes"}
    assert done.code == 1
