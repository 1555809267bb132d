"""`access review` of a repository: every finding, the matrix, narrower policies, records."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scanner.errors import ConfigError, UsageError
from scanner.policy.access import hcl
from scanner.policy.access.acl import Acl, spoken
from tests.support.access import Review, reviewed
from tests.support.audit_logs import VaultLog
from tests.support.trails import trail

SECRETS = {
    "api-keys": "api-key",
    "db-credentials": "db-credential",
    "jwt-signing": "jwt-signing-key",
}
SOURCE = """\
path "secret/data/agentaskit/*" {
  capabilities = ["read"]
}

path "secret/metadata/agentaskit/*" {
  capabilities = ["list"]
}
"""
API = 'path "secret/data/agentaskit/api-keys" { capabilities = ["read"] }\n'


def keywatch_yaml(**services: str) -> str:
    entries = "".join(
        f'  - {{match: "vault://*/*/secret/agentaskit/{name}", class: {kind}}}\n'
        for name, kind in SECRETS.items()
    )
    said = "".join(f"  {name}: {{{text}}}\n" for name, text in services.items())
    return f"version: 1\nsecrets:\n{entries}services:\n{said}"


DECLARED = "vault:\n  address: https://v\n  secrets:\n" + "".join(
    f"    - path: secret/data/agentaskit/{name}\n" for name in SECRETS
)
GATEWAY = "vault_role: api-gateway-role, policies: [app], needs: [api-key]"


def grow(root: Path, policies: Mapping[str, str], **services: str) -> Path:
    files = {
        "keywatch.yaml": keywatch_yaml(**(services or {"gateway": GATEWAY})),
        "configs/secrets/vault.yaml": DECLARED,
        **{f"policies/{name}": text for name, text in policies.items()},
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def found_in(root: Path, text: str, **services: str) -> Review:
    return reviewed(grow(root, {"app.hcl": text}, **services))


def test_the_policy_of_the_source_document_gives_the_gateway_every_secret(tmp_path: Path) -> None:
    found = found_in(tmp_path, SOURCE)
    assert found.code == 1
    assert found.findings == [("access-excess", "policies/app.hcl", 1)]
    detail = found.details[0][1]
    assert "db-credentials" in detail
    assert "jwt-signing" in detail
    assert "needs only api-key" in detail


def test_the_narrower_policy_grants_what_is_needed_and_nothing_else(tmp_path: Path) -> None:
    root = grow(tmp_path / "r", {"app.hcl": SOURCE})
    found = reviewed(root, "--write-policy", str(tmp_path / "out"))
    text = (tmp_path / "out" / "gateway.hcl").read_text()
    assert found.report["access"]["proposals"] == [{"service": "gateway", "text": text}]
    (root / "policies" / "app.hcl").write_text(text)
    after = reviewed(root)
    assert after.code == 0
    assert after.findings == []


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=60)
@given(
    st.sets(st.sampled_from(sorted(SECRETS.values())), min_size=1),
    st.text(alphabet="ab+*/", min_size=1, max_size=6),
)
def test_a_proposed_policy_is_exact(
    tmp_path_factory: pytest.TempPathFactory, needs: set[str], other: str
) -> None:
    root = tmp_path_factory.mktemp("r")
    service = f"policies: [app], needs: [{', '.join(sorted(needs))}]"
    wide = 'path "secret/*" { capabilities = ["read", "update"] }'
    found = reviewed(grow(root, {"app.hcl": wide}, gateway=service))
    (proposal,) = found.report["access"]["proposals"]
    acl = Acl(hcl.parse(proposal["text"].encode(), "p", "p").rules)
    for name, kind in SECRETS.items():
        path = f"secret/data/agentaskit/{name}"
        wanted = ["read"] if kind in needs else ["deny"]
        assert spoken(acl.lookup(path)) == wanted
        assert spoken(acl.lookup(f"{path}/{other}")) == ["deny"]
        assert spoken(acl.lookup(path.replace("data", "metadata"))) == ["deny"]
    assert spoken(acl.lookup(other)) == ["deny"]


def test_a_need_that_no_policy_grants_is_found_at_the_line_of_the_need(tmp_path: Path) -> None:
    found = found_in(tmp_path, API, gateway="policies: [app], needs: [api-key, db-credential]")
    assert found.findings == [("access-missing", "keywatch.yaml", 7)]


def test_the_right_to_change_a_needed_secret_is_excess(tmp_path: Path) -> None:
    found = found_in(tmp_path, API.replace('"read"', '"read", "update"'))
    assert found.rules == ["access-excess-write"]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ('path "secret/agentaskit/*" { capabilities = ["read"] }', "access-dead-rule"),
        ('path "secret/data/agent*kit/x" { capabilities = ["read"] }', "access-dead-rule"),
        ('path "a/{{identity.nobody}}" { capabilities = ["read"] }', "access-dead-rule"),
        (API.replace("read", "deny") + API, "access-dead-rule"),
        (
            (
                'path "secret/data/agentaskit/api*" { capabilities = ["read"] }\n'
                'path "secret/data/+/api-keys" { capabilities = ["deny"] }'
            ),
            "access-deny-without-effect",
        ),
        (
            (
                'path "other/a/*" { capabilities = ["read"] }\n'
                'path "other/+/b" { capabilities = ["deny"] }'
            ),
            "access-deny-without-effect",
        ),
        ('path "secret/data/agentaskit*" { capabilities = ["read"] }', "access-sibling-leak"),
        ('path "secret/*" { capabilities = ["read"] }', "access-wildcard"),
        ('path "*" { capabilities = ["read"] }', "access-wildcard"),
        ('path "sys/policies/acl/*" { capabilities = ["update"] }', "access-escalation"),
        ('path "auth/token/create" { capabilities = ["update"] }', "access-escalation"),
        ('path "auth/+/role/x" { capabilities = ["create"] }', "access-escalation"),
        ('path "identity/*" { capabilities = ["update"] }', "access-escalation"),
        ('path "transit/export/+/k" { capabilities = ["read"] }', "access-escalation"),
        ('path "x" { capabilities = ["sudo"] }', "access-escalation"),
        ('path "*" { capabilities = ["update"] }', "access-escalation"),
        (
            (
                'path "secret/data/agentaskit/api-keys" { capabilities = ["read"] '
                'denied_parameters = { "x" = [] } }'
            ),
            "access-constraint-without-effect",
        ),
    ],
)
def test_what_is_wrong_with_a_rule_is_found(tmp_path: Path, text: str, rule: str) -> None:
    found = found_in(tmp_path, text)
    assert rule in found.rules
    assert rule not in found_in(tmp_path / "fine", API).rules


@pytest.mark.parametrize(
    "text",
    [
        'path "sys/policies/acl/*" { capabilities = ["read"] }',
        'path "secret/data/agentaskit/+/x" { capabilities = ["deny"] }',
        API + 'path "secret/data/agentaskit/*" { capabilities = ["deny"] }',
    ],
)
def test_what_is_fine_is_not_found(tmp_path: Path, text: str) -> None:
    rules = found_in(tmp_path, API + text).rules
    assert "access-escalation" not in rules
    assert "access-dead-rule" not in rules


def test_a_deny_that_another_policy_overrides_is_found(tmp_path: Path) -> None:
    root = grow(
        tmp_path,
        {
            "app.hcl": 'path "secret/data/agentaskit/*" { capabilities = ["read"] }',
            "guard.hcl": 'path "secret/data/+/jwt-signing" { capabilities = ["deny"] }',
        },
        gateway="policies: [app, guard], needs: ['*']",
    )
    found = reviewed(root)
    assert ("access-deny-without-effect", "policies/guard.hcl", 1) in found.findings


def test_unused_shared_and_absent_policies_are_found(tmp_path: Path) -> None:
    root = grow(
        tmp_path,
        {"app.hcl": API, "old.hcl": API},
        one="policies: [app], needs: [api-key]",
        two="policies: [app, gone], needs: [api-key, db-credential]",
    )
    found = reviewed(root)
    assert ("access-unused-policy", "policies/old.hcl", 1) in found.findings
    assert ("access-shared-policy", "policies/app.hcl", 1) in found.findings
    assert ("access-policy-missing", "keywatch.yaml", 8) in found.findings


def test_an_invalid_policy_ends_the_review_with_its_line(tmp_path: Path) -> None:
    found = found_in(tmp_path, '\npath "a" { capabilities = ["raed"] }')
    assert found.code == 2
    assert "policies/app.hcl:2" in found.err
    assert "did you mean read" in found.err


def test_a_policy_over_the_limit_is_a_gap_or_an_error_and_never_clean(tmp_path: Path) -> None:
    found = found_in(tmp_path, API * 60_000)
    assert found.code in {2, 3}


def test_names_with_control_characters_do_not_reach_a_terminal(tmp_path: Path) -> None:
    found = found_in(tmp_path, 'path "secret/data/agentaskit/\\u001b[31m*" { policy = "write" }')
    assert "\x1b" not in json.dumps(found.report, ensure_ascii=False).replace("\\u001b", "")


def test_the_matrix_is_in_every_format(tmp_path: Path) -> None:
    root = grow(tmp_path / "r", {"app.hcl": SOURCE})
    names = {name: tmp_path / name for name in ("csv", "markdown", "sarif", "terminal")}
    reviewed(root, *(f"--report={name}={path}" for name, path in names.items()))
    rows = list(csv.DictReader(io.StringIO(names["csv"].read_text())))
    assert sum(row["row"] == "access" for row in rows) == len(SECRETS)
    run = json.loads(names["sarif"].read_text())["runs"][0]
    assert [row["verdict"] for row in run["properties"]["accessMatrix"]].count("excess") == 2
    for name in ("markdown", "terminal"):
        text = names[name].read_text()
        assert "jwt-signing" in text
        assert "excess" in text
        assert 'path "secret/data/agentaskit/api-keys"' in text


def test_what_was_used_comes_from_an_audit_log(tmp_path: Path) -> None:
    root = grow(tmp_path / "r", {"app.hcl": SOURCE}, gateway=GATEWAY.replace("[api-key]", "['*']"))
    entry = {
        "type": "request",
        "time": "2026-11-20T10:00:00Z",
        "auth": {"metadata": {"role": "api-gateway-role"}},
        "request": {"operation": "read", "path": "secret/data/agentaskit/api-keys"},
    }
    log = tmp_path / "audit.log"
    log.write_text(f"{json.dumps(entry)}\nnot json\n")
    found = reviewed(root, "--trail", str(log))
    used = {row["secret"].rpartition("/")[2]: row["used"] for row in found.rows}
    assert used == {"api-keys": "2026-11-20", "db-credentials": "never", "jwt-signing": "never"}
    assert "access-unused-grant" in found.rules


def test_what_was_used_comes_from_the_file_that_trail_writes(tmp_path: Path) -> None:
    root = grow(tmp_path / "r", {"app.hcl": SOURCE}, gateway=GATEWAY.replace("[api-key]", "['*']"))
    log, used = VaultLog(), tmp_path / "used.json"
    when = datetime(2026, 11, 20, 10, tzinfo=UTC)
    lines = log.call(when, "secret/data/agentaskit/api-keys", role="api-gateway-role")
    lines += log.call(when, "secret/data/agentaskit/jwt-signing", role="other")
    trail(root, lines, "--last-used", str(used))
    found = reviewed(root, "--trail", str(used))
    days = {row["secret"].rpartition("/")[2]: row["used"] for row in found.rows}
    assert days == {"api-keys": "2026-11-20", "db-credentials": "never", "jwt-signing": "never"}
    assert "access-unused-grant" in found.rules
    assert found.gaps == []


def test_incomplete_logs_do_not_prove_that_a_grant_is_unused(tmp_path: Path) -> None:
    root = grow(tmp_path / "r", {"app.hcl": SOURCE}, gateway=GATEWAY.replace("[api-key]", "['*']"))
    used = tmp_path / "used.json"
    lines = VaultLog().call(
        datetime(2026, 11, 20, 10, tzinfo=UTC),
        "secret/data/agentaskit/api-keys",
        role="api-gateway-role",
    )
    trail(root, [*lines, b"not json\n"], "--last-used", str(used))
    found = reviewed(root, "--trail", str(used))
    days = {row["secret"].rpartition("/")[2]: row["used"] for row in found.rows}
    assert days == {"api-keys": "2026-11-20", "db-credentials": "", "jwt-signing": ""}
    assert "access-unused-grant" not in found.rules
    assert [gap["kind"] for gap in found.gaps] == ["not-knowable"]
    assert found.code == 3


def test_a_broken_file_of_trail_is_an_error(tmp_path: Path) -> None:
    root = grow(tmp_path / "r", {"app.hcl": SOURCE})
    used = tmp_path / "used.json"
    used.write_text('{"schema_version": 1, "grants": 3}')
    with pytest.raises(ConfigError, match="was not written by keywatch trail"):
        reviewed(root, "--trail", str(used))


def test_a_record_has_a_row_for_each_grant_and_the_next_review_compares_with_it(
    tmp_path: Path,
) -> None:
    root = grow(tmp_path / "r", {"app.hcl": SOURCE})
    when = ("--now", "2027-01-01T00:00:00Z", "--record", str(tmp_path / "records"))
    reviewed(root, *when)
    record = tmp_path / "records" / "2027-01-01.md"
    lines = [line for line in record.read_text().splitlines() if line.startswith("| gateway")]
    assert len(lines) == len(SECRETS)
    assert "| Reviewer | Decision | Date |" in record.read_text()
    (root / "policies" / "app.hcl").write_text(API.replace('"read"', '"read", "delete"'))
    found = reviewed(root, "--compare", str(record))
    changes = {
        (one["how"], one["secret"].rpartition("/")[2]) for one in found.report["access"]["changes"]
    }
    assert changes == {
        ("changed", "api-keys"),
        ("gone", "db-credentials"),
        ("gone", "jwt-signing"),
    }
    assert reviewed(root, "--compare", str(record)).report["access"]["since"] == str(record)
    with pytest.raises(UsageError):  # a signed record is not overwritten
        reviewed(root, *when)


@pytest.mark.parametrize(
    ("kind", "options", "library"),
    [
        ("vault", "address: 'http://127.0.0.1:9', auth: {method: token, env: NONE}", "hvac"),
        ("aws", "regions: [eu-west-1]", "boto3"),
    ],
)
def test_a_store_whose_library_is_missing_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, options: str, library: str
) -> None:
    root = grow(tmp_path / "repository", {"app.hcl": SOURCE})
    operator = tmp_path / "operator.yaml"
    operator.write_text(f"backends: {{a: {{kind: {kind}, {options}}}}}\n")
    for name in [each for each in sys.modules if each.partition(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    for name in [each for each in sys.modules if each.startswith(f"scanner.inventory.{kind}")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UsageError, match="a library for backend a is not installed") as error:
        reviewed(root, "--operator", str(operator))
    assert f"keywatch[{kind}]" in error.value.todo
