"""What holds for every report: nothing secret, stable bytes, formats known by one table."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from scanner.model import Outcome
from scanner.records import Audited
from scanner.report.formats import FORMATS, render, reporter
from tests.support import live_values
from tests.support.report_values import HASH, TAG, context, eventful

ROOT = Path(__file__).resolve().parents[2]


def backwards(outcome: Outcome) -> Outcome:
    """The same outcome as another order of work would have made it."""
    return outcome._replace(
        findings=outcome.findings[::-1],
        suppressed=outcome.suppressed[::-1],
        gaps=outcome.gaps[::-1],
        skips=outcome.skips[::-1],
        notes=outcome.notes[::-1],
        register=outcome.register[::-1],
        coverage=outcome.coverage._replace(
            skipped=dict(sorted(outcome.coverage.skipped.items(), reverse=True))
        ),
    )


@pytest.mark.parametrize("name", FORMATS)
def test_no_report_holds_a_tag_or_a_detect_secrets_hash(name: str) -> None:
    report = render(name, eventful(), context())
    assert HASH not in report
    assert str(TAG) not in report


@pytest.mark.parametrize("name", FORMATS)
def test_the_order_of_work_does_not_show(name: str) -> None:
    assert render(name, eventful(), context()) == render(name, backwards(eventful()), context())


@pytest.mark.parametrize("name", FORMATS)
def test_a_report_says_whether_the_run_was_complete(name: str) -> None:
    report = render(name, eventful(), context())
    marks = ("· incomplete", r"\u00b7 incomplete", "complete: false", '"complete": false')
    assert any(mark in report for mark in marks)
    whole = render(name, eventful()._replace(gaps=()), context())
    assert not any(mark in whole for mark in marks)


@pytest.mark.parametrize("name", FORMATS)
def test_a_report_ends_with_a_newline(name: str) -> None:
    assert render(name, eventful(), context()).endswith("\n")


@pytest.mark.parametrize("name", FORMATS)
def test_a_rule_that_nobody_described_is_reported_by_its_id(name: str) -> None:
    assert "bolt-key" in render(name, eventful(), context(rules={}))


@pytest.mark.parametrize("name", ["json", "prometheus", "csv"])
def test_a_long_report_is_never_held_as_a_whole(name: str) -> None:
    secrets = tuple(live_values.status(f"app/{number:05}", 3) for number in range(5000))
    result = Outcome(findings=(), live=Audited(secrets=secrets))
    tracemalloc.start()
    size = sum(map(len, reporter(name)(result, context())))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < size / 2


def test_the_readme_names_every_format() -> None:
    (table,) = re.findall(r"\n## Reports\n(.*?)\n## ", (ROOT / "README.md").read_text(), re.DOTALL)
    assert sorted(re.findall(r"(?m)^\| `([a-z-]+)` \|", table)) == sorted(FORMATS)


def test_a_clean_run_is_reported_without_loading_rich() -> None:
    code = (
        f"import json, sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from datetime import UTC, datetime\n"
        "from scanner.model import Note, Outcome\n"
        "from scanner.report.interface import ReportContext\n"
        "from scanner.report.formats import render\n"
        "context = ReportContext(rules={}, now=datetime(2027, 1, 31, tzinfo=UTC), version='1')\n"
        "note = Note(kind='structure', path='a.yaml', text='No valid YAML')\n"
        "render('terminal', Outcome(findings=(), notes=(note,)), context)\n"
        "print(json.dumps(sorted(sys.modules)))\n"
    )
    argv = [sys.executable, "-I", "-c", code]
    modules = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
    assert not [name for name in modules if name.split(".")[0] == "rich"]
    assert "scanner.report.terminal.terminal" in modules
