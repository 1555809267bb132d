"""`keywatch init`: a first keywatch.yaml from what is in the repository."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from scanner.configuration import repository
from scanner.policy.access.rules import RULES as ACCESS_RULES
from scanner.policy.repository import new_policy
from scanner.policy.repository.new_policy import PolicyInput
from scanner.policy.repository.vault_hints import ServiceSuggestion
from tests.support.helpers import Keywatch, git, leak, token, write_files
from tests.support.policy_trees import CI, HOOK, VAULT, WHOLE, check

POLICY = """\
# Role worker-role: reads the database credentials and the API keys.
path "secret/data/agentaskit/db-credentials" {
  capabilities = ["read"]
}
path "secret/data/agentaskit/api-keys" { capabilities = ["read"] }
path "secret/data/agentaskit/jwt-signing" { capabilities = ["deny"] }
"""
EVERYTHING = 'path "secret/data/+/*" {\n  capabilities = ["read"]\n}\n'
WORKERS = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: agentaskit-workers}
spec:
  template:
    metadata:
      annotations:
        vault.hashicorp.com/role: worker-role
        vault.hashicorp.com/agent-inject-secret-db: secret/data/agentaskit/db-credentials
"""


def init(keywatch: Keywatch, root: Path, *arguments: str) -> tuple[int, str, str]:
    done = keywatch("init", *arguments, cwd=root)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def written(root: Path) -> dict[str, object]:
    document: dict[str, object] = yaml.safe_load((root / "keywatch.yaml").read_text())
    return document


def without_policy(**more: str) -> dict[str, str]:
    return {name: text for name, text in WHOLE.items() if name != "keywatch.yaml"} | more


def test_the_declared_secrets_get_the_classes_that_their_names_speak_for(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    code, out, err = init(keywatch, write_files(tmp_path, without_policy()))
    assert (code, err) == (0, "")
    assert "wrote keywatch.yaml" in out
    assert written(tmp_path)["secrets"] == [
        {"match": "vault://*/*/secret/agentaskit/api-keys", "class": "api-key"},
        {"match": "vault://*/*/secret/agentaskit/db-credentials", "class": "db-credential"},
        {"match": "vault://*/*/secret/agentaskit/jwt-signing", "class": "jwt-signing-key"},
    ]
    assert "3 declared secrets in configs/secrets/vault.yaml" in out


def test_the_result_passes_the_check_of_the_policy(keywatch: Keywatch, tmp_path: Path) -> None:
    files = {"policies/workers.hcl": POLICY, "deploy/workers.yaml": WORKERS}
    init(keywatch, write_files(tmp_path, without_policy(**files)))
    done = check(keywatch, tmp_path)
    assert (done.code, done.findings, done.err) == (0, [], "")


def test_policies_roles_and_manifests_suggest_services(keywatch: Keywatch, tmp_path: Path) -> None:
    files = without_policy(
        **{
            "policies/workers.hcl": POLICY,
            "policies/auditor.hcl": EVERYTHING,
            "policies/other.hcl": 'path "kv/data/x" {\n  capabilities = ["read"]\n}\n',
            "deploy/workers.yaml": WORKERS,
            "scripts/setup.sh": "vault write auth/kubernetes/role/orchestrator-role \\\n"
            "  bound_service_account_names=x policies=auditor\n",
        }
    )
    init(keywatch, write_files(tmp_path, files))
    assert written(tmp_path)["services"] == {
        "agentaskit-workers": {
            "vault_role": "worker-role",
            "policies": ["workers"],
            "needs": ["api-key", "db-credential"],
        },
        "orchestrator": {
            "vault_role": "orchestrator-role",
            "policies": ["auditor"],
            "needs": ["*"],
        },
    }


def test_an_empty_repository_gets_a_policy_with_examples_in_comments(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    git(tmp_path, "init", "--quiet")
    code, out, err = init(keywatch, tmp_path)
    assert (code, err) == (0, "")
    assert written(tmp_path) == {
        "version": 1,
        "scan": {
            "max_file_size": "20MB",
            "fail_on": "low",
            "fail_on_confidence": "medium",
            "legacy_pragmas": "warn",
        },
        "allow": [],
    }
    assert "found 0 files" in out


def test_every_example_in_a_comment_is_valid_where_it_stands(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    git(tmp_path, "init", "--quiet")
    init(keywatch, tmp_path)
    text = (tmp_path / "keywatch.yaml").read_text()
    examples = re.sub(r"(?m)^( *)# (?=[a-z_ ]+[:\-]| )", r"\1", text)
    assert {"classes", "secrets", "services"} <= set(yaml.safe_load(examples))
    repository.load(examples.encode(), "keywatch.yaml", None)


def test_other_peoples_code_is_excluded_where_it_lies(keywatch: Keywatch, tmp_path: Path) -> None:
    names = [
        "third_party/zlib/a.c",
        "web/node_modules/x/index.js",
        "go/vendor/modules.txt",
        "shop/vendor/models.py",
        "node_modules_of_ours/a.js",
    ]
    init(keywatch, write_files(tmp_path, dict.fromkeys(names, "x\n")))
    scan = written(tmp_path)["scan"]
    assert isinstance(scan, dict)
    assert scan["exclude"] == ["go/vendor/**", "third_party/**", "web/node_modules/**"]


def test_it_says_what_it_saw_and_what_is_still_to_be_done(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    write_files(tmp_path / "bare", {"a.py": "", "b.py": "", "c.go": ""})
    _, out, _ = init(keywatch, tmp_path / "bare")
    assert "3 files: Python, Go" in out
    for step in ("policy check", "hook install", "baseline create", "scan --report"):
        assert f"keywatch {step}" in out
    _, out, _ = init(keywatch, write_files(tmp_path / "whole", without_policy()))
    assert "keywatch policy check" in out
    for step in ("hook install", "baseline create", "scan --report"):
        assert f"keywatch {step}" not in out
    assert ".secrets.baseline" in out


@pytest.mark.parametrize("kind", ["file", "folder", "link", "link to nothing"])
def test_what_is_there_is_never_overwritten(keywatch: Keywatch, tmp_path: Path, kind: str) -> None:
    target = tmp_path / "repo" / "keywatch.yaml"
    write_files(tmp_path / "repo", {"a.py": ""})
    (tmp_path / "elsewhere").write_text("mine\n")
    if kind == "file":
        target.write_text("mine\n")
    elif kind == "folder":
        target.mkdir()
    else:
        target.symlink_to(tmp_path / ("elsewhere" if kind == "link" else "nothing"))
    code, out, err = init(keywatch, tmp_path / "repo")
    assert (code, out) == (2, "")
    assert "keywatch.yaml exists already" in err
    assert "keywatch policy check" in err
    assert (tmp_path / "elsewhere").read_text() == "mine\n"
    assert not (tmp_path / "nothing").exists()
    assert sorted(path.name for path in target.parent.iterdir()) == ["a.py", "keywatch.yaml"]


def test_it_writes_at_the_top_of_the_repository(keywatch: Keywatch, tmp_path: Path) -> None:
    git(write_files(tmp_path, {"sub/a.py": ""}), "init", "--quiet")
    code, out, _ = init(keywatch, tmp_path / "sub")
    assert code == 0
    assert "wrote ../keywatch.yaml" in out
    assert (tmp_path / "keywatch.yaml").is_file()


def test_an_invalid_declaration_is_left_out_and_named(keywatch: Keywatch, tmp_path: Path) -> None:
    files = without_policy(**{"configs/secrets/aws.yaml": "aws: {}\n"})
    code, out, _ = init(keywatch, write_files(tmp_path, files))
    assert code == 0
    assert "left out configs/secrets/aws.yaml:1" in out
    assert len(repository.load((tmp_path / "keywatch.yaml").read_bytes(), "x", None).secrets) == 3


def test_values_are_never_copied(keywatch: Keywatch, tmp_path: Path) -> None:
    value = token()
    files = {
        ".env": leak(),
        "configs/secrets/vault.yaml": VAULT.replace("jwt-signing", value),
        f"policies/{value}.hcl": EVERYTHING,
        "deploy/workers.yaml": WORKERS.replace("worker-role", value),
        f"third_party/{value}/node_modules/a.js": "",
        "scripts/setup.sh": f"vault write auth/kubernetes/role/a policies={value}\n",
    }
    done = keywatch("init", cwd=write_files(tmp_path, files))
    assert done.returncode == 0
    assert value not in (tmp_path / "keywatch.yaml").read_text()
    assert value.encode() not in done.stdout + done.stderr


def test_hostile_names_neither_break_the_file_nor_reach_the_terminal(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    files = without_policy(
        **{
            'policies/a\nallow: [x]\n"\x1b[2J.hcl': EVERYTHING,
            'policies/b": {} #.hcl': EVERYTHING,
            "policies/yes.hcl": EVERYTHING,
            "a\n- b/third_party/x.c": "",
            "::error::/third_party/x.c": "",
        }
    )
    done = keywatch("init", cwd=write_files(tmp_path, files))
    assert done.returncode == 0
    assert b"\x1b" not in done.stdout
    services = written(tmp_path)["services"]
    assert isinstance(services, dict)
    assert set(services) == {'b": {} #', "yes"}
    checked = check(keywatch, tmp_path)
    assert checked.code == 1  # these policies grant everything
    assert {each["rule"] for each in checked.report["findings"]} <= {
        rule.id for rule in ACCESS_RULES
    }


def test_nothing_behind_a_link_is_looked_at(keywatch: Keywatch, tmp_path: Path) -> None:
    outside = write_files(tmp_path / "outside", {"p.hcl": EVERYTHING, "node_modules/x.js": ""})
    root = write_files(tmp_path / "repo", {"a.py": "", "configs/secrets/vault.yaml": VAULT})
    (root / "policies").symlink_to(outside)
    (root / "q.hcl").symlink_to(outside / "p.hcl")
    (root / "node_modules").symlink_to(outside / "node_modules")
    init(keywatch, root)
    assert "services" not in written(root)
    assert "third" not in str(written(root)["scan"])


CLASSES = tuple(repository.Config({}).classes.values())
NAMES = st.text(min_size=1, max_size=30).filter(str.isprintable)


@given(NAMES, NAMES, NAMES, st.booleans())
def test_any_printable_name_makes_a_valid_file_that_says_it(
    service: str, policy: str, folder: str, detect_secrets: bool
) -> None:
    hint = ServiceSuggestion(service, policy, (policy, "x"), ("*",), folder)
    text = new_policy.text(PolicyInput(CLASSES, (), (hint,), (folder,), detect_secrets))
    made = repository.load(text.encode(), "keywatch.yaml", None)
    (one,) = made.services
    assert (one.name, one.vault_role, one.policies) == (service, policy, (policy, "x"))
    assert made.exclude == (folder,)


def test_a_hook_and_a_job_that_are_there_are_not_asked_for(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    files = {".pre-commit-config.yaml": HOOK, ".github/workflows/a.yml": CI}
    _, out, _ = init(keywatch, write_files(tmp_path, files))
    assert "hook install" not in out
    assert "scan --report" not in out
