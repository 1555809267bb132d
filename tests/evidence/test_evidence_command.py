"""`keywatch evidence`, with real keys of ssh-keygen and real tags of git."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from trestle.common.err import TrestleError
from trestle.core.duplicates_validator import DuplicatesValidator
from trestle.core.refs_validator import RefsValidator
from trestle.oscal.assessment_results import AssessmentResults

from scanner.cli import evidence
from scanner.cli.parser import Parser
from scanner.console import Console, show_error
from scanner.errors import KeywatchError
from scanner.evidence import controls
from scanner.evidence.ledger import Ledger
from scanner.policy.live.rules import BY_ID
from scanner.records import Dated, Record, Strength, ValueMark
from tests.support import audits
from tests.support.access import reviewed
from tests.support.attack_traces import at_night
from tests.support.audits import NOW, OPERATOR, denied, record
from tests.support.helpers import Keywatch, git, token, unavailable, write_files
from tests.support.trails import POLICY, trail

ROOT = Path(__file__).resolve().parents[2]
LATER = NOW + timedelta(hours=1)


class Done(NamedTuple):
    code: int
    out: str
    err: str


def run(*arguments: str, now: datetime = LATER, environ: Mapping[str, str] | None = None) -> Done:
    """`keywatch evidence` in this process."""
    out, err = io.StringIO(), io.StringIO()
    console = Console(stdin=io.BytesIO(), out=out, err=err, environ=dict(environ or {}))
    parser = Parser(prog="keywatch evidence", allow_abbrev=False)
    evidence.add_arguments(parser)
    try:
        args = parser.parse_args([*arguments, f"--now={now.isoformat()}"])
        code = evidence.run(args, console)
    except KeywatchError as error:
        show_error(error, console)
        code = error.exit_code
    return Done(int(code), out.getvalue(), err.getvalue())


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A repository whose audits are recorded in tmp_path/ledger."""
    config = f"{OPERATOR}evidence: {{place: {tmp_path}/ledger, writer: ci@example.org}}\n"
    return audits.place(tmp_path, operator=config)


@pytest.fixture
def audited(place: Path) -> Path:
    """The folder of a ledger with one audit: a late secret, and one in time."""
    audits.gives(prod=[record("app/new"), record("app/old", 200)])
    assert audits.audited(place).code == 1
    return place.parent / "ledger"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A folder with the keys `auditor` and `ci`, and the file `signers`, which allows both."""
    folder = tmp_path / "keys"
    folder.mkdir()
    lines = []
    for name in ("auditor", "ci", "stranger"):
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        try:
            subprocess.run(argv, check=True)
        except FileNotFoundError:
            unavailable("there is no ssh-keygen: apt-get install openssh-client")
        public = " ".join((folder / f"{name}.pub").read_text().split()[:2])
        lines.append(f"{name}@example.org {public}\n")
    (folder / "signers").write_text("".join(lines[:2]))
    return folder


def entries(folder: Path) -> list[dict[str, Any]]:
    return list(Ledger(str(folder)).entries())


def test_an_audit_adds_what_it_checked(audited: Path) -> None:
    (entry,) = entries(audited)
    data = entry["data"]
    assert (entry["kind"], entry["writer"]) == ("audit", "ci@example.org")
    assert data["complete"] is True
    assert {each["id"]: each["verdict"] for each in data["secrets"]} == {
        "vault://prod/-/secret/app/new": "ok",
        "vault://prod/-/secret/app/old": "overdue",
    }
    assert set(data["policy"]) == {"operator config", "keywatch.yaml"}
    assert all(len(digest) == 64 for digest in data["policy"].values())


def test_an_entry_is_checked_without_keywatch_as_the_documentation_says(audited: Path) -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "evidence.md"
    (command,) = (line for line in page.read_text().splitlines() if line.endswith("| sha256sum"))
    done = subprocess.run(command, shell=True, cwd=audited, capture_output=True, check=True)
    assert done.stdout.split()[0].decode() == entries(audited)[0]["hash"]


def test_an_option_names_the_ledger_and_what_was_not_read_is_in_it(tmp_path: Path) -> None:
    repository = audits.place(tmp_path)
    audits.gives(prod=[record("app/new"), denied("app/closed")])
    assert audits.audited(repository, f"--evidence={tmp_path}/own").code == 3
    (entry,) = entries(tmp_path / "own")
    assert [gap["kind"] for gap in entry["data"]["gaps"]] == ["denied"]


def test_an_audit_needs_no_variable_of_the_alerts(tmp_path: Path) -> None:
    alerts = "alerts: {channels: {a: {apprise: '${NOT_SET}'}}, routes: [{name: r, send: [a]}]}\n"
    audits.gives(prod=[record("app/new")])
    assert audits.audited(audits.place(tmp_path, operator=OPERATOR + alerts)).code == 0


def test_an_audit_without_a_ledger_writes_none(tmp_path: Path) -> None:
    audits.gives(prod=[record("app/new")])
    audits.audited(audits.place(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["operator.yaml", "repository"]


def test_a_ledger_that_cannot_be_opened_stops_the_audit_before_it_reads(place: Path) -> None:
    (place.parent / "ledger").write_text("a file")
    done = audits.audited(place)
    assert (done.code, "ledger cannot be read" in done.err) == (2, True)


def test_an_audit_that_cannot_be_recorded_is_incomplete(audited: Path, place: Path) -> None:
    path = audited / "2026-11.jsonl"
    path.write_bytes(path.read_bytes().replace(b"overdue", b"ok"))
    audits.gives(prod=[record("app/new")])
    done = audits.audited(place)
    assert (done.code, done.report["complete"], "damaged" in done.err) == (3, True, True)


def test_no_value_is_in_the_ledger(place: Path) -> None:
    audits.gives(prod=[record(f"app/{token()}", 200), denied(f"app/{token(8)}")])
    audits.audited(place)
    text = (place.parent / "ledger" / "2026-11.jsonl").read_text()
    assert token() not in text
    assert token(8) not in text
    run("attest", f"--place={place.parent}/ledger", "--by=x", "--about=control",
        f"--statement=it was {token(9)}")  # fmt: skip
    assert token(9) not in (place.parent / "ledger" / "2026-11.jsonl").read_text()


def test_a_ledger_without_an_anchor_is_not_verified(audited: Path) -> None:
    done = run("verify", f"--place={audited}")
    assert (done.code, "consistent, not anchored: 1 entry" in done.out) == (3, True)


def test_the_expected_head_verifies_it(audited: Path) -> None:
    (entry,) = entries(audited)
    assert run("verify", f"--place={audited}", f"--expect={entry['hash']}").code == 0
    assert run("verify", f"--place={audited}", f"--expect={'0' * 64}").code == 1


def test_a_signature_by_another_identity_verifies_it(audited: Path, keys: Path) -> None:
    done = run("anchor", f"--place={audited}", f"--key={keys}/auditor")
    assert (done.code, "(signed)" in done.out) == (0, True), done
    checked = run("verify", f"--place={audited}", f"--signers={keys}/signers")
    assert (checked.code, checked.out[:10]) == (0, "✓ verified"), checked
    head = audited / "heads" / "00000001.txt"
    assert run("verify", f"--place={audited}", f"--expect={head}").code == 0


def example(name: str) -> str:
    """The code block of docs/evidence.md below the comment with this name."""
    text = (ROOT / "docs" / "evidence.md").read_text()
    return text.partition(f"<!-- example: {name} -->\n")[2].split("```")[1].partition("\n")[2]


@pytest.mark.parametrize(
    ("name", "attested", "code"),
    [("attested head", True, 0), ("attested head", False, 1), ("offline", True, 0)],
)
def test_the_documented_commands_verify_an_attested_head(
    audited: Path, tmp_path: Path, name: str, code: int, *, attested: bool
) -> None:
    """`gh` is a stand-in: it needs GitHub. It is called before, and its failure is not hidden."""
    run("anchor", f"--place={audited}")
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    calls = tmp_path / "calls"
    (bin_folder / "gh").write_text(
        f'#!/bin/sh\necho "$*" >> {calls}\n[ "$2" != verify ] || exit {int(not attested)}\n'
        '[ "$2" != download ] || echo "{}" > sha256:00.jsonl\n'
    )
    command = f'#!/bin/sh\nexec {sys.executable} -m scanner "$@"\n'
    (bin_folder / "keywatch").write_text(command)
    for each in bin_folder.iterdir():
        each.chmod(0o755)
    environ = {"PATH": f"{bin_folder}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["sh", "-c", example(name)], cwd=audited, env=environ, check=False)
    assert done.returncode == code
    if attested:  # a ledger that was cut off does not fit its head
        (audited / "2026-11.jsonl").write_text("")
        done = subprocess.run(["sh", "-c", example(name)], cwd=audited, env=environ, check=False)
        assert done.returncode == 1
    verified = calls.read_text().splitlines()[-1]
    assert verified.startswith("attestation verify heads/00000001.txt --repo ORG/REPO")
    if name == "offline":
        assert "--bundle sha256:00.jsonl --custom-trusted-root trusted_root.jsonl" in verified


@pytest.mark.slow
def test_the_documented_workflow_passes_its_linters(tmp_path: Path) -> None:
    workflow = tmp_path / ".github" / "workflows" / "attest.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text(example("attest workflow"))
    schema = ["--builtin-schema", "vendor.github-workflows"]
    for argv in (["check-jsonschema", *schema, str(workflow)], ["actionlint", str(workflow)]):
        found = shutil.which(argv[0], path=str(Path(sys.executable).parent))
        if not found:
            unavailable(f"there is no {argv[0]}: pip install it")
        subprocess.run([found, *argv[1:]], check=True)


def test_a_signature_by_the_writer_or_a_stranger_does_not_count(audited: Path, keys: Path) -> None:
    for name in ("ci", "stranger"):
        assert run("anchor", f"--place={audited}", f"--key={keys}/{name}").code == 0
        done = run("verify", f"--place={audited}", f"--signers={keys}/signers")
        assert (done.code, "not anchored" in done.out) == (3, True), name


def test_a_changed_head_is_not_covered_by_its_signature(audited: Path, keys: Path) -> None:
    run("anchor", f"--place={audited}", f"--key={keys}/auditor")
    head = audited / "heads" / "00000001.txt"
    head.write_text(head.read_text().replace("number: 1", "number: 2"))
    done = run("verify", f"--place={audited}", f"--signers={keys}/signers")
    assert (done.code, "signature" in done.out) == (3, True)


def test_a_signed_tag_verifies_it(audited: Path, keys: Path) -> None:
    run("anchor", f"--place={audited}", f"--key={keys}/auditor")
    assert git(audited, "tag").split() == ["evidence/00000001"]
    assert git(audited, "log", "--format=%s").strip() == "Anchor evidence entry 1"
    given = (f"--place={audited}", f"--signers={keys}/signers")
    done = run("verify", *given, "--tag=evidence/00000001")
    assert done.code == 0, done
    git(audited, "tag", "-d", "evidence/00000001")
    git(audited, "tag", "-a", "-m", "x", "evidence/00000001")
    assert run("verify", *given, "--tag=evidence/00000001").code == 2


def test_a_hook_of_the_ledgers_repository_does_not_run(audited: Path) -> None:
    run("anchor", f"--place={audited}")
    hook = audited / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    assert run("anchor", f"--place={audited}").code == 0


def test_a_changed_ledger_is_not_anchored_or_exported(audited: Path) -> None:
    path = audited / "2026-11.jsonl"
    path.write_bytes(path.read_bytes().replace(b"overdue", b"ok     "))
    assert run("anchor", f"--place={audited}").code == 1
    assert run("controls", f"--place={audited}").code == 2
    assert run("verify", f"--place={audited}").code == 1


def test_a_person_attests_and_the_age_is_known_from_then_on(place: Path) -> None:
    ident = "vault://prod/-/secret/app/undated"
    audits.gives(prod=[Record(id=ident, kind="kv-v1", undated="no time")])
    assert audits.audited(place).verdicts == {ident: "undated"}
    ledger = f"--place={place.parent}/ledger"
    when = (NOW - timedelta(days=3)).isoformat()
    done = run("attest", ledger, "--by=Jo Doe", "--about=rotation", f"--secret={ident}",
               f"--when={when}", "--statement=rotated by hand", now=NOW)  # fmt: skip
    assert done.code == 0, done
    assert audits.audited(place).verdicts == {ident: "ok"}
    known = audits.audited(place).report["live"]["secrets"][0]
    assert (known["field"], known["strength"]) == ("attested by Jo Doe", "attested")
    assert audits.audited(place, "--require-exact").verdicts == {ident: "undated"}
    later = audits.audited(place, now=NOW + timedelta(days=100))
    assert later.verdicts == {ident: "overdue"}
    assert "attested by Jo Doe, which no store confirms" in later.report["findings"][0]["detail"]
    assert "Jo Doe states on rotation: rotated by hand" in run("show", ledger).out


@pytest.mark.parametrize(
    ("one", "verdict"),
    [
        ({"undated": "no time"}, "ok"),
        ({"never": True}, "never-rotated"),
        ({"dated": Dated(None, NOW, "upgraded", Strength.BOUND)}, "ok"),
        ({"dated": Dated(None, NOW - timedelta(days=9), "upgraded", Strength.BOUND)}, "undated"),
        ({"dated": Dated(NOW - timedelta(days=200), NOW - timedelta(days=200), "x")}, "overdue"),
    ],
)
def test_a_store_that_knows_better_than_a_person_is_believed(
    place: Path, one: Mapping[str, Any], verdict: str
) -> None:
    ident = "vault://prod/-/secret/app/one"
    when = (NOW - timedelta(days=3)).isoformat()
    run("attest", f"--place={place.parent}/ledger", "--by=Jo Doe", "--about=rotation",
        f"--secret={ident}", f"--when={when}", "--statement=by hand", now=NOW)  # fmt: skip
    audits.gives(prod=[Record(id=ident, kind="kv-v1", **one)])
    assert audits.audited(place).verdicts == {ident: verdict}


@pytest.mark.parametrize("name", ["app/old", "secret://prod/x", "vault://prod/-/secret/app#key"])
def test_only_the_id_of_a_live_secret_can_be_attested(place: Path, name: str) -> None:
    done = run("attest", f"--place={place.parent}/ledger", "--by=Jo Doe", "--about=rotation",
               f"--secret={name}", "--statement=by hand", now=NOW)  # fmt: skip
    assert (done.code, "is not the ID of a live secret" in done.err) == (2, True)


def test_what_an_audit_first_saw_is_known_to_the_next_one_without_a_state(place: Path) -> None:
    seen: list[Any] = []
    mark = ValueMark(mark="64-ab12", after=None, by=NOW, last=NOW)
    ident = "vault://prod/-/secret/app/synced"
    one = Record(id=ident, kind="external-secret", undated="no date", value_mark=mark)
    audits.settings_of(seen, [one])
    audits.audited(place)
    audits.audited(place, now=NOW + timedelta(days=1))
    assert [settings.known for settings in seen] == [{}, {ident: mark}]


def test_the_trend_counts_late_secrets_of_each_audit(place: Path) -> None:
    audits.gives(prod=[record("app/a", 10), record("app/b", 80)])
    audits.audited(place)
    audits.audited(place, now=NOW + timedelta(days=30))
    done = run("show", "--trend", f"--place={place.parent}/ledger", now=NOW + timedelta(days=31))
    rows = [line.split() for line in done.out.splitlines()[1:]]
    assert [row[1:] for row in rows] == [["2", "0", "0", "0", "0"], ["2", "1", "0", "0", "0"]]


def test_a_control_is_shown_to_work_fails_or_was_not_tested(audited: Path) -> None:
    done = run("controls", f"--place={audited}")
    assert done.code == 1
    rows = {line[15:51].strip(): line[:14].strip() for line in done.out.splitlines()[1::2]}
    assert rows["PCI DSS 4.0 8.3.9"] == "failed"
    assert rows["NIST SP 800-53 rev. 5 AU-6"] == "not tested"
    assert rows["OWASP NHI Top 10 2025 NHI9:2025"] == "shown to work"
    earlier = run("controls", f"--place={audited}", "--to=2026-11-01")
    assert (earlier.code, "shown to work" in earlier.out) == (3, False)


def test_an_incomplete_audit_shows_no_control_to_work(place: Path) -> None:
    audits.gives(prod=[record("app/new"), denied("app/closed")])
    audits.audited(place)
    done = run("controls", f"--place={place.parent}/ledger")
    assert (done.code, "shown to work" in done.out) == (3, False)


def test_the_report_of_each_command_is_recorded_with_its_findings(
    audited: Path, tmp_path: Path, keywatch: Keywatch
) -> None:
    """An audit adds its entry itself; so does a rotation, in tests/rotate/test_rotate_vault.py."""
    work = write_files(
        tmp_path / "work",
        {
            "keywatch.yaml": POLICY,
            "configs/production.yaml": f"token: {token(9)}\n",
        },
    )
    reports = tmp_path / "reports"
    reports.mkdir()
    for name, argv in {"scan": ["scan"], "policy-check": ["policy", "check"]}.items():
        done = keywatch(*argv, "--report=json=-", f"--now={NOW.isoformat()}", cwd=work)
        (reports / name).write_bytes(done.stdout)
    silence = trail(work, at_night()).finding("trail-log-silence")
    accepted = {"fingerprint": f"kw-{silence['fingerprint']}", "rule": silence["rule"]}
    accepted |= {"path": silence["context"], "reason": "known", "owner": "@sec"}
    entry = json.dumps({**accepted, "until": "2027-01-31"})
    (work / "keywatch.yaml").write_text(f"{POLICY}allow:\n  - {entry}\n")
    (reports / "trail").write_text(json.dumps(trail(work, at_night()).report))
    (reports / "access-review").write_text(json.dumps(reviewed(work).report))
    for name in ("scan", "policy-check", "trail", "access-review"):
        assert run("record", f"--place={audited}", str(reports / name)).code == 0, name
        saved, added = json.loads((reports / name).read_bytes()), entries(audited)[-1]
        assert (added["kind"], added["data"]["complete"]) == (name, saved["complete"])
        rules = sorted(each["rule"] for each in saved["findings"])
        assert sorted(each["rule"] for each in added["data"]["findings"]) == rules
        assert token(9) not in json.dumps(added)
        if name != "access-review":
            assert rules
    kinds = [each["kind"] for each in entries(audited)]
    assert kinds == ["audit", "scan", "policy-check", "trail", "access-review"]
    tested = {kind for each in controls.load() for group in each.by for kind in group.split("|")}
    failing = {kind for each in controls.load() for kind in each.fails_on}
    assert tested | failing == {*kinds, "attestation:access-review"}
    recorded = next(each for each in entries(audited) if each["kind"] == "trail")["data"]
    assert "trail-unusual-time" in {each["rule"] for each in recorded["findings"]}
    assert [each["reason"] for each in recorded["exceptions"]] == ["known"]


def test_every_export_has_all_entries(audited: Path) -> None:
    assert json.loads(run("export", "--format=json", f"--place={audited}").out) == entries(audited)
    text = run("export", "--format=csv", f"--place={audited}").out
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["row"] for row in rows] == ["entry", "finding", "secret", "secret"]


def test_oscal_has_a_finding_for_each_control_and_leads_to_the_entries(audited: Path) -> None:
    text = run("export", "--format=oscal", f"--place={audited}").out
    assert text == run("export", "--format=oscal", f"--place={audited}").out
    results = json.loads(text)["assessment-results"]
    (result,) = results["results"]
    (observation,) = result["observations"]
    assert len(result["findings"]) == len(controls.load())
    assert observation["relevant-evidence"][0]["href"] == f"#{entries(audited)[0]['hash']}"
    named = {
        related["observation-uuid"]
        for finding in result["findings"]
        for related in finding.get("related-observations", ())
    }
    assert named == {observation["uuid"]}
    assert uuid.UUID(results["uuid"]).version == 5


@pytest.mark.parametrize("period", ["--from=2020-01-01", "--to=2020-01-01"])
def test_oscal_passes_trestle(audited: Path, tmp_path: Path, period: str) -> None:
    """Its models are made from the schemas that NIST publishes; a field that they do not know is an
    error. Its validators find UUIDs that are not unique, or refer to nothing."""
    run("attest", "--by=Jo Doe", "--about=access-review", "--statement=fine", f"--place={audited}")
    exported = tmp_path / "results.json"
    run("export", "--format=oscal", period, f"--place={audited}", f"--output={exported}")
    model = AssessmentResults.oscal_read(exported)
    assert isinstance(model, AssessmentResults)
    assert bool(model.results[0].observations) is (period[2] == "f")
    for validator in (DuplicatesValidator(), RefsValidator()):
        assert validator.model_is_valid(model, quiet=True)
    broken = json.loads(exported.read_bytes())
    broken["assessment-results"]["results"][0]["invented"] = "x"
    exported.write_text(json.dumps(broken))
    with pytest.raises(TrestleError):
        AssessmentResults.oscal_read(exported)


def test_the_table_of_controls_names_rules_that_exist() -> None:
    for control in controls.load():
        named = control.fails_on.get("audit") or frozenset()
        assert named <= BY_ID.keys(), control.id


def test_names_in_the_ledger_do_not_reach_the_terminal_as_commands(place: Path) -> None:
    audits.gives(prod=[record("app/\x1b[2J\n::error::x", 200)])
    audits.audited(place)
    out = run("show", f"--place={place.parent}/ledger").out
    assert "\x1b" not in out
    text = run("export", "--format=csv", f"--place={place.parent}/ledger").out
    assert "\x1b" not in text


def test_the_place_of_the_operator_config_is_used(place: Path, audited: Path) -> None:
    del audited
    done = run("verify", environ={"KEYWATCH_OPERATOR": str(place.parent / "operator.yaml")})
    assert done.code in {2, 3}
