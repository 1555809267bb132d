"""`keywatch policy check`: the policy, the declared secrets and the guard rails, held together."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from examples import plant
from scanner.policy.repository.rules import RULES
from tests.cli.test_bad_input import unprivileged
from tests.support.helpers import IDENTITY, Keywatch, git, token, write_files
from tests.support.policy_trees import CI, HOOK, POLICY, SOURCE, VAULT, WHOLE, check

ROOT = Path(__file__).resolve().parents[2]
KEYWATCH_HOOK = "repos:\n- repo: x\n  hooks:\n  - id: keywatch\n"


# The whole


def test_a_policy_without_a_contradiction_is_clean(keywatch: Keywatch, tmp_path: Path) -> None:
    done = check(keywatch, write_files(tmp_path, WHOLE))
    assert (done.code, done.findings, done.err) == (0, [], "")


def test_the_source_document_itself_has_a_script_and_a_secret_that_nothing_rotates(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    done = check(keywatch, write_files(tmp_path, SOURCE))
    assert done.code == 1
    assert done.findings == [
        ("policy-unrotated-secret", "configs/secrets/vault.yaml", 7),
        ("policy-unrotated-secret", "configs/secrets/vault.yaml", 11),
        ("policy-rotation-without-effect", "scripts/rotate_secrets.sh", 5),
    ]
    assert "KV entry called rotate" in done.detail("policy-rotation-without-effect")


def test_a_rotated_database_role_leaves_the_copy_in_kv_and_this_is_noted(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    done = check(keywatch, write_files(tmp_path, WHOLE))
    (note,) = done.report["notes"]
    assert (note["path"], note["line"]) == ("configs/secrets/vault.yaml", 9)
    assert "database/static-creds/agentaskit-db" in note["text"]


def test_the_terminal_names_place_reason_and_remedy(keywatch: Keywatch, tmp_path: Path) -> None:
    done = keywatch("policy", "check", cwd=write_files(tmp_path, SOURCE))
    text = done.stdout.decode()
    assert done.returncode == 1
    assert "scripts/rotate_secrets.sh:5" in text
    assert "fix" in text
    assert "keywatch allow" not in text


def test_sarif_says_the_same(keywatch: Keywatch, tmp_path: Path) -> None:
    done = keywatch("policy", "check", "--report=sarif=-", cwd=write_files(tmp_path, SOURCE))
    (run,) = json.loads(done.stdout)["runs"]
    assert run["automationDetails"] == {"id": "keywatch/policy-check/"}
    broken = {"policy-unrotated-secret", "policy-rotation-without-effect"}
    assert {each["ruleId"] for each in run["results"]} == broken
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == broken


def test_the_json_report_is_of_its_schema(keywatch: Keywatch, tmp_path: Path) -> None:
    schema = json.loads((ROOT / "rules/schema/report.schema.json").read_text())
    jsonschema.validate(check(keywatch, write_files(tmp_path, SOURCE)).report, schema)


def test_two_runs_give_the_same_bytes(keywatch: Keywatch, tmp_path: Path) -> None:
    write_files(tmp_path, SOURCE | {".pre-commit-config.yaml": "repos: []\n"})
    one, two = (
        keywatch(
            "policy", "check", "--now=2026-11-24T12:00:00Z", "--report=json=-", cwd=tmp_path
        ).stdout
        for _ in range(2)
    )
    assert one == two


def test_a_severity_below_fail_on_fails_nothing(keywatch: Keywatch, tmp_path: Path) -> None:
    done = check(keywatch, write_files(tmp_path, SOURCE), "--fail-on=critical")
    assert (done.code, len(done.findings)) == (0, 3)


def test_the_repository_around_a_folder_is_what_is_checked(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    git(write_files(tmp_path / "repo", SOURCE), "init", "--quiet")
    inside = check(keywatch, tmp_path / "repo" / "scripts")
    outside = check(keywatch, tmp_path, "repo")
    assert inside.findings == outside.findings == check(keywatch, tmp_path / "repo").findings


def test_what_git_ignores_rotates_nothing(keywatch: Keywatch, tmp_path: Path) -> None:
    root = write_files(tmp_path, WHOLE | {".gitignore": "scripts/\n"})
    git(root, "init", "--quiet")
    assert check(keywatch, root).rules == ["policy-unrotated-secret"] * 3


def test_without_a_policy_the_guard_rails_are_still_judged(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    done = check(keywatch, write_files(tmp_path, {"README.md": "nothing\n"}))
    assert done.rules == ["policy-ci-missing", "policy-hook-missing"]
    assert any("keywatch init" in note["text"] for note in done.report["notes"])


# Files that are invalid


def test_every_invalid_file_is_named_with_line_field_and_nearest_name(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    files = {
        "keywatch.yaml": POLICY.replace("needs: [api-key]", "neds: [api-key]"),
        "configs/secrets/aws.yaml": "aws:\n  regoin: eu-central-1\n  secrets: []\n",
        "configs/secrets/vault.yaml": VAULT.replace("kubernetes", "kubernets"),
        "configs/secrets/x.yml": "vault: [\n",
    }
    done = check(keywatch, write_files(tmp_path, WHOLE | files))
    assert (done.code, done.report) == (2, None)
    for words in (
        "keywatch.yaml:7: unknown key 'neds'",
        "did you mean needs?",
        "configs/secrets/aws.yaml:2: unknown key 'regoin'",
        "did you mean region?",
        "configs/secrets/vault.yaml:4: vault.auth.method must be one of",
        "did you mean kubernetes?",
        "configs/secrets/x.yml:2: configs/secrets/x.yml is not valid YAML",
    ):
        assert words in done.err


@pytest.mark.parametrize(
    ("right", "wrong", "says"),
    [
        ("address: ${VAULT_ADDR}", "adress: x", "unknown key 'adress'"),
        ("key: api_key", "kay: api_key", "unknown key 'kay'"),
        ("method: kubernetes", "role_id: x", "method is missing"),
        (
            "secret/data/agentaskit/api-keys",
            "api-keys",
            "path in entry 1 of vault.secrets must be a path of two parts",
        ),
        ("role: agentaskit-production", "token: plain", "vault.auth.token must be a reference"),
        ("vault:", "vualt:", "did you mean vault?"),
    ],
)
def test_a_fault_in_the_vault_form_is_an_error(
    keywatch: Keywatch, tmp_path: Path, right: str, wrong: str, says: str
) -> None:
    text = VAULT.replace(right, wrong, 1)
    done = check(keywatch, write_files(tmp_path, WHOLE | {"configs/secrets/vault.yaml": text}))
    assert done.code == 2
    assert says in done.err


def test_a_value_that_should_be_a_reference_is_not_repeated(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    text = VAULT.replace("role: agentaskit-production", f"token: {token()}")
    done = check(keywatch, write_files(tmp_path, WHOLE | {"configs/secrets/vault.yaml": text}))
    assert done.code == 2
    assert token() not in done.err


@pytest.mark.parametrize(
    ("scheme", "says"),
    [
        ("valt", "did you mean vault?"),
        ("asw", "did you mean aws?"),
        ("gcp", 'write it as match: "vault://*/*/secret/app/api-keys"'),
    ],
)
def test_a_match_with_an_unknown_scheme_is_answered_with_the_nearest_one(
    keywatch: Keywatch, tmp_path: Path, scheme: str, says: str
) -> None:
    text = POLICY.replace('"vault://*/*/secret/agentaskit/api-keys"', f'"{scheme}://**"')
    done = check(keywatch, write_files(tmp_path, WHOLE | {"keywatch.yaml": text}))
    assert done.code == 2
    assert "keywatch.yaml:3: match in entry 1 of secrets must be the ID" in done.err
    assert says in done.err


@pytest.mark.parametrize(
    ("period", "says"),
    [("90", "rotate_every"), ("0d", "rotate_every"), ("3 months", "write it as rotate_every: 90d")],
)
def test_a_period_is_a_number_and_a_unit(
    keywatch: Keywatch, tmp_path: Path, period: str, says: str
) -> None:
    text = f"{POLICY}classes:\n  api-key: {{rotate_every: '{period}'}}\n"
    done = check(keywatch, write_files(tmp_path, WHOLE | {"keywatch.yaml": text}))
    assert done.code == 2
    assert says in done.err


def test_a_grace_that_an_audit_may_miss_is_noted_for_each_class_in_use(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    text = f"{POLICY}audit:\n  every: 24h\n"
    done = check(keywatch, write_files(tmp_path, WHOLE | {"keywatch.yaml": text}))
    notes = [note for note in done.report["notes"] if note["kind"] == "short-grace"]
    assert [note["text"].split(",")[0] for note in notes] == [
        "the grace period of db-credential",
        "the grace period of jwt-signing-key",
    ]
    assert {(note["path"], note["line"]) for note in notes} == {
        ("keywatch.yaml", len(text.splitlines()))
    }
    assert "1h, is shorter than two audit intervals of 24h" in notes[1]["text"]
    assert done.code == 0


def test_rules_of_ones_own_are_checked_too(keywatch: Keywatch, tmp_path: Path) -> None:
    text = POLICY + "rules:\n  - id: my-rule\n    titel: x\n"
    done = check(keywatch, write_files(tmp_path, WHOLE | {"keywatch.yaml": text}))
    assert done.code == 2
    assert "titel" in done.err


# Contradictions


def test_an_unknown_class_is_answered_with_the_nearest_name(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    text = POLICY.replace("class: jwt-signing-key", "class: jwt-singing-key").replace(
        "needs: [api-key]", "needs: [api-kee]"
    )
    done = check(keywatch, write_files(tmp_path, WHOLE | {"keywatch.yaml": text}))
    assert done.code == 1
    assert done.findings == [
        ("policy-unknown-class", "keywatch.yaml", 5),
        ("policy-unknown-class", "keywatch.yaml", 7),
    ]
    first, second = (each["detail"] for each in done.report["findings"])
    assert "jwt-singing-key" in first
    assert "did you mean jwt-signing-key?" in first
    assert "did you mean api-key?" in second


def test_a_class_of_ones_own_is_known(keywatch: Keywatch, tmp_path: Path) -> None:
    text = POLICY.replace("class: api-key", "class: partner-key").replace(
        "[api-key]", "[partner-key]"
    )
    text += "classes:\n  partner-key: {rotate_every: 14d, grace: 2h}\n"
    assert check(keywatch, write_files(tmp_path, WHOLE | {"keywatch.yaml": text})).code == 0


def test_a_secret_that_is_declared_twice_names_both_places(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    more = VAULT + "    - path: secret/data/agentaskit/api-keys\n      key: api_key\n"
    done = check(keywatch, write_files(tmp_path, WHOLE | {"configs/secrets/vault.yaml": more}))
    assert done.findings == [("policy-duplicate-secret", "configs/secrets/vault.yaml", 13)]
    assert "configs/secrets/vault.yaml:7" in done.detail("policy-duplicate-secret")


def test_the_same_path_with_another_key_or_at_another_address_is_another_secret(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    files = {
        "configs/secrets/vault.yaml": VAULT
        + "    - path: secret/data/agentaskit/api-keys\n      key: other_key\n",
        "configs/secrets/staging.yaml": VAULT.replace("VAULT_ADDR", "STAGING_VAULT_ADDR"),
    }
    assert check(keywatch, write_files(tmp_path, WHOLE | files)).findings == []


def test_a_need_that_no_declared_secret_provides(keywatch: Keywatch, tmp_path: Path) -> None:
    text = POLICY.replace("needs: [db-credential]", "needs: [db-credential, encryption-key]")
    done = check(keywatch, write_files(tmp_path, WHOLE | {"keywatch.yaml": text}))
    assert done.findings == [("policy-unmet-need", "keywatch.yaml", 8)]
    assert "workers" in done.detail("policy-unmet-need")
    assert "encryption-key" in done.detail("policy-unmet-need")


def test_a_match_that_matches_nothing_names_the_nearest_secret(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    text = POLICY.replace('jwt-signing"', 'jwt-singing"')
    done = check(keywatch, write_files(tmp_path, WHOLE | {"keywatch.yaml": text}))
    assert done.findings == [("policy-idle-match", "keywatch.yaml", 5)]
    assert "vault://*/-/secret/agentaskit/jwt-signing" in done.detail("policy-idle-match")


def test_where_no_secret_is_declared_a_match_may_wait_for_live_ones(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    files = {name: text for name, text in WHOLE.items() if not name.startswith("configs/")}
    assert check(keywatch, write_files(tmp_path, files)).findings == []


def test_two_entries_that_give_one_secret_two_classes(keywatch: Keywatch, tmp_path: Path) -> None:
    more = '  - {match: "vault://prod/*/secret/*/api-keys", class: service-token}\n'
    text = POLICY.replace("services:", more + "services:")
    done = check(keywatch, write_files(tmp_path, WHOLE | {"keywatch.yaml": text}))
    assert done.findings == [("policy-class-conflict", "keywatch.yaml", 6)]
    for words in ("api-key", "service-token", "keywatch.yaml:3", "secret/agentaskit/api-keys"):
        assert words in done.detail("policy-class-conflict")


def test_the_more_specific_of_two_entries_holds_in_either_order(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    wide = '  - {match: "vault://**/api-keys", class: service-token, runbook: no/file.md}\n'
    for number, place in enumerate(("secrets:\n", "services:")):
        text = POLICY.replace(place, place + wide if number == 0 else wide + place)
        done = check(keywatch, write_files(tmp_path / str(number), WHOLE | {"keywatch.yaml": text}))
        assert [rule for rule, _, _ in done.findings] == ["policy-runbook-missing"]


def test_an_entry_by_tags_says_nothing_of_what_is_declared(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    more = "  - {tags: {team: payments}, class: service-token, runbook: README.md}\n"
    text = POLICY.replace("services:", more + "services:")
    done = check(
        keywatch, write_files(tmp_path, SOURCE | {"keywatch.yaml": text, "README.md": "x\n"})
    )
    assert [rule for rule, _, _ in done.findings] == [
        "policy-unrotated-secret",
        "policy-unrotated-secret",
        "policy-rotation-without-effect",
    ]


def test_a_runbook_that_is_there_is_a_way_to_rotate(keywatch: Keywatch, tmp_path: Path) -> None:
    text = POLICY.replace(
        "class: jwt-signing-key", "class: jwt-signing-key, runbook: docs/jwt.md"
    ).replace('owner: "@sec-oncall"', "runbook: docs/api.md")
    files = SOURCE | {"keywatch.yaml": text, "docs/jwt.md": "By hand.\n"}
    done = check(keywatch, write_files(tmp_path, files))
    assert done.findings == [
        ("policy-unrotated-secret", "configs/secrets/vault.yaml", 7),
        ("policy-runbook-missing", "keywatch.yaml", 3),
        ("policy-rotation-without-effect", "scripts/rotate_secrets.sh", 5),
    ]
    assert "did you mean docs/jwt.md?" in done.detail("policy-runbook-missing")


def test_a_declared_secret_without_a_class_is_noted(keywatch: Keywatch, tmp_path: Path) -> None:
    text = POLICY.replace(
        '  - {match: "vault://*/*/secret/agentaskit/jwt-signing", class: jwt-signing-key}\n', ""
    )
    done = check(keywatch, write_files(tmp_path, WHOLE | {"keywatch.yaml": text}))
    assert done.code == 0
    (note,) = [each for each in done.report["notes"] if each["kind"] == "unclassified"]
    assert (note["path"], note["line"]) == ("configs/secrets/vault.yaml", 11)


# Guard rails


@pytest.mark.parametrize(
    "files",
    [
        {".pre-commit-config.yaml": KEYWATCH_HOOK},
        {".pre-commit-config.yaml": HOOK},
        {
            ".pre-commit-config.yaml": "repos:\n- repo: local\n  hooks:\n  - id: secrets\n"
            "    entry: keywatch hook pre-commit\n    language: system\n    name: x\n"
        },
        {".husky/pre-commit": "npx lint-staged\nkeywatch hook pre-commit\n"},
        {"lefthook.yml": "pre-commit:\n  jobs:\n    - run: detect-secrets-hook {staged_files}\n"},
    ],
)
def test_a_hook_of_either_tool_will_do(
    keywatch: Keywatch, tmp_path: Path, files: dict[str, str]
) -> None:
    whole = {name: text for name, text in WHOLE.items() if name != ".pre-commit-config.yaml"}
    assert check(keywatch, write_files(tmp_path, whole | files)).findings == []


@pytest.mark.parametrize(
    "text",
    ["repos: []\n", "repos:\n- repo: y\n  hooks:\n  - id: black\n", "# keywatch\n", "repos: ["],
)
def test_a_missing_hook_is_a_finding_that_says_what_to_add(
    keywatch: Keywatch, tmp_path: Path, text: str
) -> None:
    done = check(keywatch, write_files(tmp_path, WHOLE | {".pre-commit-config.yaml": text}))
    assert done.findings == [("policy-hook-missing", ".pre-commit-config.yaml", 1)]
    assert "id: keywatch" in done.detail("policy-hook-missing")


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"results": []}', "<<<<<<< ours\n{}"])
def test_a_baseline_that_the_hook_names_must_be_there_and_be_one(
    keywatch: Keywatch, tmp_path: Path, text: str | None
) -> None:
    write_files(tmp_path, WHOLE)
    (tmp_path / ".secrets.baseline").unlink()
    if text is not None:
        (tmp_path / ".secrets.baseline").write_text(text)
    done = check(keywatch, tmp_path)
    assert done.findings == [("policy-baseline-missing", ".pre-commit-config.yaml", 6)]
    assert ".secrets.baseline" in done.detail("policy-baseline-missing")


def test_a_baseline_under_nearly_the_same_name_is_proposed(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    files = WHOLE | {".pre-commit-config.yaml": HOOK.replace("secrets.baseline", "secret.baseline")}
    done = check(keywatch, write_files(tmp_path, files))
    assert "did you mean .secrets.baseline?" in done.detail("policy-baseline-missing")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".github/workflows/ci.yaml", CI),
        (".gitlab-ci.yml", "secrets:\n  script:\n    - keywatch scan --require-complete\n"),
        (".gitlab-ci.yml", "secrets:\n  script: [pre-commit run --all-files]\n"),
        ("Jenkinsfile", "stage('x') { sh 'detect-secrets-hook --baseline .secrets.baseline' }\n"),
        (".circleci/config.yml", "jobs:\n  x:\n    steps:\n      - run: keywatch scan\n"),
        (".github/workflows/a.yml", "jobs: {x: {steps: [{uses: 'pre-commit/action@v3.0.1'}]}}\n"),
    ],
)
def test_a_job_that_scans_will_do(keywatch: Keywatch, tmp_path: Path, name: str, text: str) -> None:
    whole = {path: one for path, one in WHOLE.items() if not path.startswith(".github")}
    assert check(keywatch, write_files(tmp_path, whole | {name: text})).findings == []


def test_a_script_that_a_job_runs_is_read_too(keywatch: Keywatch, tmp_path: Path) -> None:
    files = {
        ".github/workflows/sec-ci.yml": "jobs: {x: {steps: [{run: ./ci/all.sh}]}}\n",
        "ci/all.sh": "set -e\nkeywatch scan\n",
    }
    assert check(keywatch, write_files(tmp_path, WHOLE | files)).findings == []


@pytest.mark.parametrize(
    "text",
    [
        "jobs: {x: {steps: [{run: make test}]}}\n",
        "jobs:\n  x:\n    steps:\n      # - run: keywatch scan\n      - run: make test\n",
        "jobs:\n  x:\n    steps:\n      - name: keywatch scan\n        run: make test\n",
    ],
)
def test_a_job_that_does_not_scan_is_none(keywatch: Keywatch, tmp_path: Path, text: str) -> None:
    done = check(keywatch, write_files(tmp_path, WHOLE | {".github/workflows/sec-ci.yml": text}))
    assert done.findings == [("policy-ci-missing", ".github/workflows/sec-ci.yml", 1)]
    assert "keywatch scan" in done.detail("policy-ci-missing")


# A hostile repository


def test_nothing_outside_the_tree_is_read(keywatch: Keywatch, tmp_path: Path) -> None:
    outside = write_files(tmp_path / "outside", WHOLE)
    root = write_files(tmp_path / "repo", {"README.md": "x\n"})
    (root / "scripts").symlink_to(outside / "scripts")
    (root / ".pre-commit-config.yaml").symlink_to(outside / ".pre-commit-config.yaml")
    (root / ".github").symlink_to(outside / ".github")
    (root / "configs").symlink_to(outside / "configs")
    done = check(keywatch, root)
    assert done.rules == ["policy-ci-missing", "policy-hook-missing"]


def test_a_declaration_that_is_a_link_is_an_invalid_file(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    root = write_files(tmp_path / "repo", WHOLE)
    (tmp_path / "outside.yaml").write_text(VAULT)
    (root / "configs/secrets/more.yaml").symlink_to(tmp_path / "outside.yaml")
    done = check(keywatch, root)
    assert done.code == 2
    assert "configs/secrets/more.yaml" in done.err
    assert "link" in done.err


def test_a_baseline_outside_the_tree_is_missing(keywatch: Keywatch, tmp_path: Path) -> None:
    root = write_files(tmp_path / "repo", WHOLE)
    (tmp_path / "b.json").write_text('{"results": {}}')
    text = HOOK.replace("'.secrets.baseline'", "'../b.json'")
    done = check(keywatch, write_files(root, {".pre-commit-config.yaml": text}))
    assert done.rules == ["policy-baseline-missing"]


def test_hostile_names_stay_on_their_line(keywatch: Keywatch, tmp_path: Path) -> None:
    name = "configs/secrets/a\n::error::\x1b[2J.yaml"
    write_files(
        tmp_path,
        WHOLE | {name: VAULT, "scripts/rotate\n\x1b[2J.sh": SOURCE["scripts/rotate_secrets.sh"]},
    )
    done = keywatch("policy", "check", cwd=tmp_path)
    assert done.returncode == 1
    assert b"\x1b[2J" not in done.stdout
    assert not [line for line in done.stdout.splitlines() if line.startswith(b"::")]


def test_a_secret_in_a_name_is_masked(keywatch: Keywatch, tmp_path: Path) -> None:
    value = token()
    text = POLICY.replace("agentaskit/jwt-signing", f"agentaskit/{value}").replace(
        "class: api-key", f"class: {value.lower().replace('_', '-')}"
    )
    text = text.replace("jwt-signing-key}", f"jwt-signing-key, runbook: docs/{value}}}")
    done = keywatch(
        "policy",
        "check",
        "--report=json=-",
        cwd=write_files(tmp_path, WHOLE | {"keywatch.yaml": text}),
    )
    assert done.returncode == 1
    assert value.encode() not in done.stdout + done.stderr


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("scripts/rotate_all.sh", "vault kv put secret/x/$a k=v\n" * 30_000),
        ("scripts/rotate_all.sh", "vault write -f secret/data/x/rotate \\\n" * 20_000),
        ("scripts/rotate_all.sh", "$a" * 400_000),
        ("scripts/rotate_all.py", '"' + "a/" * 400_000),
        (".github/workflows/x.yml", "- a\n" * 200_000),
        (".github/workflows/x.yml", "{{" * 400_000),
        ("main.tf", 'resource "a" "b" {\n' * 40_000 + "time_rotating rotation"),
        ("eso.yaml", "kind: PushSecret\n---\n" * 20_000),
        ("x.hcl", 'path "' * 100_000),
    ],
)
def test_a_hostile_file_takes_bounded_time(
    keywatch: Keywatch, tmp_path: Path, name: str, text: str
) -> None:
    write_files(tmp_path, WHOLE | {name: text})
    assert check(keywatch, tmp_path).code in (0, 1)


@pytest.mark.unmeasured
def test_hostile_globs_take_bounded_time(keywatch: Keywatch, tmp_path: Path) -> None:
    deep = "/".join(["**", "*a*a*a*a*a*b"] * 30)
    text = POLICY.replace(
        "services:", f'  - {{match: "vault://{deep}", class: api-key}}\nservices:'
    )
    vault = VAULT + "".join(
        f"    - path: secret/{'/'.join(['a' * 25] * 15)}/{i}\n" for i in range(50)
    )
    files = WHOLE | {"keywatch.yaml": text, "configs/secrets/vault.yaml": vault}
    done = check(keywatch, write_files(tmp_path, files))
    assert "policy-idle-match" in done.rules


def test_a_script_that_cannot_be_read_makes_the_check_incomplete(tmp_path: Path) -> None:
    write_files(tmp_path, WHOLE)
    (tmp_path / "scripts/more.sh").touch(mode=0)
    done = unprivileged("policy", "check", cwd=tmp_path)
    assert done.returncode == 3
    assert b"scripts/more.sh" in done.stdout
    terms = "kind: unreadable, path: scripts/**, reason: x, owner: y, until: 2099-01-01"
    accepted = f"accept_gaps:\n- {{{terms}}}\n"
    write_files(tmp_path, {"keywatch.yaml": POLICY + accepted})
    assert unprivileged("policy", "check", cwd=tmp_path).returncode == 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_in_the_place_of_a_script_is_not_waited_for(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    write_files(tmp_path, WHOLE)
    os.mkfifo(tmp_path / "scripts" / "rotate_more.sh")
    assert check(keywatch, tmp_path).code == 0


# The example, and what the documentation says


def test_the_example_has_a_secret_that_nothing_rotates(keywatch: Keywatch, tmp_path: Path) -> None:
    copy = tmp_path / "agentaskit"
    plant.plant(copy, replace(plant.load_manifest(), plants=()))
    done = check(keywatch, copy)
    assert done.findings == [
        ("policy-unrotated-secret", "configs/secrets/vault.yaml", 12),
        ("access-excess", "security/policies/vault/agentaskit-secrets.hcl", 2),
    ]
    assert "jwt-signing" in done.detail("policy-unrotated-secret")


def test_every_rule_of_the_check_says_why_and_what_to_do(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    for rule in RULES:
        done = keywatch("rules", "show", rule.id, cwd=tmp_path)
        text = done.stdout.decode()
        assert done.returncode == 0
        assert text.startswith(f"{rule.id}: ")
        assert "Fix: " in text


def test_the_documented_forms_are_of_their_schemas(keywatch: Keywatch, tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/policy.md").read_text(), re.DOTALL)
    forms = [block for block in blocks if block.startswith("# configs/secrets/")]
    (policy,) = [block for block in blocks if "\nservices:" in block]
    for number, form in enumerate(forms):
        write_files(tmp_path, {f"configs/secrets/{number}.yaml": form})
    done = check(keywatch, write_files(tmp_path, {"keywatch.yaml": policy}))
    assert (done.err, len(forms)) == ("", 2)
    assert set(done.rules) == {
        "policy-hook-missing",
        "policy-ci-missing",
        "policy-unrotated-secret",
        "policy-runbook-missing",
    }


VAULT_FILES = {
    "keywatch.yaml": """\
version: 1
secrets:
  - {match: "vault://*/*/secret/app/one", class: api-key}
  - {match: "vault://*/*/secret/app/two", class: db-credential}
services:
  web: {policies: [web], needs: [api-key]}
""",
    "configs/secrets/vault.yaml": """\
vault:
  address: https://vault
  secrets:
    - path: secret/data/app/one
    - path: secret/data/app/two
""",
    "policies/web.hcl": 'path "secret/data/app/one" { capabilities = ["read"] }\n',
}


def widened(keywatch: Keywatch, root: Path, *options: str, **files: str) -> list[tuple[str, str]]:
    """(rule, path) of what `policy check --diff` finds in a commit with these files."""
    write_files(root, VAULT_FILES)
    git(root, "init", "-q")
    for message, changed in (("one", {}), ("two", files)):
        write_files(root, {name.replace("__", "/"): text for name, text in changed.items()})
        git(root, "add", "-A")
        git(root, *IDENTITY, "commit", "-q", "--allow-empty", "-m", message)
    report = ("--report", "json=-", "--quiet", *options)
    done = keywatch("policy", "check", "--diff", "HEAD~1", *report, cwd=root)
    found = json.loads(done.stdout)["findings"]
    assert done.returncode == (1 if found else 0)
    return sorted((one["rule"], one["location"]["path"]) for one in found)


def test_a_change_that_widens_a_policy_is_found(keywatch: Keywatch, tmp_path: Path) -> None:
    wide = VAULT_FILES["policies/web.hcl"].replace("app/one", "app/*")
    assert widened(keywatch, tmp_path, **{"policies/web.hcl": wide}) == [
        ("access-excess", "policies/web.hcl"),
        ("policy-weakened", "policies/web.hcl"),
    ]


def test_a_removed_deny_widens_a_policy(keywatch: Keywatch, tmp_path: Path) -> None:
    before = VAULT_FILES["policies/web.hcl"]
    denied = before + 'path "secret/data/other/*" { capabilities = ["read"] }\n'
    VAULT_FILES["policies/web.hcl"] = denied + 'path "secret/data/other/x" { policy = "deny" }\n'
    try:
        found = widened(keywatch, tmp_path, **{"policies/web.hcl": denied})
    finally:
        VAULT_FILES["policies/web.hcl"] = before
    assert found == [("policy-weakened", "policies/web.hcl")]


def test_a_change_that_adds_a_need_cannot_justify_its_own_policy(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    wide = VAULT_FILES["policies/web.hcl"].replace("app/one", "app/*")
    needs = VAULT_FILES["keywatch.yaml"].replace("[api-key]", "[api-key, db-credential]")
    changed = {"policies/web.hcl": wide, "keywatch.yaml": needs}
    assert widened(keywatch, tmp_path, **changed) == [
        ("access-excess", "policies/web.hcl"),
        ("policy-weakened", "keywatch.yaml"),
        ("policy-weakened", "policies/web.hcl"),
    ]


def test_a_change_that_narrows_a_policy_is_fine(keywatch: Keywatch, tmp_path: Path) -> None:
    found = widened(keywatch, tmp_path, **{"policies/web.hcl": "# nothing\n"})
    assert found == [("access-missing", "keywatch.yaml")]
