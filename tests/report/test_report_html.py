"""The HTML report: what is on the page, as a parser sees it. The browser has a file of its own."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from scanner.cli import main
from scanner.evidence.ledger import Ledger
from scanner.model import Outcome
from scanner.report.formats import render
from tests.support import html_pages, live_values
from tests.support.helpers import NOW, Keywatch, leak, repository, write_files
from tests.support.report_values import context, eventful, finding, outcome, rule


def sections(page: str) -> list[str]:
    return re.findall(r'<section id="([a-z]+)"', page)


def test_a_section_appears_only_if_there_is_something_in_it() -> None:
    assert sections(render("html", outcome(), context())) == ["overview"]
    assert sections(render("html", eventful(), context())) == [
        *("overview", "findings", "exceptions", "notes"),
    ]
    audit = render("html", live_values.audit(), context(analysis="audit"))
    assert sections(audit) == ["overview", "findings", "rotation", "changes"]
    everything = render("html", html_pages.outcome(), html_pages.given())
    assert sections(everything) == [
        *("overview", "repositories", "findings", "rotation", "changes", "access", "exceptions"),
        *("trend", "controls", "notes"),
    ]
    assert set(re.findall(r'<li><a href="#([a-z]+)">', everything)) == {*sections(everything)}


def test_the_address_of_a_finding_is_its_fingerprint() -> None:
    one = finding(fingerprint="ab12" * 8)
    page = render("html", outcome(one, one._replace(detail="another")), context())
    assert f'<li id="{one.fingerprint}"' in page
    assert f'<a href="#{one.fingerprint}">{one.id}</a>' in page
    assert f'<li id="{one.fingerprint}-2"' in page


def test_only_web_addresses_become_links() -> None:
    def source(address: str) -> str:
        rules = {"acme-token": rule("acme-token", source=address)}
        return render("html", outcome(finding()), context(rules=rules))

    assert 'href="https://acme.invalid/"' in source("https://acme.invalid/")
    assert "javascript" not in source("javascript:alert(1)")


def test_the_bar_of_an_age_shows_limit_grace_and_what_is_not_known() -> None:
    def bar(name: str) -> str:
        row = re.search(rf"{name}</code>.*?</tr>", page, re.DOTALL)
        assert row
        return row[0]

    live = live_values.audited()._replace(
        secrets=(
            live_values.status("late", 104, "overdue"),
            live_values.status("bound", 40, oldest=None),
            live_values.status("ages", 400, "overdue"),
        )
    )
    page = render("html", Outcome(findings=(), live=live), context(analysis="audit"))
    late = bar("late")
    assert '<line class="limit" x1="112"' in late  # two thirds of the bar
    assert '<rect class="grace" x="112"' in late
    assert "104d" in late
    assert "of 90d + 7d" in late
    assert "2027-01-17" in late
    assert "14d ago" in late
    assert 'class="maybe"' in bar("bound")
    assert 'class="maybe"' not in late
    assert '<path class="age"' in bar("ages")  # an arrow: it does not fit


def test_the_command_writes_the_report_and_shows_no_secret(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    write_files(repository(tmp_path / "app"), {"app.py": leak()})
    done = keywatch("scan", ".", "--report", "html=../report.html", "-q", cwd=tmp_path / "app")
    page = (tmp_path / "report.html").read_text()
    assert done.returncode == 1
    assert "app.py:1:" in page
    assert leak().split('"')[1] not in page


def test_the_trend_and_the_controls_come_from_a_ledger(keywatch: Keywatch, tmp_path: Path) -> None:
    write_files(repository(tmp_path / "app"), {"app.py": leak()})
    for day in (1, 2, 3):
        now = f"2026-11-0{day}T08:00:00Z"
        keywatch("scan", "-q", "--report=json=../run.json", "--now", now, cwd=tmp_path / "app")
        if day < 3:
            keywatch("evidence", "record", "run.json", "--place=kept", "--now", now, cwd=tmp_path)
    argv = ["report", "run.json", "--report=html=r.html", "--evidence=kept", "-q"]
    assert keywatch(*argv, cwd=tmp_path).returncode == 0
    page = (tmp_path / "r.html").read_text()
    assert "3 runs from 2026-11-01 to 2026-11-03" in page
    assert "controls" in sections(page)

    (file,) = (tmp_path / "kept").glob("*.jsonl")
    file.write_bytes(file.read_bytes().replace(b"app.py", b"xxx.py"))
    keywatch(*argv, cwd=tmp_path)
    page = (tmp_path / "r.html").read_text()
    assert "The ledger was changed" in page
    assert "trend" not in sections(page)


def test_an_empty_ledger_says_so(keywatch: Keywatch, tmp_path: Path) -> None:
    repository(tmp_path / "app")
    keywatch("scan", "-q", "--report=json=../run.json", "--now", NOW, cwd=tmp_path / "app")
    assert not Ledger(str(tmp_path / "kept")).files()
    keywatch("report", "run.json", "--report=html=r.html", "--evidence=kept", cwd=tmp_path)
    assert "The ledger is empty" in (tmp_path / "r.html").read_text()


def test_without_jinja_the_run_stops_before_it_begins(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert main(["scan", "--report", "html=report.html"]) == 2
    assert "keywatch[html]" in capfd.readouterr().err
