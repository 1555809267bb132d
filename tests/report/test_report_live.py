"""What reports show of an audit: a table by class with bars of age, and where each finding is."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from scanner.errors import ConfigError
from scanner.model import Gap, Note, Outcome
from scanner.records import Audited, Change, Reach
from scanner.report.formats import render
from scanner.report.sarif import carried_forward
from tests.support.live_values import DAY, audit, live_finding, status
from tests.support.report_values import NOW, context, finding

SGR = re.compile(r"\x1b\[[0-9;]*m")
ID = "vault://prod/-/secret/app/late"


def of(*secrets: Any, **more: Any) -> Outcome:
    words = {"reach": (Reach("prod", "vault", len(secrets), len(secrets)),)} | more
    return Outcome(findings=(), live=Audited(secrets=secrets, **words))


def show(result: Outcome, **more: Any) -> str:
    return render("terminal", result, context(command="keywatch audit", **more))


def row(result: Outcome, name: str, **more: Any) -> str:
    (line,) = [each for each in show(result, **more).splitlines() if each.endswith(name)]
    return line


def samples(result: Outcome) -> dict[str, dict[str, float]]:
    """By name, the value of each series, by its labels as they are written."""
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(render("prometheus", result, context())):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sample.labels.items())
            found.setdefault(sample.name.removeprefix("keywatch_"), {})[labels] = sample.value
    return found


@pytest.mark.parametrize(
    ("least", "most", "shown"),
    [
        (0, 0, "··········│     0s"),
        (45, 45, "█████·····│     45d"),
        (90, 90, "██████████│     90d"),
        (91, 91, "██████████│█    91d"),
        (900, 900, "██████████│███  900d"),
        (45, None, "█████░░░░░│░░░  ≥ 45d"),
        (None, 45, "░░░░░·····│     ≤ 45d"),
        (45, 70, "█████░░···│     45d to 70d"),
        (None, None, "░░░░░░░░░░│░░░  ?"),
    ],
)
def test_a_bar_is_solid_where_the_age_is_certain_and_shaded_where_it_may_be(
    least: int | None, most: int | None, shown: str
) -> None:
    bounds = [None if days is None else days * DAY for days in (least, most)]
    one = status("x", 1, youngest=bounds[0], oldest=bounds[1])
    assert row(of(one), "/x").startswith(f"  {shown}  ok")


def test_a_secret_without_a_limit_has_an_age_and_no_bar() -> None:
    one = status("x", 3, "", limit=None, secret_class="", conditions=("unmanaged",))
    assert row(of(one), "/x") == "  3d  unmanaged  vault://prod/-/secret/x"


def test_periods_of_hours_are_not_rounded_to_days() -> None:
    text = show(of(status("x", 0, secret_class="token", limit=DAY, youngest=5400, oldest=5400)))
    assert "token · every 24h" in text
    assert "90m  ok" in text


def test_classes_stand_in_order_with_the_worst_secrets_first_and_no_class_last() -> None:
    text = show(audit())
    titles = re.findall(r"(?m)^(\S+(?: class)?)(?: · every \S+)?\n  \d+ secrets?:", text)
    assert titles == ["api-key", "service-token", "no class"]
    rows = re.findall(r"secret/app/(\w+)\n", text.split("service-token")[0])
    assert rows == ["late", "v1", "soon", "bound", "range", "fresh", "most"]
    assert "7 secrets: 1 overdue, 1 undated, 1 due soon, 4 ok" in text


def test_a_long_class_shows_its_worst_and_counts_the_rest() -> None:
    late = [status(f"late{n:02}", 100 + n, "overdue") for n in range(3)]
    text = show(of(*(status(f"ok{n:03}", 3) for n in range(200)), *late))
    assert "203 secrets: 3 overdue, 200 ok" in text
    assert "… and 163 more: 163 ok" in text
    assert text.index("late02") < text.index("late00") < text.index("ok000")


def test_what_is_wrong_beside_the_age_is_counted_and_never_hidden_by_an_ok() -> None:
    both = status("a", 100, "overdue", conditions=("rotation-failing", "not-revoked"))
    fine = status("b", 3, conditions=("rotation-failing",))
    assert "overdue +2" in row(of(both, fine), "/a")
    assert "rotation failing" in row(of(both, fine), "/b")


@pytest.mark.parametrize("width", [80, 120])
def test_a_table_keeps_to_the_width_and_its_ids_can_be_told_apart(width: int) -> None:
    long = [status(f"{'team/' * 20}app-{n}/key", 3) for n in range(3)]
    lines = show(of(*long), width=width).splitlines()
    assert max(map(len, lines)) <= width
    assert len({line for line in lines if line.endswith("/key")}) == 3


def test_colours_change_no_letter_of_a_table() -> None:
    plain, bright = (show(audit(), color=color) for color in (False, True))
    assert "\x1b" not in plain
    assert SGR.sub("", bright) == plain
    (late,) = re.findall(r"\n.*app/late\n", bright.split("service-token")[0])
    assert "\x1b[31m" in late


def test_a_clean_audit_shows_its_table_and_says_clean() -> None:
    text = show(of(status("x", 3)))
    assert "vault://prod/-/secret/x" in text
    assert text.endswith("✓ clean\n  prod: 1 secret\n")


def test_coverage_is_told_in_numbers_for_each_backend() -> None:
    text = show(audit())
    assert "eks: 9 secrets · prod: 412 of 415 paths; 3 denied" in text
    down = of(reach=(Reach("prod", "vault", 0, 1, {"unreachable": 1}),))
    assert "prod: nothing read; 1 unreachable" in show(down)


def test_a_finding_about_a_live_secret_names_it_its_declaration_owner_and_runbook() -> None:
    text = show(audit(), open_from="../")
    assert re.search(r"(?m)^\.\./keywatch\.yaml:3:7 .* vault://prod/-/secret/app/late: ", text)
    assert "; Owner: @sec-oncall; Runbook: docs/rotation.md" in text


def test_a_gap_of_the_live_side_is_no_file_and_its_id_stands_as_it_is() -> None:
    text = show(audit(), open_from="../")
    assert "NOT CHECKED  1 path: secrets there were not audited" in text
    assert "    vault://prod/-/secret/closed  denied: no read\n" in text


def test_changes_are_shown_with_the_bad_ones_first() -> None:
    text = show(audit())
    assert "changes since 2027-01-30T12:00:00Z: 4 secrets" in text
    assert re.findall(r"(?m)^  (worse|new|gone|better)", text) == ["worse", "new", "gone", "better"]
    assert "grace → overdue, rotation-failing" in text
    assert "changes" not in show(of(status("x", 3)))


def test_many_changes_are_cut_and_counted() -> None:
    changed = tuple(Change(f"vault://prod/-/s/{n:02}", "new", "", "ok") for n in range(30))
    assert "… and 10 more" in show(of(status("x", 3), changes=changed, since=NOW))


def test_markdown_has_a_table_of_classes_changes_findings_and_gaps() -> None:
    text = render("markdown", audit(), context())
    assert text.startswith("# keywatch: ✗ 2 findings (1 critical, 1 low) · incomplete\n")
    assert (
        "| api-key | 90d | 7 | 1 overdue, 1 undated, 1 due soon, 4 ok | 1 rotation-failing |"
        in text
    )
    assert "## Changes since 2027-01-30T12:00:00Z" in text
    assert (
        "| critical | Credential of acme-token | vault://prod/-/secret/app/late, keywatch" in text
    )
    assert "| denied | vault://prod/-/secret/closed | no read |" in text


def test_markdown_of_a_scan_shows_the_value_masked_and_its_place() -> None:
    result = Outcome(findings=(finding(),), notes=(Note("x", "a.py", "a text", line=3),))
    text = render("markdown", result, context())
    assert "| acme\\_…x9, API\\_KEY, src/app.py:1 |" in text
    assert "| note | a.py:3 | a text |" in text


def test_markdown_cuts_a_long_table_and_counts_the_rest() -> None:
    many = Outcome(findings=tuple(finding(line=n + 1) for n in range(250)))
    text = render("markdown", many, context())
    assert text.count("\n| critical |") == 200
    assert "… and 50 more" in text


def test_prometheus_tells_age_limit_due_and_verdict_by_backend_class_owner_and_id() -> None:
    found = samples(audit())
    labels = f"backend=prod,class=api-key,owner=@sec-oncall,id={ID}"
    assert found["secret_age_seconds"][f"{labels},bound=exact"] == 104 * DAY
    assert found["secret_limit_seconds"][labels] == 90 * DAY
    due = (NOW - timedelta(days=14)).timestamp()
    assert found["secret_due_timestamp_seconds"][labels] == due
    assert found["secret_verdict"][f"{labels},verdict=overdue"] == 1
    assert found["secret_condition"][f"{labels},condition=rotation-failing"] == 1


def test_prometheus_tells_bounds_apart_from_what_is_known() -> None:
    ages = samples(audit())["secret_age_seconds"]
    bounds = {
        (labels.split("id=")[1].split(",")[0].rsplit("/", 1)[1], labels.rsplit("=", 1)[1]): value
        for labels, value in ages.items()
    }
    assert bounds["bound", "least"] == 40 * DAY
    assert ("bound", "most") not in bounds
    assert bounds["range", "least"] == 20 * DAY
    assert bounds["range", "most"] == bounds["most", "most"] == 60 * DAY
    assert not [name for name, _ in bounds if name == "v1"]


def test_prometheus_tells_coverage_and_when_each_backend_was_last_read_to_the_end() -> None:
    found = samples(audit())
    assert found["complete"][""] == 0
    assert found["run_timestamp_seconds"][""] == NOW.timestamp()
    assert found["backend_secrets_read"]["backend=prod,kind=vault"] == 412
    assert found["backend_paths_known"]["backend=prod,kind=vault"] == 415
    assert found["backend_gaps"]["backend=prod,kind=vault,gap=denied"] == 3
    last = found["backend_last_success_timestamp_seconds"]
    assert last["backend=prod,kind=vault"] == (NOW - timedelta(days=1)).timestamp()
    assert last["backend=eks,kind=kubernetes"] == NOW.timestamp()
    assert found["findings"]["rule=acme-token,severity=critical"] == 1


def test_prometheus_shows_a_secret_that_came_twice_once_with_the_greater_age() -> None:
    found = samples(of(status("x", 3), status("x", 100, "overdue")))
    assert [*found["secret_age_seconds"].values()] == [100 * DAY]


def log(result: Outcome) -> Any:
    return json.loads(render("sarif", result, context(analysis="audit")))


def runs(result: Outcome) -> dict[str, Any]:
    """By the last part of their categories."""
    found = log(result)["runs"]
    return {each["automationDetails"]["id"].split("/")[-2]: each for each in found}


def test_each_store_has_a_sarif_category_of_its_own_that_no_other_store_changes() -> None:
    one = audit()
    assert one.live
    alone = one._replace(live=one.live._replace(reach=one.live.reach[:1]))
    both = [each["automationDetails"]["id"] for each in log(one)["runs"]]
    assert both == ["keywatch/audit/eks/", "keywatch/audit/prod/", "keywatch/audit/"]
    assert runs(alone)[one.live.reach[0].backend] == runs(one)[one.live.reach[0].backend]


def test_what_a_gap_may_hide_is_incomplete_in_its_own_category_and_in_that_of_all() -> None:
    done = {name: run["invocations"][0] for name, run in runs(audit()).items()}
    successful = {name: one["executionSuccessful"] for name, one in done.items()}
    assert successful == {"prod": False, "eks": True, "audit": False}


def test_what_is_of_no_single_store_has_the_category_of_the_audit() -> None:
    anywhere = live_finding("app/late")
    assert anywhere.resource
    anywhere = anywhere._replace(resource=anywhere.resource._replace(id="vault://*/-/secret/x"))
    both = audit()._replace(findings=(anywhere, finding(), live_finding("app/late")))
    results = {name: len(run["results"]) for name, run in runs(both).items()}
    assert results == {"prod": 1, "eks": 0, "audit": 2}


def test_results_of_a_store_that_is_carried_forward_keep_its_category() -> None:
    other = live_finding("app/late")
    assert other.resource
    other = other._replace(resource=other.resource._replace(id="aws://away/1/eu/kms/x"))
    result = audit()._replace(findings=(other,))
    assert [len(run["results"]) for run in log(result)["runs"]] == [0, 0, 1, 0]
    assert len(runs(result)["away"]["results"]) == 1


def test_sarif_anchors_a_live_result_at_its_declaration_and_names_it_beside() -> None:
    run = runs(audit())["prod"]
    place = run["results"][0]["locations"][0]
    assert place["physicalLocation"]["artifactLocation"] == {"uri": "keywatch.yaml"}
    assert place["physicalLocation"]["region"]["startLine"] == 3
    assert place["logicalLocations"] == [{"fullyQualifiedName": ID, "kind": "resource"}]
    assert run["automationDetails"] == {"id": "keywatch/audit/prod/"}
    message = run["results"][0]["message"]["text"]
    assert message.startswith(f"Credential of acme-token in '{ID}'.")
    assert message.endswith("Owner: @sec-oncall. Runbook: docs/rotation.md.")


def test_sarif_names_a_gap_of_the_live_side_as_no_file() -> None:
    run = runs(audit())["prod"]
    assert run["invocations"][0]["executionSuccessful"] is False
    (notice,) = run["invocations"][0]["toolExecutionNotifications"]
    named = [{"fullyQualifiedName": "vault://prod/-/secret/closed", "kind": "resource"}]
    assert notice["locations"] == [{"logicalLocations": named}]


def test_a_sarif_log_gives_its_live_findings_back_with_the_time_of_its_run() -> None:
    result = audit()._replace(findings=(*audit().findings, finding()))
    data = render("sarif", result, context()).encode()
    back = carried_forward.findings(data, "old.sarif")
    assert [each.rule for each in back] == ["acme-token", "dune-id"]
    before = live_finding("app/late", detail="104d old, limit 90d (api-key)")
    assert before.resource
    resource = before.resource._replace(as_of="2027-01-31T12:00:00Z")
    place = before.location._replace(column=1, end_column=1)
    assert back[0] == before._replace(location=place, resource=resource)


def test_what_was_carried_forward_twice_keeps_the_time_when_it_was_seen() -> None:
    first = carried_forward.findings(render("sarif", audit(), context()).encode(), "1")
    later = context(now=NOW + timedelta(days=1))
    text = render("sarif", audit()._replace(findings=first), later)
    again = carried_forward.findings(text.encode(), "2")
    assert {one.resource.as_of for one in again if one.resource} == {"2027-01-31T12:00:00Z"}
    assert "Not checked again since 2027-01-31T12:00:00Z." in text


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b'{"runs": [{}]}',
        b'{"runs": [{"tool": {"driver": {"name": "x"}}}]}',
        b"[" * 100_000,
        json.dumps(
            {
                "runs": [
                    {
                        "tool": {"driver": {"name": "keywatch"}},
                        "invocations": [{"startTimeUtc": "x"}],
                        "results": [{"properties": {"resource": {}}}],
                    }
                ]
            }
        ).encode(),
    ],
)
def test_what_is_no_sarif_log_of_keywatch_is_named(data: bytes) -> None:
    with pytest.raises(ConfigError, match=r"old\.sarif is not a SARIF log of keywatch"):
        carried_forward.findings(data, "old.sarif")


def test_a_sarif_full_log_is_carried_forward_too() -> None:
    result = audit()._replace(notes=(Note("x", "a.py", "a text"),), gaps=(Gap("a", "b", "c"),))
    back = carried_forward.findings(render("sarif-full", result, context()).encode(), "old")
    assert len(back) == 2
