"""What an audit could not read is not missing, not gone and not resolved."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.audit import backends
from scanner.cli import audit
from scanner.cli.parser import Parser
from scanner.console import Console
from scanner.policy.live.unread import Unread, covers, place
from tests.support.audits import NOW, Audited, audited, denied, gives, record
from tests.support.audits import place as repository_at
from tests.support.helpers import write_files
from tests.support.openbao import Bao

LATE = "vault://prod/-/secret/app/late"
PARTS = st.lists(st.sampled_from(["a", "b", "a%2Fb", "-"]), min_size=1, max_size=4)


@given(PARTS, PARTS)
def test_a_gap_covers_all_ids_below_it_and_asking_for_many_gives_the_same(
    gap: list[str], secret: list[str]
) -> None:
    path, name = "vault://" + "/".join(gap), "vault://" + "/".join(secret)
    below = f"{name}/".replace("%2F", "/").startswith(f"{path}/".replace("%2F", "/"))
    assert Unread([path]).hides(name) is below
    assert covers(place(path), place(name)) is below


def test_the_gap_of_a_namespace_covers_the_namespaces_below_it() -> None:
    unread = Unread(["vault://prod/team"])
    assert unread.hides("vault://prod/team%2Fpayments/secret/app")
    assert not unread.hides("vault://prod/teams/secret/app")


def _samples(text: str, metric: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(f"keywatch_{metric}{{")]


def test_an_outage_keeps_the_last_known_due_times_and_says_how_fresh_they_are(
    tmp_path: Path,
) -> None:
    repository, prom = repository_at(tmp_path), tmp_path / "audit.prom"
    arguments = (f"--state={tmp_path}/audit.state", f"--report=prometheus={prom}")
    gives(prod=[record("app/late", 200), record("app/a")])
    audited(repository, *arguments)
    before = _samples(prom.read_text(), "secret_due_timestamp_seconds")
    assert len(before) == 2
    gives(prod=[denied("")])
    for days in (1, 2):  # the second night of an outage is like the first
        audited(repository, *arguments, now=NOW + timedelta(days=days))
        text = prom.read_text()
        assert _samples(text, "secret_due_timestamp_seconds") == before
        assert [one.rpartition(" ")[2] for one in _samples(text, "secret_age_seconds")] == []
        fresh = _samples(text, "secret_last_read_timestamp_seconds")
        assert [float(one.rpartition(" ")[2]) for one in fresh] == [NOW.timestamp()] * 2
    gives(prod=[record("app/a")])  # the other one is really gone
    audited(repository, *arguments)
    assert len(_samples(prom.read_text(), "secret_due_timestamp_seconds")) == 1


def test_a_workload_on_the_old_value_stays_reported_while_pods_cannot_be_listed() -> None:
    unread = Unread(["k8s://eks/*/pods"])
    name = "k8s://eks/prod/secret/db"
    assert unread.leaves_open(name, "consumer-on-old-value", "ok")
    assert not unread.leaves_open(name, "rotation-overdue", "undated")
    assert not unread.hides(name)


def test_a_failed_sync_stays_reported_while_its_controller_cannot_be_read() -> None:
    unread = Unread(["k8s://eks/prod/externalsecrets"])
    name = "k8s://eks/prod/secret/db"
    assert unread.leaves_open(name, "secret-sync-failing", "ok")
    assert unread.leaves_open(name, "rotation-overdue", "undated")
    assert not unread.leaves_open(name, "rotation-overdue", "ok")
    assert not unread.leaves_open("k8s://eks/web/secret/db", "secret-sync-failing", "ok")


# Remove any one permission of an auditor of a real server.

POLICY = """\
version: 1
classes:
  quick: {rotate_every: 1h, grace: 1m}
secrets:
  - {match: "vault://**", class: quick, owner: "@sec-oncall"}
"""
DECLARED = """\
vault:
  address: {address}
  secrets:
    - {{path: kept/data/app/db}}
    - {{path: kept/data/top}}
"""


@pytest.fixture(scope="module")
def store(bao: Bao) -> Bao:
    """Secrets in folders, in another engine, and in namespaces two deep."""
    version_2 = {"options": {"version": "2"}}
    bao.mount("kept", "kv", **version_2)
    for name in ("top", "app/db", "app/deep/er"):
        bao.put(f"kept/{name}", key="made up")
    bao.mount("kept-transit", "transit")
    bao.call("POST", "kept-transit/keys/signing", {})
    for above, name in (("", "unread"), ("unread", "below")):
        bao.call("POST", f"sys/namespaces/{name}", {}, namespace=above)
        inner = f"{above}/{name}".strip("/")
        bao.call("POST", "sys/mounts/kv", {"type": "kv", **version_2}, namespace=inner)
        body = {"data": {"key": "made up"}}
        bao.call("POST", "kv/data/app", body, namespace=inner)
    return bao


RULES = (
    'path "sys/mounts" { capabilities = ["read"] }',
    'path "kept/metadata/*" { capabilities = ["read", "list"] }',
    'path "kept-transit/keys/*" { capabilities = ["list", "read"] }',
    'path "sys/namespaces" { capabilities = ["list"] }',
    'path "unread/sys/namespaces" { capabilities = ["list"] }',
    'path "unread/below/sys/namespaces" { capabilities = ["list"] }',
    'path "unread/sys/mounts" { capabilities = ["read"] }',
    'path "unread/below/sys/mounts" { capabilities = ["read"] }',
    'path "unread/kv/metadata/*" { capabilities = ["read", "list"] }',
    'path "unread/below/kv/metadata/*" { capabilities = ["read", "list"] }',
)
DENIED = (
    *RULES,
    'path "kept/metadata/app/*" { capabilities = ["read", "list"] }',
    'path "kept/metadata/app/db" { capabilities = ["read", "list"] }',
    'path "unread/*" { capabilities = ["read", "list"] }',
)
LATER = "2099-01-01"


class Night:
    """One run after another over the same real store, with the state and report of the first."""

    def __init__(self, root: Path, operator: str, environ: Mapping[str, str]) -> None:
        write_files(root, {"repository/keywatch.yaml": POLICY, "operator.yaml": operator})
        self._root = root
        self._environ = environ

    def __call__(self, suffix: str, **environ: str) -> Audited:
        root = self._root
        for kind in ("state", "sarif"):
            if (root / f"first.{kind}").exists():
                shutil.copy(root / f"first.{kind}", root / f"{suffix}.{kind}")
        out, err = io.StringIO(), io.StringIO()
        console = Console(
            stdin=io.BytesIO(), out=out, err=err, environ={**self._environ, **environ}
        )
        parser = Parser(prog="keywatch audit", allow_abbrev=False)
        audit.add_arguments(parser)
        arguments = parser.parse_args(
            [
                *(f"--operator={root}/operator.yaml", "--report=json=-", f"--now={LATER}"),
                *(f"--state={root}/{suffix}.state", "--since-last", "--timeout=60s"),
                *(
                    f"--carry-forward={root}/{suffix}.sarif",
                    f"--report=sarif={root}/{suffix}.sarif",
                ),
                str(root / "repository"),
            ]
        )
        code = audit.run(arguments, console, backends.BACKENDS)
        return Audited(int(code), json.loads(out.getvalue()), out.getvalue(), err.getvalue())


def nothing_is_lost(first: Audited, later: Audited) -> None:
    """Without one permission: a Gap, and no secret missing, gone or resolved."""
    assert later.report["gaps"]
    assert later.code == 3
    assert not [one for one in later.findings if one[0] == "secret-missing"]
    assert not [one for one in later.changes if one[0] == "gone"]
    lost = {*first.findings} - {*later.findings}
    assert lost == set()


def test_without_any_one_permission_in_vault_nothing_is_lost(store: Bao, tmp_path: Path) -> None:
    operator = (
        f'backends:\n  prod: {{kind: vault, address: "{store.address}", '
        'auth: {method: token, env: TOKEN}, namespaces: ["unread/**", "-"]}\n'
    )
    night = Night(tmp_path, operator, {})
    first = night("first", TOKEN=store.token(*RULES))
    assert {one for one in first.findings if "unread" in one[1]} >= {
        ("rotation-overdue", "vault://prod/unread/kv/app"),
        ("rotation-overdue", "vault://prod/unread%2Fbelow/kv/app"),
    }
    for number, rule in enumerate(DENIED):
        path, _, _ = rule.partition(" {")
        kept = [one for one in RULES if one != rule]
        token = store.token(*kept, path + ' { capabilities = ["deny"] }')
        nothing_is_lost(first, night(f"run-{number}", TOKEN=token))
