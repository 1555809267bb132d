"""The JSON report is what its published schema says."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest

from scanner.model import Appearance, Finding, Gap, Note, Outcome, Skip, Suppression
from scanner.records import Change, Reach, Resource, Status
from scanner.report.formats import render
from tests.support import live_values
from tests.support.report_values import context, eventful, finding, outcome

SCHEMA = json.loads(
    (Path(__file__).resolve().parents[2] / "rules/schema/report.schema.json").read_bytes()
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
# The tags and detect-secrets' hashes are made of the value. The ordinal is in the id.
PRIVATE = {"tag", "old_tag", "detect_secrets", "ordinal"}
LIVE = SCHEMA["properties"]["live"]["properties"]


def report(result: Outcome, **more: Any) -> Any:
    return json.loads(render("json", result, context(**more)))


@pytest.mark.parametrize(
    "result",
    [Outcome(findings=()), eventful(), live_values.audit()],
    ids=["empty", "eventful", "audit"],
)
def test_the_report_follows_its_schema(result: Outcome) -> None:
    VALIDATOR.validate(report(result))


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    ("noun", "definition", "left_out"),
    [
        (Finding, SCHEMA["$defs"]["finding"], PRIVATE | {"since", "resource"}),
        (Appearance, SCHEMA["$defs"]["appearance"], set()),
        (Resource, SCHEMA["$defs"]["finding"]["properties"]["resource"], set()),
        (Status, SCHEMA["$defs"]["secret"], set()),
        (Reach, LIVE["backends"]["items"], set()),
        (Change, LIVE["changes"]["items"], set()),
        (Suppression, SCHEMA["$defs"]["suppression"], {"location"}),  # in the report: where
        (Gap, SCHEMA["properties"]["gaps"]["items"], set()),
        (Skip, SCHEMA["properties"]["skips"]["items"], set()),
        (Note, SCHEMA["properties"]["notes"]["items"], set()),
    ],
)
def test_every_public_field_of_a_noun_is_in_the_report(
    noun: type[NamedTuple],
    definition: dict[str, Any],
    left_out: set[str],
) -> None:
    fields = set(noun._fields)
    assert fields - left_out <= set(definition["properties"])
    assert set(definition["required"]) >= fields - left_out


def test_a_finding_says_where_it_is_and_what_it_is() -> None:
    found = finding("acme-token", "src/app.py", 3, detail="found in a base64 layer")
    assert report(outcome(found))["findings"] == [
        {
            "rule": "acme-token",
            "title": "Credential of acme-token",
            "severity": "critical",
            "confidence": "high",
            "location": {
                "path": "src/app.py",
                "line": 3,
                "column": 7,
                "end_line": 3,
                "end_column": 47,
            },
            "preview": "acme_…x9",
            "context": "API_KEY",
            "detail": "found in a base64 layer",
            "id": found.fingerprint[:12],
            "fingerprint": found.fingerprint,
        }
    ]


def test_findings_come_sorted_by_place_and_the_rules_of_findings_by_id() -> None:
    document = report(eventful())
    places = [(item["location"]["path"], item["location"]["line"]) for item in document["findings"]]
    assert places == [("lib/a.py", 9), ("src/app.py", 1), ("src/app.py", 3)]
    assert list(document["rules"]) == ["acme-token", "bolt-key", "dune-id"]
    assert document["rules"]["dune-id"]["revoke"] == "Delete it at dune-id."


def test_counts_name_every_severity_and_each_kind_of_exception() -> None:
    assert report(eventful())["summary"] == {
        "findings": {"critical": 1, "high": 1, "medium": 0, "low": 1},
        "suppressed": {"baseline": 1, "comment": 1, "entry": 1, "pragma": 1},
        "gaps": 1,
    }


def test_a_suppressed_finding_keeps_its_reason_owner_and_end() -> None:
    entry = report(eventful())["suppressed"][0]
    assert entry["finding"]["rule"] == "bolt-key"
    assert entry["suppression"] == {
        "by": "entry",
        "where": "keywatch.yaml:9",
        "rule": "bolt-key",
        "path": "old.py",
        "reason": "a test",
        "owner": "@qa",
        "until": "2027-06-30",
        "used": True,
    }


def test_a_name_that_is_no_utf_8_is_shown_and_also_held_exactly() -> None:
    skip = Skip(kind="binary", path=os.fsdecode(b"caf\xe9/\xff.bin"))
    (shown,) = report(outcome(skips=(skip,)))["skips"]
    assert shown == {
        "kind": "binary",
        "path": "caf\\xe9/\\xff.bin",
        "path_encoded": "caf%E9/%FF.bin",
    }


def test_a_valid_name_of_any_script_is_not_escaped_twice() -> None:
    path = "日本/😀 \\x41.txt"
    (shown,) = report(outcome(skips=(Skip(kind="binary", path=path),)))["skips"]
    assert shown == {"kind": "binary", "path": path}


def test_each_finding_has_a_line_of_its_own_so_that_reports_compare_well() -> None:
    lines = render("json", eventful(), context()).splitlines()
    assert sum('"rule": "acme-token", "title"' in line for line in lines) == 1
    assert '"generated_at": "2027-01-31T12:00:00Z"' in " ".join(lines)


def test_of_an_audit_each_secret_says_how_it_stands_and_by_what() -> None:
    document = report(live_values.audit())
    (late,) = [each for each in document["live"]["secrets"] if each["verdict"] == "overdue"][:1]
    assert late == {
        "id": "vault://prod/-/secret/app/late",
        "backend": "prod",
        "kind": "kv-v2",
        "secret_class": "api-key",
        "owner": "@sec-oncall",
        "verdict": "overdue",
        "conditions": ["rotation-failing"],
        "youngest": 104 * 86_400,
        "oldest": 104 * 86_400,
        "limit": 90 * 86_400,
        "grace": 7 * 86_400,
        "due": "2027-01-17T12:00:00Z",
        "field": "versions[3].created_time",
        "strength": "exact",
    }


def test_of_an_audit_a_finding_names_its_secret_and_whose_it_is() -> None:
    shown, *_ = report(live_values.audit())["findings"]
    assert shown["resource"] == {
        "id": "vault://prod/-/secret/app/late",
        "owner": "@sec-oncall",
        "runbook": "docs/rotation.md",
        "as_of": "",
    }
    assert "resource" not in report(outcome(finding()))["findings"][0]


def test_of_an_audit_coverage_and_last_success_of_each_backend_are_told() -> None:
    eks, prod = report(live_values.audit())["live"]["backends"]
    assert (prod["read"], prod["unread"]) == (412, {"denied": 3})
    assert prod["last_success"] == "2027-01-30T12:00:00Z"
    assert eks["last_success"] == "2027-01-31T12:00:00Z"
