"""`keywatch audit`: live secrets, judged by the policy; what was not read, and earlier runs."""

from __future__ import annotations

import importlib
import json
import os
import shlex
import stat
import threading
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from scanner.audit import backends
from scanner.inventory.interface import Settings
from scanner.model import Note
from scanner.policy.declarations import secret_ids
from scanner.records import Dated, Fault, Record, Rotation, ValueMark
from tests.support import small_backend
from tests.support.audits import (
    NOW,
    OPERATOR,
    POLICY,
    Audited,
    audited,
    denied,
    gives,
    place,
    record,
    run,
    settings_of,
)
from tests.support.helpers import Keywatch, scan, token, write_files

ALONE = "backends: {prod: {kind: vault, script: prod}}"
ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "rules/schema/state.schema.json").read_bytes())
LATE = "vault://prod/-/secret/app/late"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return place(tmp_path)


# Verdicts and exit codes


def test_secrets_in_time_are_clean_and_shown(repository: Path) -> None:
    gives(prod=[record("app/a"), record("app/b", 30)])
    done = run(repository, "--backend=prod", f"--now={NOW.isoformat()}")
    assert (done.code, done.err) == (0, "")
    assert "api-key · every 90d\n  2 secrets: 2 ok\n" in done.out
    assert "✓ clean\n  prod: 2 secrets\n" in done.out


def test_a_secret_past_its_limit_is_a_finding_with_owner_runbook_and_place(
    repository: Path,
) -> None:
    gives(prod=[record("app/late", 200), record("app/fine")])
    done = audited(repository)
    assert done.code == 1
    assert done.findings == [("rotation-overdue", LATE)]
    (finding,) = done.report["findings"]
    assert finding["severity"] == "critical"
    assert finding["location"]["path"] == "keywatch.yaml"
    assert finding["location"]["line"] == 3
    assert finding["resource"]["owner"] == "@sec-oncall"
    assert finding["resource"]["runbook"] == "run.md"
    assert "limit 90d (api-key)" in finding["detail"]
    assert done.verdicts == {LATE: "overdue", "vault://prod/-/secret/app/fine": "ok"}


def test_a_finding_below_fail_on_fails_nothing(repository: Path) -> None:
    gives(prod=[record("app/late", 92)])
    assert audited(repository, "--fail-on=medium").code == 0
    assert audited(repository, "--fail-on=low").code == 1


def test_a_finding_is_the_same_when_its_declaration_moves_or_its_age_grows(
    repository: Path,
) -> None:
    gives(prod=[record("app/late", 200)])
    before = audited(repository)
    repository.joinpath("keywatch.yaml").write_text(POLICY.replace("secrets:", "\nsecrets:"))
    after = audited(repository, now=NOW + timedelta(days=30))
    first, second = (each.report["findings"][0] for each in (before, after))
    assert first["location"] != second["location"]
    assert first["fingerprint"] == second["fingerprint"]


def test_the_same_run_gives_the_same_bytes(repository: Path) -> None:
    items = [record(f"app/{n}", 3 * n) for n in range(60)]
    gives(prod=items, other=[record("app/x", 200, backend="other")])
    arguments = (f"--now={NOW.isoformat()}", "--report=json=-")
    first = run(repository, *arguments)
    gives(prod=items[::-1], other=[record("app/x", 200, backend="other")])
    assert run(repository, *arguments).out == first.out
    assert len(first.findings) == 30


def test_what_a_reader_saw_beside_the_age_is_a_finding_each(repository: Path) -> None:
    rotation = Rotation(period=86_400, failing="the user is gone")
    gives(
        prod=[
            record("app/late", rotation=rotation, stale=tuple(f"pod/{n}" for n in range(7))),
        ]
    )
    done = audited(repository)
    assert done.findings == [("consumer-on-old-value", LATE), ("rotation-failing", LATE)]
    details = [each["detail"] for each in done.report["findings"]]
    assert "pod/0, pod/1, pod/2, pod/3, pod/4 and 2 more" in details
    (status,) = done.report["live"]["secrets"]
    assert status["conditions"] == ["rotation-failing", "consumer-on-old-value"]


def test_two_faults_of_one_kind_on_one_secret_are_two_findings(repository: Path) -> None:
    faults = (Fault("secret-key-absent", "a"), Fault("secret-key-absent", "b"))
    gives(prod=[record("app/late", faults=faults)])
    done = audited(repository)
    assert {each["detail"] for each in done.report["findings"]} == {"a", "b"}
    assert len({each["fingerprint"] for each in done.report["findings"]}) == 2


def test_a_secret_that_is_given_twice_is_judged_once(repository: Path) -> None:
    gives(prod=[record("app/late", 200), record("app/late", 200)])
    assert audited(repository).findings == [("rotation-overdue", LATE)]


def test_an_exception_of_the_policy_covers_a_finding_by_its_id(repository: Path) -> None:
    gives(prod=[record("app/late", 200)])
    (finding,) = audited(repository).report["findings"]
    entry = f"""\
allow:
  - fingerprint: {finding["fingerprint"]}
    rule: rotation-overdue
    path: vault://prod/-/secret/app/late
    reason: frozen for the move
    owner: "@team"
    until: 2026-12-31
"""
    repository.joinpath("keywatch.yaml").write_text(POLICY + entry)
    done = audited(repository)
    assert (done.code, done.findings) == (0, [])
    assert done.report["suppressed"][0]["suppression"]["reason"] == "frozen for the move"
    (repository.parent / "operator.yaml").write_text(
        "backends: {prod: {kind: vault, script: prod}}"
    )
    ended = audited(repository, now=NOW + timedelta(days=90))
    assert {each["rule"] for each in ended.report["findings"]} == {
        "rotation-overdue",
        "allow-expired",
    }
    gives(prod=[record("app/fine")])
    assert [each["rule"] for each in audited(repository).report["findings"]] == ["allow-unused"]
    gives(prod=[record("app/fine"), denied("app/late")])
    assert audited(repository).report["findings"] == []


def test_a_name_that_holds_a_secret_is_masked_everywhere(repository: Path, tmp_path: Path) -> None:
    name = token()
    gives(prod=[record(f"app/{name}", 200), denied(f"x/{name}")])
    state, sarif = tmp_path / "state.json", tmp_path / "out.sarif"
    done = audited(
        repository, f"--state={state}", f"--report=sarif={sarif}", "--no-require-complete"
    )
    assert done.code == 1
    for text in (done.out, done.err, state.read_text(), sarif.read_text()):
        assert name not in text
    assert "ghp_" in done.out


def test_words_of_the_policy_that_hold_a_secret_are_masked(tmp_path: Path) -> None:
    name, sarif = token(), tmp_path / "out.sarif"
    accepted = f"""\
accept_gaps:
  - {{kind: denied, path: "vault://**", reason: "was {name}", owner: "{name}", until: 2027-01-31}}
"""
    policy = POLICY.replace("run.md", name).replace("@sec-oncall", name) + accepted
    gives(prod=[record("app/late", 200), denied("x")])
    done = audited(place(tmp_path, policy), f"--report=sarif-full={sarif}")
    assert done.code == 1
    assert name not in done.out + sarif.read_text()


def test_a_repository_without_a_policy_has_a_note(tmp_path: Path) -> None:
    repository = place(tmp_path)
    (repository / "keywatch.yaml").unlink()
    gives(prod=[record("app/a")])
    done = audited(repository)
    assert "no-policy" in [note["kind"] for note in done.report["notes"]]
    assert done.code == 1


def test_an_invalid_policy_is_named_and_nothing_is_read(repository: Path) -> None:
    asked: list[Settings] = []
    settings_of(asked, [])
    repository.joinpath("keywatch.yaml").write_text("version: 1\nsecret: []\n")
    done = run(repository, "--backend=prod")
    assert (done.code, asked) == (2, [])
    assert "did you mean secrets?" in done.err


def test_a_class_looser_than_the_operators_is_a_finding_and_the_operators_holds(
    tmp_path: Path,
) -> None:
    policy = POLICY + "classes: {api-key: {rotate_every: 900d}}\n"
    floor = OPERATOR + "classes: {api-key: {rotate_every: 30d}}\n"
    repository = place(tmp_path, policy, floor)
    gives(prod=[record("app/late", 200)])
    done = audited(repository)
    assert {each["rule"] for each in done.report["findings"]} == {
        "policy-weakened",
        "rotation-overdue",
    }


INVENTED = """\
version: 1
classes: {slow: {rotate_every: 9000d, grace: 9000d}}
secrets:
  - {match: "vault://*/*/secret/app/**", class: slow, owner: "@sec-oncall"}
"""
DEMANDS = """\
secrets:
  - {match: "vault://prod/**", class: api-key}
  - {match: "vault://prod/-/secret/app/fast", class: service-token}
"""


def weakened(done: Audited) -> list[tuple[int, str]]:
    found = [each for each in done.report["findings"] if each["rule"] == "policy-weakened"]
    return [(each["location"]["line"], each["detail"]) for each in found]


def test_a_class_that_a_repository_invents_is_no_looser_than_the_loosest_of_the_operators(
    tmp_path: Path,
) -> None:
    repository = place(tmp_path, INVENTED, OPERATOR + "classes: {api-key: {rotate_every: 30d}}\n")
    gives(prod=[record("app/late", 400)])
    done = audited(repository)
    assert done.verdicts == {LATE: "overdue"}
    wanted = "slow: rotate_every 9000d, where the operator allows 365d, grace 9000d, where"
    ((line, detail),) = weakened(done)
    assert (line, detail[: len(wanted)]) == (2, wanted)


def test_an_entry_of_the_operators_holds_whatever_the_repository_calls_a_secret(
    tmp_path: Path,
) -> None:
    policy = INVENTED.replace("slow,", "encryption-key,").replace("slow", "other")
    repository = place(tmp_path, policy, OPERATOR + DEMANDS)
    gives(prod=[record("app/late", 200), record("app/also", 200), record("app/fast", 2)])
    done = audited(repository)
    assert set(done.verdicts.values()) == {"overdue"}
    said = "vault://*/*/secret/app/** has class encryption-key, but"
    assert [(line, detail.split(": ")[0]) for line, detail in weakened(done)] == [
        (2, "other"),
        (4, f"{said} api-key in the operator config"),
        (4, f"{said} service-token in the operator config"),
    ]


def test_a_secret_that_the_repository_leaves_out_is_judged_by_the_operators_class(
    tmp_path: Path,
) -> None:
    repository = place(tmp_path, "version: 1\n", OPERATOR + DEMANDS)
    gives(prod=[record("app/late", 200)])
    done = audited(repository)
    assert done.findings == [("rotation-overdue", LATE), ("secret-unmanaged", LATE)]
    assert {each["location"]["path"] for each in done.report["findings"]} == {"keywatch.yaml"}


def test_an_entry_of_an_unknown_class_does_not_get_around_the_operators(tmp_path: Path) -> None:
    repository = place(tmp_path, POLICY.replace("api-key", "nothing"), OPERATOR + DEMANDS)
    gives(prod=[record("app/late", 200)])
    assert ("rotation-overdue", LATE) in audited(repository).findings


def test_a_stricter_class_of_the_repository_stays(tmp_path: Path) -> None:
    policy = POLICY.replace("api-key", "jwt-signing-key")
    repository = place(tmp_path, policy, OPERATOR + DEMANDS)
    gives(prod=[record("app/late", 20)])
    done = audited(repository)
    assert (weakened(done), done.verdicts) == ([], {LATE: "overdue"})


def idle(done: Audited) -> list[tuple[int, str]]:
    notes = [each for each in done.report["notes"] if each["kind"] == "idle-entry"]
    return [(each["line"], each["text"]) for each in notes]


def test_an_entry_that_no_live_secret_falls_under_is_noted(tmp_path: Path) -> None:
    policy = POLICY + '  - {match: "aws://**", class: api-key}\n'
    one = "backends: {prod: {kind: vault, script: prod}}\n"
    repository = place(tmp_path, policy, one)
    gives(prod=[record("app/a")])
    text = "no live secret matches vault://*/*/database/**"
    assert idle(audited(repository)) == [(4, text)]
    gives(prod=[record("app/a"), denied("app/b")])
    assert idle(audited(repository)) == []
    (tmp_path / "operator.yaml").write_text(OPERATOR)
    gives(prod=[record("app/a")], other=[record("app/x")])
    assert idle(audited(repository, "--backend=prod")) == []


# What is declared


DECLARED = """\
vault:
  address: ${VAULT_ADDR}
  auth: {method: kubernetes, role: app}
  secrets:
    - {path: secret/data/app/a, key: api_key}
    - {path: secret/data/app/b}
"""
HOME = "https://vault.example:8200"
B = "vault://prod/-/secret/app/b"


@pytest.fixture
def declaring(tmp_path: Path) -> Path:
    """A repository that declares two secrets of the only backend."""
    operator = f"backends: {{prod: {{kind: vault, script: prod, address: '{HOME}'}}}}\n"
    repository = place(tmp_path, operator=operator)
    write_files(repository, {"configs/secrets/vault.yaml": DECLARED})
    return repository


def test_a_finding_is_anchored_where_its_secret_is_declared(declaring: Path) -> None:
    gives(prod=[record("app/a", 200), record("app/b"), record("stray")])
    done = audited(declaring, VAULT_ADDR=HOME)
    places = {
        each["rule"]: (each["location"]["path"], each["location"]["line"])
        for each in done.report["findings"]
    }
    assert places == {
        "rotation-overdue": ("configs/secrets/vault.yaml", 5),
        "secret-unmanaged": ("keywatch.yaml", 1),
    }


def test_what_is_declared_and_missing_is_a_finding_with_its_owner(declaring: Path) -> None:
    gives(prod=[record("app/a", keys=("other",))])
    done = audited(declaring, VAULT_ADDR=HOME)
    assert done.findings == [
        ("secret-key-absent", "vault://prod/-/secret/app/a#api_key"),
        ("secret-missing", B),
    ]
    assert {each["resource"]["owner"] for each in done.report["findings"]} == {"@sec-oncall"}
    assert {each["location"]["line"] for each in done.report["findings"]} == {5, 6}


def test_what_a_gap_may_hide_is_not_missing(declaring: Path) -> None:
    gives(prod=[record("app/a"), denied("app/b")])
    assert audited(declaring, VAULT_ADDR=HOME).findings == []


def test_what_a_store_that_was_not_chosen_may_hold_is_not_missing(declaring: Path) -> None:
    operator = declaring.parent / "operator.yaml"
    operator.write_text(OPERATOR)
    gives(prod=[record("app/a")], other=[record("app/b", backend="other")])
    assert audited(declaring).findings == []
    gives(prod=[record("app/a")], other=[record("app/x", backend="other")])
    both = run(declaring, f"--now={NOW.isoformat()}", "--report=json=-")
    assert both.findings == [("secret-missing", "vault://*/-/secret/app/b")]


def test_a_missing_secret_of_no_known_store_is_carried_forward_while_one_is_down(
    declaring: Path, tmp_path: Path
) -> None:
    sarif = tmp_path / "audit.sarif"
    (declaring.parent / "operator.yaml").write_text(OPERATOR)
    arguments = (f"--now={NOW.isoformat()}", "--report=json=-", f"--carry-forward={sarif}")
    gives(prod=[record("app/a")], other=[record("app/x", backend="other")])
    run(declaring, *arguments, f"--report=sarif={sarif}")
    gives(prod=[record("app/a")], other=[denied("", backend="other")])
    assert run(declaring, *arguments).findings == [("secret-missing", "vault://*/-/secret/app/b")]
    gives(prod=[record("app/a")], other=[record("app/b", backend="other")])
    assert run(declaring, *arguments).findings == []


def test_an_address_that_is_not_the_operators_is_a_finding_and_is_not_asked(
    declaring: Path,
) -> None:
    gives(prod=[record("app/a")])
    done = audited(declaring, VAULT_ADDR="https://attacker.example")
    assert [each["rule"] for each in done.report["findings"]] == ["address-differs"]
    assert "attacker" not in done.out


def test_what_lies_in_no_store_of_the_operators_is_noted(declaring: Path) -> None:
    text = "aws: {region: eu-central-1, secrets: [{name: app/x}]}"
    write_files(declaring, {"configs/secrets/aws.yaml": text})
    gives(prod=[record("app/a"), record("app/b")])
    notes = audited(declaring, VAULT_ADDR=HOME).report["notes"]
    assert ("not-audited", "configs/secrets/aws.yaml") in [
        (note["kind"], note["path"]) for note in notes
    ]


def test_declared_keys_that_nobody_asked_for_are_noted(declaring: Path) -> None:
    gives(prod=[record("app/a"), record("app/b")])
    notes = audited(declaring, VAULT_ADDR=HOME).report["notes"]
    (note,) = [each for each in notes if each["kind"] == "keys-not-compared"]
    assert (note["path"], note["line"]) == ("configs/secrets/vault.yaml", 5)
    assert note["text"].startswith("declared keys that were not checked: 1;")
    gives(prod=[record("app/a", keys=("api_key",)), record("app/b")])
    notes = audited(declaring, VAULT_ADDR=HOME).report["notes"]
    assert "keys-not-compared" not in [each["kind"] for each in notes]


def test_without_a_policy_a_finding_is_at_the_first_line_of_the_declarations(
    declaring: Path,
) -> None:
    (declaring / "keywatch.yaml").unlink()
    gives(prod=[record("app/a"), record("app/b"), record("stray")])
    done = audited(declaring, VAULT_ADDR=HOME)
    found = {each["resource"]["id"]: each["location"] for each in done.report["findings"]}
    where = found["vault://prod/-/secret/stray"]
    assert (where["path"], where["line"]) == ("configs/secrets/vault.yaml", 1)


# What was not read


def test_one_denied_path_is_a_gap_and_the_coverage_is_told_in_numbers(repository: Path) -> None:
    gives(prod=[*(record(f"app/{n}") for n in range(412)), *(denied(f"x/{n}") for n in range(3))])
    done = run(repository, "--backend=prod", f"--now={NOW.isoformat()}")
    assert done.code == 3
    assert "prod: 412 of 415 paths; 3 denied" in done.out
    assert "Incomplete: 3 paths could not be audited. No findings in the rest." in done.out


def test_a_gap_wins_over_findings_unless_it_need_not_be_complete(repository: Path) -> None:
    gives(prod=[record("app/late", 200), denied("app/x")])
    assert audited(repository).code == 3
    assert audited(repository, "--no-require-complete").code == 1


def test_a_gap_may_be_accepted_by_kind_and_path(repository: Path) -> None:
    accepted = """\
accept_gaps:
  - {kind: denied, path: "vault://prod/-/secret/sealed/**", reason: r, owner: o, until: 2027-01-31}
"""
    repository.joinpath("keywatch.yaml").write_text(POLICY + accepted)
    gives(prod=[record("app/a"), denied("sealed/x")])
    done = audited(repository)
    assert (done.code, done.gaps) == (0, [])
    assert done.report["live"]["backends"][0]["unread"] == {"denied": 1}
    gives(prod=[record("app/a"), denied("elsewhere/x")])
    assert audited(repository).code == 3


def test_no_secret_at_all_from_a_backend_is_a_gap(repository: Path) -> None:
    gives(prod=[])
    done = audited(repository)
    assert (done.code, done.gaps) == (3, [("no-secrets", "vault://prod")])
    gives(prod=[denied("")])
    assert audited(repository).gaps == [("denied", "vault://prod/-/secret")]


def test_a_backend_that_is_down_does_not_stop_the_others(repository: Path) -> None:
    gives(prod=[denied("")], other=[record("app/late", 200, backend="other")])
    done = run(repository, f"--now={NOW.isoformat()}", "--report=json=-")
    assert done.code == 3
    assert done.findings == [("rotation-overdue", "vault://other/-/secret/app/late")]


def test_a_defect_in_a_backend_is_a_gap_that_shows_no_text_of_the_error(repository: Path) -> None:
    def broken() -> Any:
        yield record("app/a")
        raise ValueError("token s.abcdef")

    gives(prod=broken())
    done = audited(repository)
    assert (done.code, done.gaps) == (3, [("internal-error", "vault://prod")])
    (gap,) = done.report["gaps"]
    assert gap["reason"].startswith("ValueError at test_audit.py:")
    assert "abcdef" not in done.out + done.err


def test_a_record_that_cannot_be_judged_is_a_gap_and_no_traceback(
    repository: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    gives(prod=[record("app/a"), record("app/b", faults=(Fault("no-such-rule", "x"),))])
    done = audited(repository)
    assert (done.code, done.gaps) == (3, [("internal-error", "vault://prod")])
    assert "Traceback" not in "".join(capfd.readouterr())


def test_a_backend_that_hangs_is_a_gap_when_its_time_is_over(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scanner.audit.collect._SLACK", 0)
    end = threading.Event()

    def hangs() -> Any:
        yield record("app/a")
        end.wait(30)
        yield record("app/b")

    gives(prod=hangs(), other=[record("app/c", backend="other")])
    done = run(repository, "--timeout=1s", f"--now={NOW.isoformat()}", "--report=json=-")
    end.set()
    assert (done.code, done.gaps) == (3, [("timeout", "vault://prod")])
    assert [*done.verdicts] == ["vault://other/-/secret/app/c", "vault://prod/-/secret/app/a"]


def test_all_backends_are_read_at_once(repository: Path) -> None:
    both = threading.Barrier(2, timeout=30)

    def waits(backend: str) -> Any:
        both.wait()
        yield record("app/a", backend=backend)

    gives(prod=waits("prod"), other=waits("other"))
    assert run(repository, f"--now={NOW.isoformat()}").code == 0


def test_notes_and_rights_beyond_need_are_told(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(small_backend.RIGHTS, "prod", ("it may read values: secret/data/*",))
    gives(prod=[record("app/a"), Note(kind="clock", path="vault://prod", text="60 s ahead")])
    done = audited(repository)
    assert done.code == 0
    assert [(note["kind"], note["text"]) for note in done.report["notes"]] == [
        ("clock", "60 s ahead"),
        ("excess-right", "it may read values: secret/data/*"),
    ]


# The operator's file and the command line


def test_a_backend_that_is_not_in_the_file_is_an_error_with_the_nearest_name(
    repository: Path,
) -> None:
    done = run(repository, "--backend=prd")
    assert done.code == 2
    assert "unknown backend prd" in done.err
    assert "did you mean prod?" in done.err
    assert "the operator config has prod, other" in run(repository, "--backend=zzz").err


def test_a_library_that_is_not_here_is_named_with_the_line_that_brings_it(tmp_path: Path) -> None:
    repository = place(tmp_path, operator="backends: {a: {kind: vault, script: no library}}\n")
    done = run(repository)
    assert done.code == 2
    assert "a library for backend a is not installed" in done.err
    assert "vault needs far\n" in done.err
    assert "pip install 'keywatch[vault] @ git+https://" in done.err


def test_options_that_cannot_be_are_an_error_before_anything_is_read(tmp_path: Path) -> None:
    operator = OPERATOR + "  bad: {kind: vault, script: bad options}\n"
    asked: list[Settings] = []
    settings_of(asked, [])
    done = run(place(tmp_path, operator=operator))
    assert (done.code, asked) == (2, [])
    assert "the backend names no region" in done.err


def test_permissions_are_printed_for_each_backend_and_nothing_is_read(repository: Path) -> None:
    asked: list[Settings] = []
    settings_of(asked, [])
    done = run(repository, "--permissions")
    assert (done.code, asked) == (0, [])
    assert done.out == "# prod (vault)\nread prod\n\n# other (vault)\nread other\n"
    only = run(repository, "--permissions", "--backend=other")
    assert only.out == "# other (vault)\nread other\n"


@pytest.mark.parametrize(("given", "seconds"), [("90s", 90), ("5m", 300), ("1h30m", 5400)])
def test_a_timeout_is_written_as_people_write_it(
    repository: Path, given: str, seconds: int
) -> None:
    asked: list[Settings] = []
    settings_of(asked, [record("app/a")])
    audited(repository, f"--timeout={given}")
    audited(repository)
    assert [each.timeout for each in asked] == [seconds, 600]


@pytest.mark.parametrize("given", ["", "90", "0s", "-5m", "1.5h", "5d", "soon"])
def test_what_is_no_timeout_is_a_usage_error(
    repository: Path, given: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run(repository, f"--timeout={given}")
    assert "write a number and s, m or h, such as 90s" in capsys.readouterr().err


@pytest.mark.parametrize("given", ["--since-last", "--resume"])
def test_what_compares_with_an_earlier_run_needs_its_state(repository: Path, given: str) -> None:
    done = run(repository, given)
    assert done.code == 2
    assert f"{given} needs the state of an earlier run" in done.err


# What earlier runs saw


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def kept(state: Path) -> Any:
    data = json.loads(state.read_bytes())
    jsonschema.Draft202012Validator(SCHEMA).validate(data)
    return data


def test_the_state_holds_verdicts_and_no_record_of_a_backend_that_was_read_to_the_end(
    repository: Path, state: Path
) -> None:
    gives(prod=[record("app/late", 200), record("app/fine")])
    audited(repository, f"--state={state}")
    data = kept(state)
    assert data["written_at"] == NOW.isoformat()
    assert data["successes"] == {"prod": NOW.isoformat()}
    assert data["secrets"][LATE] == {
        "backend": "prod",
        "seen": NOW.isoformat(),
        "verdict": "overdue",
        "conditions": [],
        "kind": "kv-v2",
        "class": "api-key",
        "owner": "@sec-oncall",
        "limit": 90 * 86_400,
        "due": "2026-08-08T12:00:00+00:00",
    }
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    assert not [name for name in os.listdir(state.parent) if name.endswith(".tmp")]


def test_since_last_shows_what_is_new_worse_better_and_gone(repository: Path, state: Path) -> None:
    gives(prod=[record("app/a", 70), record("app/b", 200), record("app/c"), record("app/same")])
    first = audited(repository, f"--state={state}", "--since-last")
    assert (first.changes, first.report["live"]["since"]) == ([], None)
    gives(prod=[record("app/a", 71), record("app/b", 1), record("app/d"), record("app/same")])
    later = NOW + timedelta(days=30)
    done = audited(repository, f"--state={state}", "--since-last", now=later)
    assert [(how, name.rpartition("/")[2]) for how, name in done.changes] == [
        ("worse", "a"),
        ("better", "b"),
        ("gone", "c"),
        ("new", "d"),
    ]
    assert done.report["live"]["since"] == "2026-11-26T12:00:00Z"
    worse = done.report["live"]["changes"][0]
    assert (worse["before"], worse["after"]) == ("ok", "overdue")


@pytest.mark.parametrize(
    ("before", "after", "how"),
    [
        ({"days": 75}, {"days": 1}, "better"),
        ({"days": 1}, {"days": 75}, "worse"),
        ({"stale": ("pod/a",)}, {"lifetime": -1}, "worse"),
        ({"stale": ("pod/a",), "lifetime": -1}, {"lifetime": -1}, "better"),
        ({"days": 200}, {"days": 92}, "better"),
    ],
)
def test_worse_is_what_is_graver_or_else_what_is_new(
    repository: Path, state: Path, before: Any, after: Any, how: str
) -> None:
    for fields in (before, after):
        gives(prod=[record("app/a", **fields)])
        done = audited(repository, f"--state={state}", "--since-last")
    assert done.changes == [(how, "vault://prod/-/secret/app/a")]


def test_without_since_last_nothing_is_compared_and_the_state_is_written_still(
    repository: Path, state: Path
) -> None:
    gives(prod=[record("app/a")])
    audited(repository, f"--state={state}")
    gives(prod=[record("app/b")])
    assert audited(repository, f"--state={state}").changes == []
    assert [*kept(state)["secrets"]] == ["vault://prod/-/secret/app/b"]


def test_what_was_not_read_is_neither_gone_nor_forgotten(repository: Path, state: Path) -> None:
    arguments = (f"--state={state}", "--since-last")
    gives(prod=[record("app/a"), record("app/b/c"), record("web/d")])
    audited(repository, *arguments)
    gives(prod=[record("app/a"), denied("app/b")])
    done = audited(repository, *arguments, now=NOW + timedelta(hours=1))
    assert done.changes == [("gone", "vault://prod/-/secret/web/d")]
    assert [*kept(state)["secrets"]] == [
        "vault://prod/-/secret/app/a",
        "vault://prod/-/secret/app/b/c",
    ]
    assert kept(state)["successes"] == {"prod": NOW.isoformat()}


def test_a_backend_that_was_not_chosen_stays_in_the_state(repository: Path, state: Path) -> None:
    gives(prod=[record("app/a")], other=[record("app/x", backend="other")])
    run(repository, f"--state={state}", f"--now={NOW.isoformat()}", "--quiet")
    done = audited(repository, f"--state={state}", "--since-last")
    assert done.changes == []
    assert "vault://other/-/secret/app/x" in kept(state)["secrets"]


def test_a_backend_that_left_the_operators_file_is_gone(repository: Path, state: Path) -> None:
    gives(prod=[record("app/a")], other=[record("app/x", backend="other")])
    run(repository, f"--state={state}", f"--now={NOW.isoformat()}", "--quiet")
    (repository.parent / "operator.yaml").write_text(
        "backends: {prod: {kind: vault, script: prod}}"
    )
    done = audited(repository, f"--state={state}", "--since-last")
    assert done.changes == [("gone", "vault://other/-/secret/app/x")]


WHOLE = record(
    "app/whole",
    undated="why",
    never=True,
    tags={"team": "a", "seen": "b"},
    keys=("user", "password"),
    rotation=Rotation(period=60, due=NOW, failing="x"),
    lifetime=3600,
    superseded=NOW,
    stale=("pod/a",),
    value_mark=ValueMark(mark="ab", after=None, by=NOW, last=NOW),
    faults=(Fault("secret-key-absent", "y"),),
)
BARE = Record(id="vault://prod/-/secret/app/bare", kind="kv-v1")


def test_resume_gives_the_backend_what_an_incomplete_run_read_and_asks_no_more_for_it(
    repository: Path, state: Path
) -> None:
    arguments = (f"--state={state}", "--resume")
    gives(prod=[WHOLE, BARE, denied("app/x")])
    audited(repository, f"--state={state}")
    kept(state)
    asked: list[Settings] = []
    settings_of(asked, [WHOLE, BARE])
    done = audited(repository, *arguments, now=NOW + timedelta(minutes=59))
    assert asked[0].fresh == {WHOLE.id: WHOLE, BARE.id: BARE}
    assert done.code == 1
    audited(repository, *arguments, now=NOW + timedelta(minutes=59))
    assert asked[1].fresh == {}, "the run before was read to the end"


def test_a_record_stays_fresh_for_an_hour_from_when_it_was_asked_for(
    repository: Path, state: Path
) -> None:
    def resumed(settings: Settings) -> Any:
        asked.append(settings)
        return [*settings.fresh.values(), record("app/new"), denied("app/x")]

    asked: list[Settings] = []
    small_backend.SCRIPTS["prod"] = lambda _: [record("app/old"), denied("app/x")]
    audited(repository, f"--state={state}")
    small_backend.SCRIPTS["prod"] = resumed
    for minutes in (40, 80):
        now = NOW + timedelta(minutes=minutes)
        audited(repository, f"--state={state}", "--resume", now=now)
    names = [[name.rpartition("/")[2] for name in each.fresh] for each in asked]
    assert names == [["old"], ["new"]]


def test_without_resume_everything_is_asked_for_again(repository: Path, state: Path) -> None:
    gives(prod=[record("app/a"), denied("app/x")])
    audited(repository, f"--state={state}")
    asked: list[Settings] = []
    settings_of(asked, [record("app/a")])
    audited(repository, f"--state={state}")
    assert asked[0].fresh == {}


def test_what_was_sighted_is_given_to_the_next_run_and_survives_a_gap(
    repository: Path, state: Path
) -> None:
    value_mark = ValueMark(mark="ab", after=NOW - timedelta(days=1), by=NOW, last=NOW)
    asked: list[Settings] = []
    settings_of(asked, [record("app/a", value_mark=value_mark), record("app/b")])
    audited(repository, f"--state={state}")
    settings_of(asked, [denied("")])
    audited(repository, f"--state={state}")
    audited(repository, f"--state={state}")
    expected = {"vault://prod/-/secret/app/a": value_mark}
    assert [each.known for each in asked] == [{}, expected, expected]
    kept(state)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "\0",
        '{"schema_version": 2, "written_at": null, "successes": {}, "secrets": {}}',
        '{"schema_version": 1, "written_at": "soon", "successes": {}, "secrets": {}}',
        '{"schema_version": 1, "written_at": null, "successes": {}, "secrets": {"a": {}}}',
        '{"schema_version": 1, "written_at": null, "successes": {}, "secrets": []}',
        '{"schema_version": 1, "written_at": "2026-11-26", "successes": {}, "secrets": {}}',
    ],
)
def test_what_is_no_state_is_named_and_stays_as_it_is(
    repository: Path, state: Path, text: str
) -> None:
    state.write_text(text)
    done = run(repository, f"--state={state}")
    assert done.code == 2
    assert "is not a state of keywatch audit" in done.err
    assert state.read_text() == text


def test_a_state_that_cannot_be_read_is_named(repository: Path, tmp_path: Path) -> None:
    done = run(repository, f"--state={tmp_path}")
    assert done.code == 2
    assert "cannot be read" in done.err


def test_a_state_that_cannot_be_written_makes_the_run_incomplete(
    repository: Path, tmp_path: Path
) -> None:
    gives(prod=[record("app/a")])
    done = audited(repository, f"--state={tmp_path}/no/such/folder/state.json")
    assert done.code == 3
    assert "could not be written" in done.err
    assert done.verdicts


def test_an_interrupt_leaves_a_state_with_what_was_read(
    repository: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, end = threading.Event(), threading.Event()

    def hangs() -> Any:
        yield record("app/a")
        read.set()
        end.wait(30)

    def interrupted(_thread: threading.Thread, _timeout: float) -> None:
        assert read.wait(30)
        raise KeyboardInterrupt

    gives(prod=hangs())
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "join", interrupted)
        with pytest.raises(KeyboardInterrupt):
            audited(repository, f"--state={state}")
    end.set()
    data = kept(state)
    assert data["successes"] == {}
    assert "record" in data["secrets"]["vault://prod/-/secret/app/a"]


# Carrying forward


def test_results_that_cannot_be_checked_again_are_kept_and_marked(
    repository: Path, tmp_path: Path
) -> None:
    sarif = tmp_path / "audit.sarif"
    arguments = (f"--carry-forward={sarif}", f"--report=sarif={sarif}")
    gives(prod=[record("app/late", 200), record("web/gone", 200), record("app/b/c", 200)])
    first = audited(repository, *arguments)
    assert first.code == 1
    assert "nothing is carried forward" in first.report["notes"][0]["text"]
    later = NOW + timedelta(days=1)
    gives(prod=[record("app/late", 1), denied("app/b")])
    done = audited(repository, *arguments, now=later)
    assert done.findings == [("rotation-overdue", "vault://prod/-/secret/app/b/c")]
    (finding,) = done.report["findings"]
    assert finding["resource"]["as_of"] == "2026-11-26T12:00:00Z"
    run_ = json.loads(sarif.read_bytes())["runs"][0]
    assert run_["invocations"][0]["executionSuccessful"] is False
    assert run_["automationDetails"]["id"] == "keywatch/audit/prod/"
    (result,) = run_["results"]
    assert "Not checked again since 2026-11-26T12:00:00Z." in result["message"]["text"]
    before = [each for each in first.report["findings"] if each["context"].endswith("b/c")]
    assert result["partialFingerprints"]["keywatch/v1"] == before[0]["fingerprint"]
    gives(prod=[record("app/late", 1)])
    assert audited(repository, *arguments, now=later).findings == []


def test_a_whole_backend_that_is_down_closes_no_alert(repository: Path, tmp_path: Path) -> None:
    sarif = tmp_path / "audit.sarif"
    gives(prod=[record("app/late", 200)])
    audited(repository, f"--report=sarif={sarif}")
    gives(prod=[denied("")])
    done = audited(repository, f"--carry-forward={sarif}")
    assert done.code == 3
    assert done.findings == [("rotation-overdue", LATE)]


@pytest.mark.parametrize("seen", [True, False])
def test_an_alert_on_a_key_stays_while_its_keys_cannot_be_read(
    declaring: Path, tmp_path: Path, *, seen: bool
) -> None:
    sarif = tmp_path / "audit.sarif"
    gives(prod=[record("app/a", keys=()), record("app/b")])
    audited(declaring, f"--report=sarif={sarif}", VAULT_ADDR=HOME)
    gives(prod=[*([record("app/a")] * seen), record("app/b"), denied("app/a")])
    arguments = (f"--carry-forward={sarif}",)
    done = audited(declaring, *arguments, VAULT_ADDR=HOME)
    assert done.findings == [("secret-key-absent", "vault://prod/-/secret/app/a#api_key")]
    gives(prod=[record("app/a", keys=("api_key",)), record("app/b")])
    assert audited(declaring, *arguments, VAULT_ADDR=HOME).findings == []


def test_a_file_to_carry_forward_that_is_no_sarif_log_is_an_error(
    repository: Path, tmp_path: Path
) -> None:
    done = run(repository, f"--carry-forward={tmp_path / 'operator.yaml'}")
    assert done.code == 2
    assert "is not a SARIF log of keywatch" in done.err
    assert "cannot be read" in run(repository, f"--carry-forward={tmp_path}").err


# Dates that bound


def test_a_bound_that_proves_nothing_is_undated_and_shows_the_bound(repository: Path) -> None:
    dated = Dated(earliest=NOW - timedelta(days=200), latest=None, field="creationTimestamp")
    gives(prod=[record("app/late", dated=dated)])
    done = audited(repository)
    assert done.findings == [("rotation-undated", LATE)]
    (status,) = done.report["live"]["secrets"]
    assert (status["youngest"], status["oldest"]) == (None, 200 * 86_400)


TERMS = ("--reason=frozen for the move", "--owner=@team", "--until=2027-01-31")


def allow(keywatch: Keywatch, repository: Path, finding: str, *more: str) -> tuple[int, str]:
    now = f"--now={NOW.isoformat()}"
    done = keywatch("allow", finding, "--audit=../audit.sarif", now, *TERMS, *more, cwd=repository)
    return done.returncode, (done.stdout + done.stderr).decode()


def test_a_live_finding_is_allowed_by_the_id_that_the_audit_prints(
    keywatch: Keywatch, repository: Path
) -> None:
    gives(prod=[record("app/late", 200), record("app/other", 200)])
    first = audited(repository, f"--report=sarif={repository.parent}/audit.sarif")
    late = next(each for each in first.report["findings"] if each["context"] == LATE)
    code, said = allow(keywatch, repository, late["id"])
    assert (code, said) == (
        0,
        f"keywatch.yaml: rotation-overdue in {LATE} is allowed until 2027-01-31\n",
    )
    assert audited(repository).findings == [("rotation-overdue", "vault://prod/-/secret/app/other")]
    code, said = allow(keywatch, repository, late["id"])
    assert (code, "allowed already" in said) == (2, True)
    code, said = allow(keywatch, repository, "0123456789ab")
    assert (code, "add --audit FILE" in said) == (2, True)


def test_the_commands_that_an_audit_shows_accept_a_finding(
    keywatch: Keywatch, repository: Path
) -> None:
    gives(prod=[record("app/late", 200)])
    arguments = (f"--now={NOW.isoformat()}", f"--report=sarif={repository.parent}/audit.sarif")
    shown = run(repository, *arguments, "--report=terminal=-").out
    first, command = (line for line in shown.splitlines() if "sarif" in line)
    assert first.endswith("--report sarif=audit.sarif")  # this run has no command line
    command = command.partition("keywatch ")[2]
    command = command.replace("audit.sarif", f"{repository.parent}/audit.sarif")
    done = keywatch(*shlex.split(command), f"--now={NOW.isoformat()}", cwd=Path.cwd())
    assert done.returncode == 0
    assert audited(repository).findings == []


def test_an_exception_holds_where_its_secret_is_declared_elsewhere(
    keywatch: Keywatch, repository: Path
) -> None:
    gives(prod=[record("app/late", 200)])
    first = audited(repository, f"--report=sarif={repository.parent}/audit.sarif")
    allow(keywatch, repository, first.report["findings"][0]["id"])
    declared = {"path": "secret/data/app/late", "key": "k"}
    vault = {"address": "${VAULT_ADDR}", "auth": {"method": "token"}, "secrets": [declared]}
    write_files(repository, {"configs/secrets/vault.yaml": json.dumps({"vault": vault})})
    gives(prod=[record("app/late", 200)])
    assert audited(repository).findings == []


def test_a_finding_of_no_store_is_allowed_too(keywatch: Keywatch, declaring: Path) -> None:
    gives(prod=[record("app/a"), record("app/b")])
    report = f"--report=sarif={declaring.parent}/audit.sarif"
    first = audited(declaring, report, VAULT_ADDR="https://elsewhere.example:8200")
    (finding,) = [one for one in first.report["findings"] if one["rule"] == "address-differs"]
    assert allow(keywatch, declaring, finding["id"])[0] == 0
    again = audited(declaring, VAULT_ADDR="https://elsewhere.example:8200")
    assert "address-differs" not in [one["rule"] for one in again.report["findings"]]


@pytest.mark.parametrize("data", [b"{}", None])
def test_a_report_to_allow_from_that_is_none_is_an_error(
    keywatch: Keywatch, repository: Path, data: bytes | None
) -> None:
    if data is not None:
        repository.parent.joinpath("audit.sarif").write_bytes(data)
    code, said = allow(keywatch, repository, "0123456789ab")
    assert (code, "audit.sarif" in said) == (2, True)


def test_the_list_takes_no_report(keywatch: Keywatch, repository: Path) -> None:
    code, said = allow(keywatch, repository, "list")
    assert (code, "unrecognized arguments: --audit" in said) == (2, True)


def test_exceptions_of_the_live_side_are_not_called_unused_by_a_scan_and_are_listed(
    keywatch: Keywatch, repository: Path
) -> None:
    exceptions = """\
allow:
  - {fingerprint: 0123456789ab, rule: rotation-overdue, path: "vault://prod/-/secret/x",
     reason: frozen, owner: "@team", until: 2027-01-31}
accept_gaps:
  - {kind: denied, path: "vault://prod/-/secret/sealed/**", reason: r, owner: o, until: 2027-01-31}
"""
    repository.joinpath("keywatch.yaml").write_text(POLICY + exceptions)
    done = scan(keywatch, cwd=repository)
    assert (done.code, done.report["findings"]) == (0, [])
    listed = keywatch("allow", "list", cwd=repository).stdout.decode()
    assert "rotation-overdue" in listed
    assert "vault://prod/-/secret/sealed/**" in listed or "denied" in listed
    assert "covers nothing" not in listed


@pytest.mark.parametrize(("kind", "name"), backends.BACKENDS.items())
def test_each_kind_of_backend_offers_what_the_command_line_asks_of_it(kind: str, name: str) -> None:
    module = importlib.import_module(name)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert extras["optional-dependencies"][module.EXTRA]
    schema = {"type": "object", "properties": module.OPTIONS}
    jsonschema.Draft202012Validator.check_schema(schema)
    assert callable(module.connect)
    assert module.SCHEME in secret_ids.SCHEMES
    assert list(module.scopes({}))
    assert (list(module.addresses({})), list(module.identities({}))) == ([], [])
    asked = Settings(name="x", kind=kind, options={}, timeout=1, environ={})
    assert module.permissions(asked).strip()
