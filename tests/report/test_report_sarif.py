"""SARIF: what GitHub takes, what the standard says, and what Microsoft's validator finds."""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from markdown_it import MarkdownIt

from scanner.model import Confidence, Gap, Note, Outcome, Severity, Skip
from scanner.report.formats import render
from scanner.report.sarif import sarif
from tests.support import live_values
from tests.support.npm_packages import installed
from tests.support.report_values import RULES, context, eventful, finding, outcome, rule

Validate = Callable[..., list[tuple[str, str, str]]]
HERE = Path(__file__).resolve().parents[1]
PROFILES = ("sarif", "sarif-full")
# The product has no address of its own yet to give as informationUri.
ACCEPTED_WARNINGS = {"SARIF2005"}
# It asks the network for every address; the tests ask nobody.
OFFLINE = """<?xml version="1.0" encoding="utf-8"?>
<Properties>
  <Properties Key="SARIF2006.UrisShouldBeReachable.Options">
    <Property Key="RuleEnabled" Value="Disabled" Type="Driver.RuleEnabledState" />
  </Properties>
</Properties>
"""


def run(result: Outcome, profile: str = "sarif", **more: Any) -> Any:
    log = json.loads(render(profile, result, context(**more)))
    assert log["version"] == "2.1.0"
    (only,) = log["runs"]
    return only


def notices(log: Any) -> Any:
    return log["invocations"][0]["toolExecutionNotifications"]


@pytest.mark.parametrize(
    ("severity", "level", "score"),
    [
        (Severity.CRITICAL, "error", "9.5"),
        (Severity.HIGH, "error", "8.0"),
        (Severity.MEDIUM, "warning", "5.5"),
        (Severity.LOW, "note", "2.0"),
    ],
)
def test_a_severity_is_a_level_and_a_score(severity: Severity, level: str, score: str) -> None:
    only = {"x": rule("x", severity)}
    shown = run(outcome(finding("x", severity=severity)), rules=only)
    (descriptor,) = shown["tool"]["driver"]["rules"]
    assert shown["results"][0]["level"] == level
    assert descriptor["defaultConfiguration"]["level"] == level
    assert descriptor["properties"]["security-severity"] == score


@pytest.mark.parametrize("confidence", Confidence)
def test_confidence_is_the_precision(confidence: Confidence) -> None:
    only = {"x": rule("x", confidence=confidence)}
    shown = run(outcome(finding("x")), rules=only)
    precision = shown["tool"]["driver"]["rules"][0]["properties"]["precision"]
    assert precision == confidence.name.lower()


@pytest.mark.parametrize("profile", PROFILES)
def test_every_index_points_at_the_rule_of_its_id(profile: str) -> None:
    shown = run(eventful(), profile)
    rules = shown["tool"]["driver"]["rules"]
    assert {item["id"] for item in rules} <= {*RULES, "keywatch-note"}
    for result in shown["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    for notice in notices(shown):
        known = shown["tool"]["driver"]["notifications"][notice["descriptor"]["index"]]
        assert known["id"] == notice["descriptor"]["id"]


def test_columns_count_code_points_as_the_model_does() -> None:
    shown = run(outcome(finding()))
    assert shown["columnKind"] == "unicodeCodePoints"
    region = shown["results"][0]["locations"][0]["physicalLocation"]["region"]
    assert region == {"startLine": 1, "startColumn": 7, "endLine": 1, "endColumn": 47}


def test_a_path_is_a_relative_uri_from_the_top_of_the_repository() -> None:
    odd = finding(path=os.fsdecode(b"a b/100%#?:\\\xff/\xc3\xa9.py"))
    (result,) = run(outcome(odd), in_repository="services/api/")["results"]
    address = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert address == {"uri": "services/api/a%20b/100%25%23%3F%3A%5C%FF/%C3%A9.py"}


def test_the_fingerprint_is_ours_in_both_names_and_does_not_move_with_the_line() -> None:
    before = finding(line=3)
    after = before._replace(location=before.location._replace(line=9, end_line=9))
    for each in (before, after):
        (result,) = run(outcome(each))["results"]
        assert result["partialFingerprints"] == {
            "primaryLocationLineHash": before.fingerprint,
            "keywatch/v1": before.fingerprint,
        }


def test_the_first_sentence_of_a_message_says_what_was_found() -> None:
    (result,) = run(outcome(finding("acme-token", detail="in a base64 layer")))["results"]
    assert result["message"]["text"] == (
        "Credential of acme-token 'acme_…x9' in 'API_KEY'. in a base64 layer. "
        "Delete it at acme-token."
    )


def test_a_rule_helps_in_text_and_in_markdown() -> None:
    help_ = run(outcome(finding()))["tool"]["driver"]["rules"][0]["help"]
    for words in ("Revoke", "Delete it at acme-token.", "Rotate", "Purge", "acts as the owner"):
        assert words in help_["text"]
        assert words in help_["markdown"]
    assert MarkdownIt().render(help_["markdown"]).count("<li>") == 3


def test_nothing_holds_a_snippet_or_an_absolute_base() -> None:
    for profile in PROFILES:
        text = render(profile, eventful(), context())
        assert "snippet" not in text
        assert "originalUriBaseIds" not in text


def test_one_category_names_the_static_scan() -> None:
    assert run(outcome())["automationDetails"] == {"id": "keywatch/scan/"}


def test_a_run_without_findings_still_has_a_list_of_results() -> None:
    shown = run(outcome())
    assert shown["results"] == []
    assert shown["invocations"][0]["executionSuccessful"] is True


def test_a_gap_makes_the_execution_unsuccessful_and_says_what_was_not_checked() -> None:
    shown = run(outcome(gaps=(Gap(kind="unreadable", path="s/p.yaml", reason="No access"),)))
    assert shown["invocations"][0]["executionSuccessful"] is False
    assert shown["properties"]["complete"] is False
    (notice,) = notices(shown)
    assert notice["level"] == "error"
    assert notice["message"]["text"] == "Not checked, unreadable: No access."
    assert notice["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "s/p.yaml"}


def test_the_github_profile_makes_no_alert_of_what_is_suppressed_or_noted() -> None:
    shown = run(eventful())
    assert sorted(result["ruleId"] for result in shown["results"]) == [
        "acme-token",
        "bolt-key",
        "dune-id",
    ]
    assert not [result for result in shown["results"] if "suppressions" in result]
    assert [notice["level"] for notice in notices(shown)] == ["error", "note", "note"]


def test_the_full_profile_holds_suppressed_results_with_their_reasons() -> None:
    results = run(eventful(), "sarif-full")["results"]
    said = [each for result in results for each in result["suppressions"]]
    assert len(said) == 4
    assert all("suppressions" in result for result in results)
    entry, comment, *_ = said
    assert entry["kind"] == "external"
    assert entry["justification"] == (
        "a test; by entry; at keywatch.yaml:9; owner @qa; until 2027-06-30"
    )
    assert comment["kind"] == "inSource"


def test_the_full_profile_holds_notes_as_informational_results() -> None:
    shown = run(eventful(), "sarif-full")
    told = [each for each in shown["results"] if each.get("kind") == "informational"]
    assert [each["level"] for each in told] == ["none", "none"]
    assert "structure: No valid YAML." in [each["message"]["text"] for each in told]
    assert [notice["level"] for notice in notices(shown)] == ["error"]


def test_more_results_than_github_takes_are_cut_by_severity_and_it_says_so() -> None:
    low = [finding("dune-id", "a.py", line) for line in range(1, 25_001)]
    result = outcome(*low, *(finding("acme-token", "z.py", line) for line in range(1, 4)))
    shown = run(result)
    assert len(shown["results"]) == 25_000
    assert sum(each["ruleId"] == "acme-token" for each in shown["results"]) == 3
    (notice,) = notices(shown)
    assert notice["descriptor"]["id"] == "keywatch-left-out"
    assert notice["level"] == "error"
    assert notice["message"]["text"].startswith("3 findings left out, of the lowest severities")
    assert shown["properties"]["resultsLeftOut"] == 3
    assert shown["properties"]["complete"] is False
    assert shown["invocations"][0]["executionSuccessful"] is False
    assert len(run(result, "sarif-full")["results"]) == 25_003


def test_a_log_that_zips_to_more_than_github_takes_is_cut_by_severity_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sarif, "BYTES", 100_000)
    noise = random.Random(5)  # its names do not compress
    low = [finding("dune-id", f"{noise.randbytes(300).hex()}.py") for _ in range(1000)]
    result = outcome(*low, finding("acme-token", "z.py"))
    cut = render("sarif", result, context())
    assert 50_000 < len(gzip.compress(cut.encode())) < 100_200
    (shown,) = json.loads(cut)["runs"]
    assert "acme-token" in {each["ruleId"] for each in shown["results"]}
    assert shown["properties"]["resultsLeftOut"] == 1001 - len(shown["results"])


def test_many_gaps_and_notes_are_cut_and_counted() -> None:
    many = [f"{number:04}.py" for number in range(1200)]
    result = outcome(
        gaps=tuple(Gap("unreadable", name, "No access") for name in many),
        notes=tuple(Note("degraded", name, "No valid YAML") for name in many[:1001]),
    )
    told = notices(run(result))
    assert len(told) == 2001
    (left_out,) = [each for each in told if each["descriptor"]["id"] == "keywatch-left-out"]
    assert left_out["message"]["text"].startswith("200 gaps, 1 note left out")
    assert len(notices(run(result, "sarif-full"))) == 1200


def test_only_rules_of_results_are_described() -> None:
    assert run(outcome())["tool"]["driver"]["rules"] == []
    (rule_,) = run(outcome(finding("bolt-key")))["tool"]["driver"]["rules"]
    assert rule_["id"] == "bolt-key"


def test_long_words_of_a_rule_stay_within_what_github_takes() -> None:
    wordy = {"x" * 400: rule("x" * 400, title="{" * 3000, why="\x1b" * 3000)}
    (descriptor,) = run(outcome(finding("x" * 400)), rules=wordy)["tool"]["driver"]["rules"]
    assert len(descriptor["shortDescription"]["text"]) <= 1024
    assert len(descriptor["fullDescription"]["text"]) <= 1024
    assert len(descriptor.get("name", "")) <= 255


def hostile() -> Outcome:
    """Names that a URI, a message or a reader may trip over."""
    names = ("a b%#?.py", "a:b.py", "[x](y).py", "{0}.py", "\x1b[31m\n.py", os.fsdecode(b"\xff.py"))
    return outcome(
        *(
            finding("acme-token", name, n + 1, preview=name, context=name)
            for n, name in enumerate(names)
        ),
        gaps=tuple(Gap(kind="unreadable", path=name, reason=name) for name in names),
        skips=tuple(Skip(kind="binary", path=name) for name in names),
        notes=tuple(Note(kind="structure", path=name, text=name) for name in names),
    )


RESULTS = {
    "empty": outcome(),
    "all": eventful(),
    "odd": hostile(),
    "audit": live_values.audit()._replace(notes=(Note("clock", "vault://prod", "60 s ahead"),)),
}


@pytest.fixture(scope="session")
def multitool(outer_environ: Mapping[str, str]) -> Path:
    """The folder of Microsoft's validator, installed into tests/node_modules when needed."""
    installed("@microsoft/sarif-multitool", outer_environ)
    find = ["node", "-p", "require('@microsoft/sarif-multitool')"]
    found = subprocess.run(find, cwd=HERE, capture_output=True, text=True, check=True)
    tool = Path(found.stdout.strip())
    tool.chmod(0o755)
    return tool


@pytest.fixture(scope="session")
def validate(multitool: Path) -> Validate:
    """Runs the validator; (level, rule, place) of what it finds."""

    def validated(log: Path, *, kinds: str = "Sarif;Ghas") -> list[tuple[str, str, str]]:
        config = log.with_suffix(".xml")
        config.write_text(OFFLINE)
        output = log.with_suffix(".validated")
        argv = [*map(str, (multitool, "validate", log, "--config", config, "--output", output))]
        argv += ["--rule-kind", kinds, "--level", "Error;Warning", "--kind", "Fail"]
        environ = os.environ | {"DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"}
        subprocess.run(argv, env=environ, capture_output=True, check=True)
        (told,) = json.loads(output.read_bytes())["runs"]
        return [
            (each.get("level", "warning"), each["ruleId"], str(each["message"].get("arguments")))
            for each in told["results"]
        ]

    return validated


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
def test_the_log_follows_the_standard_s_schema(
    multitool: Path, profile: str, result: Outcome
) -> None:
    schema = json.loads((multitool.parent / "sarif-2.1.0.json").read_bytes())
    log = json.loads(render(profile, result, context()))
    jsonschema.Draft202012Validator(schema).validate(log)


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
def test_the_validator_finds_no_fault(
    validate: Validate,
    tmp_path: Path,
    profile: str,
    result: Outcome,
) -> None:
    log = tmp_path / "keywatch.sarif"
    log.write_text(render(profile, result, context()))
    told = validate(log, kinds="Sarif;Ghas" if profile == "sarif" else "Sarif")
    assert [each for each in told if each[1] not in ACCEPTED_WARNINGS] == []


@pytest.mark.slow
def test_the_validator_would_find_a_wrong_index(validate: Validate, tmp_path: Path) -> None:
    broken = json.loads(render("sarif", eventful(), context()))
    broken["runs"][0]["results"][0]["ruleIndex"] = 99
    log = tmp_path / "broken.sarif"
    log.write_text(json.dumps(broken))
    assert "SARIF1009" in {told[1] for told in validate(log)}
