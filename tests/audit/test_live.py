"""What a repository declares, held against what live stores hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scanner.audit import backends
from scanner.configuration import repository as config
from scanner.configuration.operator import BackendConfig
from scanner.console import Console
from scanner.model import Finding, Gap, Note, Severity
from scanner.policy.declarations.matching import SecretEntries
from scanner.policy.declarations.model import DeclaredSecret
from scanner.policy.live import rotation_age
from scanner.policy.live.comparison import Comparison, LocatedSecret, RepositorySecrets, Store
from scanner.policy.live.rotation_age import Condition
from scanner.policy.repository import contradictions, manifests, rotation_check
from scanner.records import Dated, Record
from scanner.repository import rotation_sources
from scanner.repository.tree import Tree
from tests.support.helpers import write_files
from tests.support.policy_trees import SOURCE

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ADDRESS = "https://vault.example:8200"
VAULT = """\
vault:
  address: ${VAULT_ADDR}
  auth: {method: kubernetes, role: agentaskit-production}
  secrets:
    - {path: secret/data/app/api-keys, key: api_key}
    - {path: secret/data/app/db, key: username}
    - {path: secret/data/app/db, key: password}
"""
API_KEYS, DB = "vault://prod/-/secret/app/api-keys", "vault://prod/-/secret/app/db"
POLICY = "version: 1\nsecrets: [{match: 'vault://**/api-keys', class: api-key}]\n"


def store(name: str, kind: str, **options: Any) -> Store:
    return backends.store(BackendConfig(name=name, kind=kind, options=options), backends.BACKENDS)


def prod(**options: Any) -> Store:
    return store("prod", "vault", **{"address": ADDRESS, **options})


def declared(*texts: str) -> tuple[DeclaredSecret, ...]:
    return tuple(
        one
        for number, text in enumerate(texts)
        for one in config.declared_secrets(text.encode(), f"configs/secrets/{number}.yaml")
    )


def record(name: str, age: int = 1, **more: Any) -> Record:
    moment = NOW - timedelta(days=age)
    return Record(id=name, kind="kv-v2", dated=Dated(moment, moment, "created_time"), **more)


class Compared:
    """A run over these records."""

    def __init__(
        self,
        repository: RepositorySecrets,
        all_stores: Iterable[Store],
        records: Iterable[Record],
        *,
        policy: str = POLICY,
        **environ: str,
    ) -> None:
        settings = config.load(policy.encode(), "keywatch.yaml", None)
        entries = SecretEntries(settings.secrets, settings.classes)
        self.comparison = Comparison(repository, [*all_stores], environ)
        self.placed: dict[str, LocatedSecret] = {}
        for one in records:
            match = entries.match(one)
            judged = rotation_age.judge(one, match, NOW)
            self.placed[one.id] = self.comparison.locate(judged, match)

    def findings(self, *gaps: str) -> list[Finding]:
        return list(self.comparison.findings([Gap("denied", path, "") for path in gaps]))

    def said(self, *gaps: str) -> list[tuple[str, str, str]]:
        """(rule, place, context) of each finding."""
        return [
            (each.rule, f"{each.location.path}:{each.location.line}", each.context)
            for each in self.findings(*gaps)
        ]

    def conditions(self, name: str) -> list[Condition]:
        return [seen.condition for seen in self.placed[name].judged.conditions]


def of_vault(*records: Record) -> Compared:
    return Compared(
        RepositorySecrets(declared=declared(VAULT)), [prod()], records, VAULT_ADDR=ADDRESS
    )


# Missing, and hidden by a gap


def test_what_is_there_is_placed_where_it_is_declared_and_is_not_missing() -> None:
    found = of_vault(record(API_KEYS), record(DB))
    assert found.said() == []
    assert str(found.placed[API_KEYS].location) == "configs/secrets/0.yaml:5"
    assert found.conditions(API_KEYS) == []


def test_a_declared_secret_that_its_store_has_not_is_missing_once_for_all_its_keys() -> None:
    found = of_vault(record(API_KEYS))
    assert found.said() == [("secret-missing", "configs/secrets/0.yaml:6", DB)]
    assert "secret/data/app/db does not exist in prod" in found.findings()[0].detail
    assert found.findings()[0].severity == Severity.HIGH


@pytest.mark.parametrize(
    ("gap", "hides"),
    [
        ("vault://prod", True),
        ("vault://prod/-", True),
        ("vault://prod/-/secret", True),
        ("vault://prod/-/secret/app", True),
        ("vault://prod/-/secret/app/", True),
        (DB, True),
        (f"{DB}/deeper", False),
        ("vault://prod/-/secret/app/other", False),
        ("vault://prod/-/transit", False),
        ("vault://prod/team", False),
        ("vault://staging", False),
        ("k8s://prod", False),
    ],
)
def test_what_a_gap_may_hide_is_not_called_missing(gap: str, hides: bool) -> None:
    found = of_vault(record(API_KEYS))
    assert (found.said(gap) == []) is hides


def test_an_empty_store_without_a_gap_misses_all() -> None:
    assert [context for _, _, context in of_vault().said()] == [API_KEYS, DB]


@pytest.mark.parametrize(("option", "value"), [("mounts", "transit"), ("namespaces", "team")])
def test_a_secret_outside_of_what_is_read_is_noted_and_not_missing(option: str, value: str) -> None:
    environ = {"VAULT_ADDR": ADDRESS}
    repository = RepositorySecrets(declared=declared(VAULT))
    found = Compared(repository, [prod(**{option: [value]})], [], **environ)
    assert found.said() == []
    assert list(found.comparison.notes()) == [
        Note(
            kind="not-audited",
            path="configs/secrets/0.yaml",
            line=line,
            text=f"{name} is in no store that the operator config lists",
        )
        for line, name in ((5, "secret/data/app/api-keys"), (6, "secret/data/app/db"))
    ]


def test_by_default_a_vault_is_read_in_the_namespace_of_its_login() -> None:
    team = prod(auth={"method": "cert", "namespace": "team"})
    repository = RepositorySecrets(declared=declared(VAULT))
    found = Compared(repository, [team], [], VAULT_ADDR=ADDRESS)
    assert [note.kind for note in found.comparison.notes()] == ["not-audited"] * 2


def test_a_secret_of_a_kind_of_store_that_nobody_audits_is_noted() -> None:
    text = "aws: {region: eu-central-1, secrets: [{name: app/x}]}"
    found = Compared(RepositorySecrets(declared=declared(text)), [prod()], [])
    assert found.said() == []
    assert [note.kind for note in found.comparison.notes()] == ["not-audited"]


def test_a_path_with_a_variable_is_there_if_any_fits() -> None:
    text = "vault: {address: x, secrets: [{path: 'secret/data/${ENV}/db'}]}"
    repository = RepositorySecrets(declared=declared(text.replace("address: x", "address: '${X}'")))
    assert Compared(repository, [prod()], [record(DB)]).said() == []
    (missing,) = Compared(repository, [prod()], []).said()
    assert missing[2] == "vault://prod/-/secret/*/db"


def test_what_a_ca_signs_is_kept_nowhere_and_so_never_missing() -> None:
    text = "vault: {address: '${X}', secrets: [{path: pki/issue/web}]}"
    assert Compared(RepositorySecrets(declared=declared(text)), [prod()], []).said() == []


# Keys


def test_a_declared_key_that_the_secret_has_not_is_found() -> None:
    found = of_vault(record(API_KEYS), record(DB, keys=("username",)))
    assert found.said() == [("secret-key-absent", "configs/secrets/0.yaml:7", f"{DB}#password")]


def test_keys_that_were_not_asked_for_are_not_called_absent() -> None:
    assert of_vault(record(API_KEYS, keys=None), record(DB, keys=None)).said() == []


# Unmanaged


def test_what_nothing_declares_is_unmanaged_and_no_more_without_a_class() -> None:
    other = "vault://prod/-/secret/app/forgotten"
    found = of_vault(record(API_KEYS), record(DB), record(other))
    assert found.conditions(other) == [Condition.UNMANAGED]
    assert str(found.placed[other].location) == ""
    assert found.placed[other].judged.verdict is None


def test_a_declared_secret_without_an_entry_is_without_a_class() -> None:
    assert of_vault(record(API_KEYS), record(DB)).conditions(DB) == [Condition.NOT_CONFIGURED]


def test_a_secret_of_an_entry_alone_is_placed_at_the_entry() -> None:
    name = "vault://prod/-/secret/other/api-keys"
    found = of_vault(record(name))
    assert (str(found.placed[name].location), found.conditions(name)) == ("keywatch.yaml:2", [])


@pytest.mark.parametrize(
    ("source", "name", "known"),
    [
        ("secret/data/app/forgotten", "vault://prod/-/secret/app/forgotten", True),
        ("secret/app/forgotten", "vault://prod/-/secret/app/forgotten", True),
        ("app/forgotten", "vault://prod/-/secret/app/forgotten", True),
        ("forgotten", "vault://prod/-/secret/app/forgotten", False),
        ("team/kv/forgotten", "vault://prod/-/team%2Fkv/forgotten", True),
        ("app/x", "aws://main/123456789012/eu-central-1/secretsmanager/app/x", True),
        ("x", "azure://main/prod/secret/x", True),
        ("x", "k8s://eks/app/secret/x", False),
        ("x", "vault://prod/barrier", False),
    ],
)
def test_what_an_external_secret_reads_is_managed(source: str, name: str, known: bool) -> None:
    manifest = (
        "kind: ExternalSecret\nmetadata: {name: x}\n"
        f"spec: {{data: [{{remoteRef: {{key: {source}}}}}]}}\n"
    )
    synced = [
        one
        for one in manifests.external(manifests.split_documents(manifest))
        if isinstance(one, manifests.SyncedSecret)
    ]
    found = Compared(RepositorySecrets(synced=synced), [prod()], [record(name)])
    wanted = Condition.NOT_CONFIGURED if known else Condition.UNMANAGED
    assert found.conditions(name) == [wanted]


# Manifests


MANIFESTS = {
    "Secret": "metadata: {name: tls, namespace: app}",
    "SealedSecret": (
        "metadata: {name: x, namespace: app}\nspec: {template: {metadata: {name: tls}}}"
    ),
    "ExternalSecret": "metadata: {name: x, namespace: app}\nspec: {target: {name: tls}}",
    "VaultStaticSecret": "metadata: {name: x, namespace: app}\nspec: {destination: {name: tls}}",
    "Certificate": "metadata: {name: x, namespace: app}\nspec: {secretName: tls}",
}


@pytest.mark.parametrize("kind", MANIFESTS)
def test_a_secret_that_a_manifest_makes_is_declared_by_it(tmp_path: Path, kind: str) -> None:
    files = {"deploy/app.yaml": f"# first\n---\nkind: {kind}\n{MANIFESTS[kind]}\n"}
    tree = Tree(str(write_files(tmp_path, files)), Console.of_process())
    made = rotation_sources.gather(tree, lambda _path: False).made
    cluster, name = store("eks", "kubernetes"), "k8s://eks/app/secret/tls"
    there = Compared(RepositorySecrets(made=made), [cluster], [record(name)])
    assert str(there.placed[name].location) == "deploy/app.yaml:2"
    assert there.said() == []
    elsewhere = Compared(
        RepositorySecrets(made=made), [cluster], [record("k8s://eks/app/secret/other")]
    )
    assert elsewhere.said() == [("secret-missing", "deploy/app.yaml:2", name)]


def made(text: str) -> list[DeclaredSecret]:
    return list(manifests.declared(manifests.split_documents(text), "deploy/app.yaml"))


def test_a_manifest_for_a_cluster_without_its_namespace_misses_nothing() -> None:
    one = made("kind: Secret\nmetadata: {name: tls, namespace: dev}\n")
    somewhere = made("kind: Secret\nmetadata: {name: tls}\n")
    records = [record("k8s://eks/app/secret/other")]
    found = Compared(
        RepositorySecrets(made=[*one, *somewhere]), [store("eks", "kubernetes")], records
    )
    assert found.said() == []


def test_a_template_of_a_name_declares_nothing() -> None:
    assert made("kind: Secret\nmetadata: {name: '${APP}-tls'}\n") == []
    assert made("kind: Certificate\nmetadata: {name: x}\n") == []


def test_a_secret_of_a_manifest_and_of_configs_secrets_is_missing_once() -> None:
    text = "kubernetes: {namespace: app, secrets: [{name: tls}]}"
    one = made("kind: Secret\nmetadata: {name: tls, namespace: app}\n")
    records = [record("k8s://eks/app/secret/other")]
    repository = RepositorySecrets(declared=declared(text), made=one)
    found = Compared(repository, [store("eks", "kubernetes")], records)
    assert found.said() == [
        ("secret-missing", "configs/secrets/0.yaml:1", "k8s://eks/app/secret/tls")
    ]


# Addresses


def address(said: str, *records: Record, **environ: str) -> Compared:
    text = VAULT.replace("${VAULT_ADDR}", said)
    return Compared(RepositorySecrets(declared=declared(text)), [prod()], records, **environ)


@pytest.mark.parametrize(
    "said",
    [
        ADDRESS,
        f"{ADDRESS}/",
        "https://VAULT.example:8200",
        "${ADDR}",
        "https://${HOST}:8200",
        "${UNKNOWN}",
        "{{ .Values.vault }}",
    ],
)
def test_an_address_that_may_be_the_operators_is_compared_with_that_store(said: str) -> None:
    found = address(f"'{said}'", record(API_KEYS), ADDR=ADDRESS, HOST="vault.example")
    assert [rule for rule, _, _ in found.said()] == ["secret-missing"]


@pytest.mark.parametrize(
    "said",
    [
        "https://vault.attacker.example:8200",
        "http://vault.example:8200",
        "https://vault.example",
        "https://vault.example:8200/other",
        "https://vault.example:8200?to=elsewhere",
        "https://attacker.example\\@vault.example:8200",
        "https://[::1",
        "${ADDR}",
    ],
)
def test_an_address_that_differs_is_found_as_it_is_written(said: str) -> None:
    found = address(f"'{said}'", record(API_KEYS), ADDR="https://elsewhere.example")
    (one,) = found.findings()
    assert (one.rule, one.location.path, one.location.line) == (
        *("address-differs", "configs/secrets/0.yaml"),
        2,
    )
    assert (one.context, said in one.detail) == (said, True)
    assert "elsewhere.example" not in one.detail
    assert found.conditions(API_KEYS) == []  # its entry still is about it
    assert list(found.comparison.notes()) == []


def test_of_two_stores_the_one_at_the_address_counts() -> None:
    staging = store("staging", "vault", address="https://staging.example")
    repository = RepositorySecrets(declared=declared(VAULT))
    copies = [record(API_KEYS.replace("prod", "staging")), record(DB.replace("prod", "staging"))]
    found = Compared(repository, [prod(), staging], copies, VAULT_ADDR=ADDRESS)
    assert [context for _, _, context in found.said()] == [API_KEYS, DB]
    unknown = Compared(repository, [prod(), staging], copies[:1])
    (missing,) = unknown.findings()
    assert missing.context == "vault://*/-/secret/app/db"
    assert "secret/data/app/db does not exist in prod or staging" in missing.detail
    assert unknown.findings("vault://prod") == []


def test_the_vaults_of_azure_are_compared_by_their_addresses() -> None:
    text = "azure: {vault_url: 'https://prod.vault.azure.net', secrets: [{name: x}]}"
    at = {"vaults": ["https://prod.vault.azure.net/", "https://b.vault.azure.net"]}
    repository = RepositorySecrets(declared=declared(text))
    there = Compared(
        repository, [store("main", "azure", **at)], [record("azure://main/prod/secret/x")]
    )
    assert there.said() == []
    other = Compared(repository, [store("main", "azure", vaults=["https://b.vault.azure.net"])], [])
    assert [rule for rule, _, _ in other.said()] == ["address-differs"]


# Identities


def role(text: str, one: Store, **environ: str) -> list[tuple[str, str, str]]:
    return Compared(RepositorySecrets(declared=declared(text)), [one], [], **environ).said(
        f"{one.scheme}://{one.name}"
    )


AUDITOR = {"method": "kubernetes", "role": "agentaskit-production"}


@pytest.mark.parametrize(
    ("auth", "is_auditor"),
    [
        (AUDITOR, True),
        ({**AUDITOR, "mount": "kubernetes"}, True),
        ({**AUDITOR, "mount": "eks"}, False),
        ({**AUDITOR, "role": "agentaskit-auditor"}, False),
        ({"method": "jwt", "role": "agentaskit-production"}, False),
        ({"method": "token", "env": "VAULT_TOKEN"}, False),
    ],
)
def test_a_role_that_is_the_auditors_is_found(auth: Mapping[str, str], is_auditor: bool) -> None:
    wanted = [("role-is-auditor", "configs/secrets/0.yaml:3", "kubernetes agentaskit-production")]
    assert role(VAULT, prod(auth=auth)) == (wanted if is_auditor else [])


def test_a_role_of_another_store_or_of_an_unknown_name_is_not_the_auditors() -> None:
    other = VAULT.replace("${VAULT_ADDR}", "https://other.example")
    assert [rule for rule, _, _ in role(other, prod(auth=AUDITOR))] == ["address-differs"]
    named = VAULT.replace("agentaskit-production", '"${ROLE}"')
    assert role(named, prod(auth=AUDITOR)) == []
    (found,) = role(named, prod(auth=AUDITOR), ROLE="agentaskit-production")
    assert found[2] == "kubernetes ${ROLE}"


def test_roles_of_aws_and_clients_of_azure_are_identities_too() -> None:
    arn = "arn:aws:iam::123456789012:role/app"
    aws = f"aws: {{region: r, auth: {{method: irsa, role: '{arn}'}}, secrets: [{{name: app/x}}]}}"
    assert role(aws, store("main", "aws", accounts=[{"profile": "x"}, {"role": arn}]))[0][2] == arn
    azure = (
        "azure: {vault_url: '${URL}', auth: {method: workload-identity, client_id: abc}, "
        "secrets: [{name: x}]}"
    )
    found = role(azure, store("main", "azure", auth={"method": "default", "client_id": "abc"}))
    assert found[0][2] == "abc"
    assert role(azure, store("main", "azure")) == []


# A copy that nothing writes


ROLE = "vault://prod/-/database/static-roles/agentaskit-db"
COPY = "vault://prod/-/secret/agentaskit/db-credentials"


def of_source(tmp_path: Path, *records: Record) -> list[Finding]:
    """The source document's repository: its script rotates the database role, its configuration
    reads a copy in KV."""
    tree = Tree(str(write_files(tmp_path, SOURCE)), Console.of_process())
    settings = config.load(tree.control("keywatch.yaml"), "keywatch.yaml", None)
    name = "configs/secrets/vault.yaml"
    secrets = config.declared_secrets(tree.control(name) or b"", name)
    seen = rotation_sources.gather(tree, lambda _path: False)
    found = contradictions.matched(settings.secrets, secrets)
    roles = rotation_check.unwritten(secrets, seen.evidence, found, tree.paths)
    copies = {one: role for one, role in roles.items() if role}
    repository = RepositorySecrets(declared=secrets, copies=copies)
    return [
        each
        for each in Compared(repository, [prod()], records).findings("vault://prod")
        if each.rule == "rotation-elsewhere"
    ]


def test_a_copy_in_kv_of_a_password_that_the_database_engine_rotates_is_stale(
    tmp_path: Path,
) -> None:
    (found,) = of_source(tmp_path, record(COPY, age=20), record(ROLE, age=3))
    assert (found.location.path, found.location.line) == ("configs/secrets/vault.yaml", 9)
    assert found.detail == (
        "rotating the role agentaskit-db changes the password in the database, the last time on "
        "2026-11-21 12:00 UTC, but nothing here updates the copy at "
        "secret/data/agentaskit/db-credentials"
    )


def test_a_copy_of_a_role_that_no_store_dates_is_stale_by_what_the_repository_says(
    tmp_path: Path,
) -> None:
    (found,) = of_source(tmp_path, record(COPY, age=20))
    assert "in the database, but nothing here updates the copy at" in found.detail


def test_a_copy_that_is_newer_than_the_last_rotation_is_written_by_something(
    tmp_path: Path,
) -> None:
    assert of_source(tmp_path, record(COPY, age=2), record(ROLE, age=3)) == []


def test_a_copy_that_is_not_there_is_missing_and_not_stale(tmp_path: Path) -> None:
    assert of_source(tmp_path, record(ROLE, age=3)) == []


# What is read


@pytest.mark.parametrize(
    ("options", "path", "reads"),
    [
        ({}, "secret/data/app", True),
        ({"mounts": ["secret"]}, "secret/data/app/x", True),
        ({"mounts": ["secret/app"]}, "secret/data/app/x", True),
        ({"mounts": ["secret/app"]}, "secret/data/other/x", False),
        ({"mounts": ["team/kv"]}, "team/kv/data/x", True),
        ({"mounts": ["kv"]}, "secret/data/app", False),
        ({"namespaces": ["-", "team"]}, "secret/data/app", True),
        ({"namespaces": ["team"]}, "secret/data/app", False),
        ({"namespaces": ["**"]}, "secret/data/app", True),
    ],
)
def test_the_scope_of_a_vault_is_its_namespaces_and_mounts(
    options: Mapping[str, Any], path: str, reads: bool
) -> None:
    text = f"vault: {{address: '${{X}}', mounts: [team/kv], secrets: [{{path: {path}}}]}}"
    found = Compared(RepositorySecrets(declared=declared(text)), [prod(**options)], [])
    assert bool(found.said()) is reads


@pytest.mark.parametrize(
    ("said", "reads"),
    [("team/**", True), ("team/a/**", True), ("team/a/b", True), ("team", False), ("te/**", False)],
)
def test_a_namespace_with_all_below_it_is_read(said: str, reads: bool) -> None:
    text = "vault: {address: '${X}', namespace: team/a/b, secrets: [{path: secret/data/x}]}"
    found = Compared(RepositorySecrets(declared=declared(text)), [prod(namespaces=[said])], [])
    assert bool(found.said()) is reads


def test_the_scope_of_the_others_is_namespaces_regions_and_services() -> None:
    text = (
        "aws: {region: eu-central-1, secrets: [{name: app/x}]}\n"
        "kubernetes: {namespace: app, secrets: [{name: tls}]}\n"
    )
    repository = RepositorySecrets(declared=declared(text))
    read = [
        store("main", "aws", regions=["eu-central-1"], services=["secretsmanager"]),
        store("eks", "kubernetes", namespaces=["app"]),
    ]
    unread = [
        store("main", "aws", regions=["us-east-1"]),
        store("eks", "kubernetes", namespaces=["kube-system"]),
    ]
    assert [rule for rule, _, _ in Compared(repository, read, []).said()] == ["secret-missing"] * 2
    assert Compared(repository, unread, []).said() == []
