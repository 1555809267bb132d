"""GitLab's secret detection report. No package carries its JSON Schema: what follows is written
from version 15.2.1 of it (required fields, types, limits and words), for the fields that we use."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from scanner.model import Gap, Outcome
from scanner.report.formats import render
from tests.support import live_values
from tests.support.report_values import context, eventful, finding, outcome, rule

Json = dict[str, Any]


def text(**limits: Any) -> Json:
    return {"type": "string", **limits}


def listed(item: Json, **limits: Any) -> Json:
    return {"type": "array", "items": item, **limits}


def record(required: str, **fields: Json) -> Json:
    return {
        "type": "object",
        "required": required.split(),
        "properties": fields,
        "additionalProperties": False,  # the published one allows more; we use no more
    }


SOME = text(minLength=1)
TIME = text(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$")
WEB = text(pattern="^(https?|ftp)://.+")
TOOL = record(
    "id name version vendor", id=SOME, name=SOME, version=SOME, vendor=record("name", name=SOME)
)
SCAN = record(
    "analyzer end_time scanner start_time status type",
    analyzer=TOOL,
    scanner=TOOL,
    start_time=TIME,
    end_time=TIME,
    status={"enum": ["success", "failure"]},
    type={"enum": ["secret_detection"]},
    messages=listed(record("level value", level={"enum": ["info", "warn", "fatal"]}, value=SOME)),
)
VULNERABILITY = record(
    "id identifiers location",
    id=SOME,
    name=text(maxLength=255),
    description=text(maxLength=1_048_576),
    severity={"enum": ["Info", "Unknown", "Low", "Medium", "High", "Critical"]},
    solution=text(maxLength=7000),
    identifiers=listed(
        record("type name value", type=SOME, name=SOME, value=SOME, url=WEB), minItems=1
    ),
    links=listed(record("url", name=text(), url=WEB)),
    location=record(
        "commit",
        file=text(),
        commit=record("sha", sha=SOME),
        start_line={"type": "number"},
        end_line={"type": "number"},
    ),
)
VALIDATOR = jsonschema.Draft7Validator(
    record(
        "scan version vulnerabilities",
        scan=SCAN,
        version=text(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$"),
        vulnerabilities=listed(VULNERABILITY),
    )
)


def report(result: Outcome, **more: Any) -> Any:
    return json.loads(render("gitlab", result, context(**more)))


@pytest.mark.parametrize(
    "result", [outcome(), eventful(), live_values.audit()], ids=["clean", "all", "audit"]
)
def test_the_report_is_what_the_schema_asks_for(result: Outcome) -> None:
    document = report(result)
    VALIDATOR.validate(document)
    assert len(document["vulnerabilities"]) == len(result.findings)


def test_a_vulnerability_is_named_by_its_rule_alone_and_has_the_same_id_in_each_run() -> None:
    found = finding("acme-token", "src/app.py", 3)
    moved = found._replace(location=found.location._replace(line=9, end_line=9))
    (before,), (after,) = (report(outcome(each))["vulnerabilities"] for each in (found, moved))
    assert before["name"] == "Credential of acme-token"
    assert before["id"] == after["id"]
    assert before["severity"] == "Critical"
    assert [each["value"] for each in before["identifiers"]] == ["acme-token", "798"]
    assert after["location"] == {
        "file": "src/app.py",
        "start_line": 9,
        "end_line": 9,
        "commit": {"sha": "0000000"},
    }


def test_a_file_counts_from_the_top_of_the_repository() -> None:
    (one,) = report(outcome(finding(path="a.py")), in_repository="api/")["vulnerabilities"]
    assert one["location"]["file"] == "api/a.py"


def test_a_gap_makes_the_scan_a_failure_and_is_a_warning_beside_the_findings() -> None:
    gap = Gap(kind="unreadable", path="s/p.yaml", reason="No access")
    document = report(outcome(finding(), gaps=(gap,)))
    assert document["scan"]["status"] == "failure"
    assert len(document["vulnerabilities"]) == 1
    warnings = [each["value"] for each in document["scan"]["messages"] if each["level"] == "warn"]
    assert warnings == ["Not checked, unreadable: s/p.yaml No access"]
    assert report(outcome())["scan"]["status"] == "success"


def test_suppressed_findings_are_counted_and_are_no_vulnerabilities() -> None:
    document = report(eventful())
    names = [each["location"]["file"] for each in document["vulnerabilities"]]
    assert "old.py" not in names
    assert "1 in the baseline" in document["scan"]["messages"][0]["value"]


def test_a_live_secret_stands_at_its_declaration_with_owner_and_runbook() -> None:
    (first, _) = report(live_values.audit())["vulnerabilities"]
    assert first["location"]["file"] == "keywatch.yaml"
    assert "vault://prod/-/secret/app/late" in first["description"]
    assert "Owner: @sec-oncall. Runbook: docs/rotation.md." in first["description"]


def test_long_words_keep_to_the_limits() -> None:
    wordy = rule("x", title="t" * 400, revoke="*" * 20_000)
    VALIDATOR.validate(report(outcome(finding("x", detail="#" * 50_000)), rules={"x": wordy}))
