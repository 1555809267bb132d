"""What rotates a declared secret and what does not, in the files in which people write it."""

from __future__ import annotations

from pathlib import Path

import pytest

from scanner.configuration import repository
from scanner.console import Console
from scanner.policy.repository import contradictions, rotation_check
from scanner.repository import rotation_sources
from scanner.repository.tree import Tree
from tests.support.helpers import write_files

VAULT = """\
vault:
  address: ${VAULT_ADDR}
  mounts: [team/kv]
  secrets:
    - {path: secret/data/app/api-keys, key: api_key}
    - {path: secret/data/app/db-credentials}
    - {path: transit/keys/app-data}
    - {path: team/kv/data/mail}
    - {path: "secret/data/${ENVIRONMENT}/webhook"}
"""
AWS = """\
aws:
  region: ${AWS_REGION}
  secrets:
    - {name: app/api-keys, key: api_key}
    - {arn: "arn:aws:secretsmanager:eu-central-1:123456789012:secret:app/db-AbCdEf"}
    - {name: /app/mail, service: ssm}
"""
AZURE = (
    "azure:\n  vault_url: ${VAULT_URL}\n  secrets: [{name: api-keys}, {name: data, kind: key}]\n"
)
KUBERNETES = (
    "kubernetes:\n  namespace: app\n  secrets: [{name: app-db, key: url}, {name: app-tls}]\n"
)
FORMS = {
    "configs/secrets/vault.yaml": VAULT,
    "configs/secrets/aws.yaml": AWS,
    "configs/secrets/azure.yaml": AZURE,
    "configs/secrets/kubernetes.yaml": KUBERNETES,
}
CRON = """\
apiVersion: batch/v1
kind: CronJob
spec:
  schedule: "0 3 * * *"
  jobTemplate: {spec: {template: {spec: {containers: [{name: x,
    command: ["sh", "-c", "COMMAND"]}]}}}}
"""


def rotated(root: Path, files: dict[str, str]) -> tuple[set[str], list[str]]:
    """The canonical ids that these files rotate, and what the findings of idle scripts say."""
    tree = Tree(str(write_files(root, FORMS | files)), Console.of_process())
    secrets = [
        one
        for name in sorted(FORMS)
        for one in repository.declared_secrets(tree.control(name) or b"", name)
    ]
    seen = rotation_sources.gather(tree, lambda _path: False).evidence
    found = contradictions.matched((), secrets)
    findings, _ = rotation_check.check(secrets, seen, found, tree.paths)
    left = {each.context for each in findings if each.rule == "policy-unrotated-secret"}
    idle = [each.detail for each in findings if each.rule == "policy-rotation-without-effect"]
    return {one.id for one in secrets} - left, idle


API_KEYS = "vault://*/-/secret/app/api-keys"
DB_COPY = "vault://*/-/secret/app/db-credentials"
TRANSIT = "vault://*/-/transit/keys/app-data"
MAIL = "vault://*/-/team%2Fkv/mail"
WEBHOOK = "vault://*/-/secret/*/webhook"
AWS_KEYS = "aws://*/*/*/secretsmanager/app/api-keys"
AWS_DB = "aws://*/123456789012/eu-central-1/secretsmanager/app/db"
AWS_MAIL = "aws://*/*/*/ssm/app/mail"
AZURE_KEYS = "azure://*/*/secret/api-keys"
AZURE_DATA = "azure://*/*/key/data"
K8S_DB = "k8s://*/app/secret/app-db"


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        ("vault kv put secret/app/api-keys api_key=@/run/new", API_KEYS),
        ("vault kv patch -mount=secret app/api-keys api_key=-", API_KEYS),
        ("vault kv patch -mount secret app/api-keys api_key=-", API_KEYS),
        ("bao kv put secret/app/api-keys api_key=-", API_KEYS),
        ("/usr/bin/vault kv put secret/app/api-keys api_key=-", API_KEYS),
        ('generate | vault kv put "secret/app/api-keys" api_key=-', API_KEYS),
        ("vault kv put \\\n  secret/app/api-keys \\\n  api_key=-", API_KEYS),
        ("P=secret/app/api-keys\nvault kv put $P api_key=-", API_KEYS),
        ('for n in api-keys x; do vault kv put "secret/app/${n}" v=-; done', API_KEYS),
        ('case $1 in\n api-keys) vault kv put "secret/app/$1" v=-;;\nesac', API_KEYS),
        ("vault write secret/data/app/api-keys @new.json", API_KEYS),
        ("curl -X POST -d @new.json $VAULT_ADDR/v1/secret/data/app/api-keys", API_KEYS),
        ("vault kv put team/kv/mail password=-", MAIL),
        ('vault kv put "secret/$ENVIRONMENT/webhook" v=-', WEBHOOK),
        ("vault kv put secret/production/webhook v=-", WEBHOOK),
        ("vault write -f transit/keys/app-data/rotate", TRANSIT),
        ("curl --request POST $VAULT_ADDR/v1/transit/keys/app-data/rotate", TRANSIT),
        ("aws secretsmanager rotate-secret --secret-id app/api-keys", AWS_KEYS),
        ("aws --region x secretsmanager put-secret-value --secret-id=app/api-keys", AWS_KEYS),
        (
            (
                "aws secretsmanager rotate-secret --secret-id "
                "arn:aws:secretsmanager:eu-central-1:123456789012:secret:app/db-AbCdEf"
            ),
            AWS_DB,
        ),
        ("aws ssm put-parameter --overwrite --name /app/mail --value file://x", AWS_MAIL),
        ("az keyvault secret set --vault-name v --name api-keys --file x", AZURE_KEYS),
        ("az keyvault key rotate --vault-name v -n data", AZURE_DATA),
        ("kubectl create secret generic app-db --from-file=url --dry-run=client -o yaml", K8S_DB),
        ("kubectl -n app patch secret app-db --type merge -p @x", K8S_DB),
        ("oc patch secret/app-db -p @x", K8S_DB),
    ],
)
def test_a_rotation_script_that_writes_the_secret_rotates_it(
    tmp_path: Path, command: str, wanted: str
) -> None:
    assert rotated(tmp_path, {"scripts/rotate.sh": f"#!/bin/sh\n{command}\n"}) == ({wanted}, [])


@pytest.mark.parametrize("place", ["rotate-role", "rotate-root"])
def test_a_rotated_role_stands_for_the_copy_of_its_password(tmp_path: Path, place: str) -> None:
    text = f"vault write -f database/{place}/app\n"
    assert rotated(tmp_path, {"bin/rotate-db": text}) == ({DB_COPY}, [])


def test_the_role_of_another_application_does_not_stand_for_it(tmp_path: Path) -> None:
    text = "vault write -f database/rotate-role/billing-db\n"
    assert rotated(tmp_path, {"scripts/rotate.sh": text}) == (set(), [])


@pytest.mark.parametrize(
    "command",
    [
        "vault kv get secret/app/api-keys",
        "vault kv metadata put -custom-metadata=a=b secret/app/api-keys",
        "vault read secret/data/app/api-keys",
        "vault write -f secret/data/app/api-keys",
        "curl $VAULT_ADDR/v1/secret/data/app/api-keys",
        "# vault kv put secret/app/api-keys api_key=-",
        'echo "vault kv put secret/app/api-keys api_key=-"',
        "vault kv put secret/app/api-keys-old api_key=-",
        "vault kv put secret/data/app/api-keys api_key=-",
        "vault kv put -mount=secret data/app/api-keys api_key=-",
        "vault kv put secret/app/api-keys/more api_key=-",
        'vault kv put "$1" api_key=-',
        'vault kv put "secret/app/$1" api_key=-',
        "vault write transit/keys/app-data/config min_decryption_version=2",
        "aws secretsmanager describe-secret --secret-id app/api-keys",
        "az keyvault secret show --name api-keys",
        "kubectl get secret app-db",
        "kubectl rollout restart deployment/app-db",
    ],
)
def test_a_command_that_writes_no_new_value_rotates_nothing(tmp_path: Path, command: str) -> None:
    assert rotated(tmp_path, {"scripts/rotate.sh": command + "\n"}) == (set(), [])


@pytest.mark.parametrize(
    "command",
    [
        "vault write -f secret/data/app/api-keys/rotate",
        "vault write -force secret/data/app/api-keys/rotate",
        "vault write -f secret/app/api-keys/rotate",
        "vault kv put secret/app/api-keys/rotate now=1",
        "curl -X POST $VAULT_ADDR/v1/secret/data/app/api-keys/rotate",
        "vault write -f secret/data/other/rotate",
        'vault write -f "secret/data/app/$1/rotate"',
    ],
)
def test_a_write_below_rotate_is_a_finding_and_rotates_nothing(
    tmp_path: Path, command: str
) -> None:
    for name in ("scripts/rotate.sh", "tools/new-values.sh", ".gitlab-ci.yml"):
        done, (idle,) = rotated(tmp_path / name, {name: command + "\n"})
        assert done == set()
        assert "KV entry called rotate" in idle


@pytest.mark.parametrize(
    "command",
    [
        "vault write -f sys/rotate",
        "vault write -f identity/oidc/key/app/rotate",
        "vault write -f gcp/roleset/app/rotate",
        "vault write secret/data/jobs/rotate data=@schedule.json",
    ],
)
def test_other_engines_do_rotate_below_rotate(tmp_path: Path, command: str) -> None:
    assert rotated(tmp_path, {"scripts/rotate.sh": command + "\n"}) == (set(), [])


WRITE = "vault kv put secret/app/api-keys api_key=-"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".github/workflows/weekly.yml", f"jobs: {{x: {{steps: [{{run: '{WRITE}'}}]}}}}\n"),
        (".gitlab-ci.yml", f"rotate:\n  script:\n    - {WRITE}\n"),
        ("Jenkinsfile", f"stage('x') {{ sh '{WRITE}' }}\n"),
        ("deploy/cron.yaml", f"kind: Role\n---\n{CRON.replace('COMMAND', WRITE)}"),
        ("chart/templates/cron.yaml", CRON.replace("COMMAND", WRITE) + "{{- if x }}\n"),
        ("etc/crontab", f"0 3 * * * root {WRITE}\n"),
        (
            "scripts/renew.py",
            'subprocess.run(["vault", "kv", "put", "secret/app/api-keys", "a=b"])\n',
        ),
        (
            "scripts/rotate.py",
            (
                "client.secrets.kv.v2.create_or_update_secret(mount_point='secret',\n"
                "    path='app/api-keys', secret=dict(api_key=new()))\n"
            ),
        ),
        ("cmd/rotate/main.go", 'client.KVv2("secret").Put(ctx, "app/api-keys", data)\n'),
        (
            "x.yaml",
            (
                "kind: CronJob\nspec:\n  command:\n    - vault\n    - kv\n    - put\n"
                "    - secret/app/api-keys\n    - api_key=x\n"
            ),
        ),
    ],
)
def test_what_runs_by_itself_may_be_a_job_a_cronjob_or_a_program(
    tmp_path: Path, name: str, text: str
) -> None:
    done, idle = rotated(tmp_path, {name: text})
    assert API_KEYS in done
    assert idle == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("scripts/seed.sh", WRITE),
        ("docs/rotation.md", WRITE),
        ("deploy/job.yaml", CRON.replace("COMMAND", WRITE).replace("CronJob", "Job")),
        ("app/rotate.py", "PATH = 'app/api-keys'\nread(PATH)\n"),
    ],
)
def test_what_nobody_runs_again_and_what_only_names_it_rotates_nothing(
    tmp_path: Path, name: str, text: str
) -> None:
    assert rotated(tmp_path, {name: text}) == (set(), [])


def test_a_script_that_a_job_runs_counts_whatever_its_name(tmp_path: Path) -> None:
    job = "jobs: {x: {steps: [{run: 'bash ./scripts/weekly.sh'}]}}\n"
    files = {".github/workflows/a.yml": job, "scripts/weekly.sh": WRITE}
    assert rotated(tmp_path, files) == ({API_KEYS}, [])


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        (
            "vault write database/static-roles/app db_name=x rotation_period=24h",
            {DB_COPY},
        ),
        ("vault write transit/keys/app-data/config auto_rotate_period=30d", {TRANSIT}),
        ("vault write transit/keys/app-data auto_rotate_period=30d", {TRANSIT}),
    ],
)
def test_a_store_that_is_told_to_rotate_does_so_whichever_script_tells_it(
    tmp_path: Path, command: str, wanted: set[str]
) -> None:
    assert rotated(tmp_path, {"scripts/setup.sh": command}) == (wanted, [])


GENERATED = """\
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: app-db}
spec:
  refreshInterval: INTERVAL
  target: {name: app-db}
  dataFrom: [{sourceRef: {generatorRef: {kind: Password, name: app}}}]
"""
PUSHED = """\
---
kind: PushSecret
metadata: {name: push}
spec:
  refreshInterval: 1h
  selector: {secret: {name: app-db}}
  data: [{match: {secretKey: password, remoteRef: {remoteKey: app/api-keys}}}]
"""


def test_a_generator_that_is_asked_again_rotates_the_secret_and_what_is_pushed(
    tmp_path: Path,
) -> None:
    files = {"deploy/eso.yaml": GENERATED.replace("INTERVAL", "24h")}
    assert rotated(tmp_path / "a", files) == ({K8S_DB}, [])
    pushed = {"deploy/eso.yaml": files["deploy/eso.yaml"] + PUSHED}
    assert rotated(tmp_path / "b", pushed) == ({K8S_DB, API_KEYS, AWS_KEYS}, [])


@pytest.mark.parametrize("interval", ["0", '"0"', "0s"])
def test_a_generator_that_is_asked_once_rotates_nothing(tmp_path: Path, interval: str) -> None:
    text = GENERATED.replace("INTERVAL", interval) + PUSHED
    assert rotated(tmp_path, {"deploy/eso.yaml": text}) == (set(), [])


def test_a_secret_that_is_copied_into_the_cluster_is_rotated_where_its_source_is(
    tmp_path: Path,
) -> None:
    copied = GENERATED.replace("INTERVAL", "1h").replace(
        "dataFrom: [{sourceRef: {generatorRef: {kind: Password, name: app}}}]",
        "data: [{secretKey: url, remoteRef: {key: secret/data/app/api-keys}}]",
    )
    assert rotated(tmp_path / "a", {"eso.yaml": copied}) == (set(), [])
    done, _ = rotated(tmp_path / "b", {"eso.yaml": copied, "scripts/rotate.sh": WRITE})
    assert done == {API_KEYS, K8S_DB}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            (
                'resource "aws_secretsmanager_secret" "keys" {\n  name = "app/api-keys"\n}\n'
                'resource "aws_secretsmanager_secret_rotation" "keys" {\n'
                "  secret_id = aws_secretsmanager_secret.keys.id\n"
                "  rotation_rules {\n    automatically_after_days = 30\n  }\n}\n"
            ),
            {AWS_KEYS},
        ),
        (
            (
                'resource "aws_secretsmanager_secret_rotation" "db" {\n  secret_id = '
                '"arn:aws:secretsmanager:eu-central-1:123456789012:secret:app/db-AbCdEf"\n}\n'
            ),
            {AWS_DB},
        ),
        (
            (
                'resource "vault_database_secret_backend_static_role" "app" {\n'
                '  backend = "database"\n  name = "app"\n  rotation_period = 86400\n}\n'
            ),
            {DB_COPY},
        ),
        (
            (
                'resource "vault_transit_secret_backend_key" "app" {\n  backend = "transit"\n'
                '  name = "app-data"\n  auto_rotate_period = 2592000\n}\n'
            ),
            {TRANSIT},
        ),
        (
            (
                'resource "azurerm_key_vault_key" "data" {\n  name = "data"\n'
                "  rotation_policy {\n    expire_after = var.x\n  }\n}\n"
            ),
            {AZURE_DATA},
        ),
        (
            (
                'resource "time_rotating" "month" {\n  rotation_days = 30\n}\n'
                'resource "vault_kv_secret_v2" "keys" {\n  mount = "secret"\n'
                '  name = "app/api-keys"\n'
                "  data_json = jsonencode({api_key = random_password.keys.result})\n}\n"
            ),
            {API_KEYS},
        ),
        (
            (
                'resource "vault_kv_secret_v2" "keys" {\n  mount = "secret"\n'
                '  name = "app/api-keys"\n'
                "  data_json = jsonencode({api_key = random_password.keys.result})  # rotate\n}\n"
            ),
            set(),
        ),
        ('resource "aws_secretsmanager_secret" "keys" {\n  name = "app/api-keys"\n}\n', set()),
        ("# rotated by hand\n", set()),
        ('module "rotation" {\n  source = "./rotation"\n}\n', set()),
    ],
)
def test_terraform_rotates_by_its_rotation_resources(
    tmp_path: Path, text: str, wanted: set[str]
) -> None:
    assert rotated(tmp_path, {"deploy/main.tf": text}) == (wanted, [])


def test_a_resource_may_name_a_secret_of_another_file(tmp_path: Path) -> None:
    files = {
        "a.tf": 'resource "aws_secretsmanager_secret" "keys" {\n  name = "app/api-keys"\n}\n',
        "b.tf": 'resource "aws_secretsmanager_secret_rotation" "keys" {\n'
        "  secret_id = aws_secretsmanager_secret.keys.id\n}\n",
    }
    assert rotated(tmp_path, files) == ({AWS_KEYS}, [])


@pytest.mark.parametrize(
    ("path", "issued"),
    [
        ("database/static-creds/app", True),
        ("database/creds/app", True),
        ("secret/data/creds/app", False),
        ("secret/data/app/creds", False),
        ("transit/keys/app", False),
    ],
)
def test_what_an_engine_issues_needs_nobody_to_rotate_it(
    tmp_path: Path, path: str, issued: bool
) -> None:
    form = f"vault: {{address: x, secrets: [{{path: {path}}}]}}\n"
    files = {"configs/secrets/vault.yaml": form}
    done, _ = rotated(tmp_path, files)
    assert any(one.startswith("vault:") for one in done) is issued
