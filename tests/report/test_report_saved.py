"""`keywatch report`: a saved run in another format is what the run itself would have written."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from scanner.errors import ConfigError
from scanner.model import (
    Acceptance,
    Appearance,
    Confidence,
    FailOn,
    Gap,
    Note,
    Outcome,
    Severity,
    Skip,
)
from scanner.report import saved
from scanner.report.formats import FORMATS, render
from scanner.report.text import storable
from tests.report.test_report_hostile import NAMES
from tests.report.test_report_hostile import context as hostile_context
from tests.report.test_report_hostile import outcome as hostile_outcome
from tests.support import live_values
from tests.support.helpers import NOW, Keywatch, leak, repository, write_files
from tests.support.report_values import context, eventful, finding, outcome

GONE = Appearance("5e" * 20, "Ann <ann@example.org>", "2026-11-20T08:00:00+01:00", present=False)
OUTCOMES = {
    "clean": outcome(),
    "all": eventful(),
    "audit": live_values.audit(),
    "history": outcome(finding(since=GONE)),
}
ODD = os.fsdecode(b"caf\xe9/\xff.py")


def again(name: str, text: str, **shown: Any) -> str:
    """The format `name` of a saved run."""
    result, given = saved.read(text.encode(), "run.json")
    return render(name, result, given._replace(**shown))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("result", OUTCOMES.values(), ids=OUTCOMES)
def test_a_saved_run_gives_each_format_byte_for_byte(name: str, result: Outcome) -> None:
    given = context(
        fail_on=FailOn(Severity.HIGH, Confidence.LOW),
        acceptance=Acceptance.APPROVAL,
        open_from="../",
        analysis="audit/prod",
        command="keywatch audit 'a b'",
        root="a b",
    )
    assert again(name, render("json", result, given)) == render(name, result, given)


@pytest.mark.parametrize("words", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("name", FORMATS)
def test_so_does_one_with_hostile_words_in_every_field(name: str, words: str) -> None:
    result, given = hostile_outcome(storable(words)), hostile_context(storable(words))
    assert again(name, render("json", result, given)) == render(name, result, given)


@pytest.mark.parametrize("name", FORMATS)
def test_a_path_that_is_no_utf_8_comes_back_with_all_its_bytes(name: str) -> None:
    result = outcome(
        finding(path=ODD),
        gaps=(Gap("unreadable", ODD, "No access"),),
        skips=(Skip("binary", ODD),),
        notes=(Note("degraded", ODD, "No valid YAML"),),
    )
    assert again(name, render("json", result, context())) == render(name, result, context())


def test_every_rule_of_a_finding_comes_back_whole() -> None:
    _, given = saved.read(render("json", eventful(), context()).encode(), "run.json")
    assert given.rules == {name: context().rules[name] for name in given.rules}
    assert {*given.rules} == {"acme-token", "bolt-key", "dune-id"}


def spoiled(*keys: str | int, value: Any) -> bytes:
    """A good report with another value in one place."""
    document = json.loads(render("json", _all(), context()))
    place = document
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    return json.dumps(document).encode()


def _all() -> Outcome:
    return eventful()._replace(live=live_values.audited())


@pytest.mark.parametrize(
    "data",
    [
        spoiled("findings", value=[]),
        spoiled("gaps", value=[]),
        spoiled("complete", value=True),
        spoiled("summary", value=None),
        spoiled("findings", 0, "severity", value="grave"),
        spoiled("findings", 0, "severity", value=3),
        spoiled("findings", 0, "location", "line", value="1"),
        spoiled("findings", 0, "location", "line", value=-1),
        spoiled("findings", 0, "location", "line", value=True),
        spoiled("findings", 0, "preview", value={"a": 1}),
        spoiled("findings", 0, value="x"),
        spoiled("rules", value=[]),
        spoiled("coverage", "files", value=10**30),
        spoiled("generated_at", value="2027-01-31T12:00:00"),
        spoiled("generated_at", value="9999-12-31T12:00:00Z"),
        spoiled("live", "changes", 0, "how", value="other"),
        spoiled("live", "secrets", 0, "oldest", value=1.5),
        spoiled("live", "secrets", 0, "conditions", value=5),
        spoiled("suppressed", 0, "suppression", "until", value=None),
    ],
)
def test_a_report_that_was_changed_is_refused(data: bytes) -> None:
    with pytest.raises(ConfigError, match=r"run\.json is not a complete report of keywatch"):
        saved.read(data, "run.json")


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"null",
        b'"keywatch"',
        b"{}",
        b'{"schema_version": 1, "tool": {"name": "other"}}',
        b'{"schema_version": "1", "tool": {"name": "keywatch"}}',
        render("sarif", eventful(), context()).encode(),
        b"[" * 100_000,
        b"\xff\xfe\xff",
    ],
)
def test_what_is_no_report_of_keywatch_is_named(data: bytes) -> None:
    with pytest.raises(ConfigError, match=r"run\.json is not a JSON report of keywatch"):
        saved.read(data, "run.json")


@pytest.mark.parametrize("length", [0, 1, 1000])
def test_a_report_that_was_cut_short_is_named_with_its_line(length: int) -> None:
    data = render("json", eventful(), context()).encode()[:length]
    with pytest.raises(ConfigError, match=r"is not JSON, or was cut off") as caught:
        saved.read(data, "run.json")
    assert caught.value.where.startswith("run.json:")


def test_a_report_of_a_later_version_is_told_from_a_damaged_one() -> None:
    with pytest.raises(ConfigError, match=r"run\.json is a report of version 2") as caught:
        saved.read(spoiled("schema_version", value=2), "run.json")
    assert caught.value.why == "this keywatch reads version 1"


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory, keywatch: Keywatch) -> Path:
    """A repository, and beside it what a scan wrote in each format, from a folder of it."""
    root = tmp_path_factory.mktemp("saved")
    repo = repository(root / "repo")
    allowed = '# keywatch{} allow github-personal-access-token reason="a sample" owner=@qa until='
    write_files(
        repo,
        {"api/a.py": leak(1), "b.py": leak(2).rstrip() + f"  {allowed.format(':')}2027-01-31\n"},
    )
    reports = [f"--report={name}={root / name}" for name in FORMATS]
    done = keywatch("scan", f"--now={NOW}", *reports, cwd=repo / "api")
    assert done.returncode == 1, done.stderr
    return root


@pytest.mark.parametrize("name", FORMATS)
def test_a_scan_is_saved_and_written_again(
    name: str, scanned: Path, keywatch: Keywatch, tmp_path: Path
) -> None:
    done = keywatch("report", "json", f"--report={name}={tmp_path / name}", cwd=scanned)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / name).read_bytes() == (scanned / name).read_bytes()


def test_without_a_format_the_run_is_shown_and_the_exit_code_is_0(
    scanned: Path, keywatch: Keywatch
) -> None:
    text = (scanned / "json").read_bytes()
    for arguments in (("json",), ("-",)):
        done = keywatch("report", *arguments, cwd=scanned, stdin=text)
        assert (done.returncode, done.stdout) == (0, (scanned / "terminal").read_bytes())


def test_what_cannot_be_read_or_written_has_its_own_exit_code(
    scanned: Path, keywatch: Keywatch
) -> None:
    bad = keywatch("report", "sarif", cwd=scanned)
    assert bad.returncode == 2
    assert b"sarif is not a JSON report of keywatch" in bad.stderr
    absent = keywatch("report", "absent.json", cwd=scanned)
    assert (absent.returncode, absent.stdout) == (2, b"")
    assert b"absent.json cannot be read" in absent.stderr
    unwritable = keywatch("report", "json", "--report=csv=no/such/folder", cwd=scanned)
    assert unwritable.returncode == 3
    assert b"could not be written" in unwritable.stderr
