"""Reports for CI systems and spreadsheets: GitHub's annotations, JUnit XML, CSV."""

from __future__ import annotations

import csv
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import xmlschema

from scanner.model import FailOn, Gap, Note, Outcome, Severity
from scanner.report.formats import render
from tests.report.test_report_hostile import Command, runner
from tests.support import live_values
from tests.support.helpers import unavailable
from tests.support.report_values import context, eventful, finding, outcome

# Its source distribution, and nothing that is installed, holds the schema.
CARRIER = "pytest==8.4.2"
XSD = "testing/example_scripts/junit-10.xsd"


def commands(result: Outcome, **more: Any) -> list[Command]:
    lines = render("github", result, context(**more)).splitlines()
    return [command for command in map(runner, lines) if command]


def suite(result: Outcome, **more: Any) -> ET.Element:
    return ET.fromstring(render("junit", result, context(**more)))[0]


def rows(result: Outcome, **more: Any) -> list[dict[str, str]]:
    return [*csv.DictReader(render("csv", result, context(**more)).splitlines())]


@pytest.mark.parametrize(
    ("severity", "level"),
    [
        (Severity.CRITICAL, "error"),
        (Severity.HIGH, "error"),
        (Severity.MEDIUM, "warning"),
        (Severity.LOW, "notice"),
    ],
)
def test_a_severity_is_a_level_of_github(severity: Severity, level: str) -> None:
    (one,) = commands(outcome(finding(severity=severity)))
    assert one.name == level


def test_an_annotation_stands_at_its_place_and_says_what_to_do() -> None:
    found = finding("acme-token", "src/a,b:c%2C.py", 3)
    (one,) = commands(outcome(found), in_repository="api/")
    assert one.properties == {
        "file": "api/src/a,b:c%2C.py",
        "line": "3",
        "endLine": "3",
        "col": "7",
        "endColumn": "47",
        "title": "Credential of acme-token",
    }
    assert one.message == (
        "Credential of acme-token 'acme_…x9' in 'API_KEY'. Delete it at acme-token. "
        f"Id: {found.id}."
    )


def test_of_several_lines_github_takes_no_columns() -> None:
    found = finding()
    long = found._replace(location=found.location._replace(end_line=4))
    (one,) = commands(outcome(long))
    assert {"line", "endLine", "title", "file"} == {*one.properties}


def test_a_gap_is_an_error_and_a_live_one_names_no_file() -> None:
    one, live = commands(
        outcome(gaps=(Gap("denied", "s.yaml", "No access"), Gap("down", "vault://prod", "Gone")))
    )
    assert (one.name, one.properties["file"], one.message) == ("error", "s.yaml", "No access")
    assert live.properties == {"title": "Not checked: down"}


def test_of_more_than_ten_of_a_level_the_gravest_nine_are_shown_and_the_rest_counted() -> None:
    many = [finding("bolt-key", "b.py", line) for line in range(1, 13)]
    low = [finding("dune-id", "c.py", line) for line in range(1, 11)]
    result = outcome(*many, finding("acme-token", "z.py"), *low, gaps=(Gap("a", "b", "c"),))
    shown = commands(result)
    assert Counter(each.name for each in shown) == {"error": 10, "notice": 10}
    assert shown[0].properties["file"] == "z.py"
    assert shown[9].message == (
        "4 findings, 1 gap more. For all of them: keywatch scan --report json=FILE"
    )
    assert shown[9].properties == {"title": "keywatch: not shown here"}
    assert shown[19].properties["file"] == "c.py"


def test_a_message_is_no_longer_than_the_runner_takes() -> None:
    (one,) = commands(outcome(notes=(Note("degraded", "a.py", "%" * 9000),)))
    assert len(one.message) == 4096


def test_the_last_line_is_the_result_and_no_command() -> None:
    *_, last = render("github", eventful(), context()).splitlines()
    assert last.startswith("keywatch: 3 findings (1 critical, 1 high, 1 low) · incomplete · ")
    assert render("github", outcome(), context()).startswith("keywatch: clean · 214 files")


def test_a_finding_is_a_failed_test_and_a_suppressed_one_is_skipped_with_its_reason() -> None:
    results = {case.attrib["name"]: case for case in suite(eventful()).findall("testcase")}
    failed = [name for name, case in results.items() if case.find("failure") is not None]
    assert len(failed) == 3
    skipped = [case.find("skipped") for case in results.values()]
    messages = [each.attrib["message"] for each in skipped if each is not None]
    assert messages[0] == "a test; by entry; owner @qa; until 2027-06-30"
    assert len(messages) == 4


def test_a_failure_says_where_what_and_what_to_do() -> None:
    found = finding("acme-token", "src/app.py", 3, detail="in base64")
    case = suite(outcome(found))[1]
    assert case.attrib == {
        "classname": "src/app.py",
        "name": f"Credential of acme-token (acme-token {found.id})",
    }
    failure = case[0]
    assert failure.attrib["type"] == "critical"
    assert failure.text
    assert failure.attrib["message"].startswith("Credential of acme-token")
    assert failure.text.startswith("src/app.py:3:7\nin base64.\nRevoke: ")
    lines = [failure.attrib["message"], *failure.text.splitlines()]
    assert len({line.partition(": ")[2] or line for line in lines}) == len(lines)  # none twice
    assert "Rotate: Make a new one at acme-token." in failure.text


def test_below_fail_on_a_finding_fails_no_test() -> None:
    seen = suite(eventful(), fail_on=FailOn(Severity.CRITICAL))
    assert (seen.attrib["failures"], seen.attrib["skipped"]) == ("1", "6")
    low = next(each.attrib["message"] for each in seen.iter("skipped"))
    assert low == "low, below --fail-on critical"


def test_a_gap_is_a_test_in_error_and_a_clean_run_has_one_test() -> None:
    (error,) = suite(eventful()).iter("error")
    assert error.attrib == {"type": "unreadable", "message": "Permission denied"}
    clean = suite(outcome())
    assert (clean.attrib["tests"], clean.attrib["failures"]) == ("1", "0")


@pytest.fixture(scope="session")
def junit_xsd(
    tmp_path_factory: pytest.TempPathFactory, outer_environ: Mapping[str, str]
) -> xmlschema.XMLSchema:
    """junit-10.xsd of Jenkins' xunit plugin."""
    folder = tmp_path_factory.mktemp("xsd")
    fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    fetch += ["--no-binary", "pytest", "--dest", str(folder), CARRIER]
    done = subprocess.run(fetch, env=outer_environ, capture_output=True, text=True, check=False)
    if done.returncode:
        unavailable(f"the schema could not be fetched: {done.stderr[-500:]}")
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        (member,) = [each for each in tar.getmembers() if each.name.endswith(XSD)]
        file = tar.extractfile(member)
        assert file
        return xmlschema.XMLSchema(file.read().decode())


@pytest.mark.slow
@pytest.mark.parametrize(
    "result", [outcome(), eventful(), live_values.audit()], ids=["clean", "all", "audit"]
)
def test_junit_is_what_the_schema_of_jenkins_asks_for(
    junit_xsd: xmlschema.XMLSchema, result: Outcome
) -> None:
    junit_xsd.validate(render("junit", result, context()))


@pytest.mark.slow
def test_the_schema_would_find_an_attribute_that_jenkins_does_not_know(
    junit_xsd: xmlschema.XMLSchema,
) -> None:
    wrong = render("junit", eventful(), context()).replace("classname=", "file=")
    assert not junit_xsd.is_valid(wrong)


def test_csv_has_a_row_for_the_run_and_for_each_thing() -> None:
    kinds = Counter(row["row"] for row in rows(eventful()))
    assert kinds == {"run": 1, "finding": 3, "suppressed": 4, "gap": 1, "note": 2}
    assert "incomplete" in rows(eventful())[0]["detail"]


def test_csv_tells_by_what_a_finding_is_covered_and_until_when() -> None:
    covered = next(row for row in rows(eventful()) if row["row"] == "suppressed")
    assert covered["excepted_by"] == "entry"
    assert covered["excepted_at"] == "keywatch.yaml:9"
    assert (covered["reason"], covered["excepted_until"]) == ("a test", "2027-06-30")


def test_csv_of_an_audit_has_the_inventory_with_ages_in_seconds() -> None:
    inventory = {row["secret"]: row for row in rows(live_values.audit()) if row["row"] == "secret"}
    late = inventory["vault://prod/-/secret/app/late"]
    assert (late["verdict"], late["conditions"]) == ("overdue", "rotation-failing")
    assert (late["youngest"], late["limit"]) == (str(104 * 86_400), str(90 * 86_400))
    assert inventory["vault://prod/-/secret/app/v1"]["oldest"] == ""


@pytest.mark.parametrize("start", ["=", "+", "-", "@", " =", "\t=", "\uff1d"])
def test_csv_holds_no_formula(start: str) -> None:
    row = rows(outcome(finding(context=f"{start}cmd|'/C calc'!A0")))[1]
    assert row["context"][0] in "'\\"
