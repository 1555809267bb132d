"""Something to rotate for each executor, and what must be true after any crash."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.support import aws_server, azure_cloud, rollouts
from tests.support.aws_server import ACCOUNT, REGION
from tests.support.azure_vault import WritableVault
from tests.support.openbao import ROOT_TOKEN, Bao, Postgres, developing, postgres, postgres_tools
from tests.support.rotations import ROTATES, Rotator, vault_backend


class Rotated(NamedTuple):
    """A secret. `snapshot` is taken before, and `wrong` gives what is not as it should be after."""

    name: str
    secret: Callable[[], str]
    entry: Mapping[str, Any]
    snapshot: Callable[[], Any]
    wrong: Callable[[Any], str]


def _same(name: str) -> Callable[[], str]:
    return lambda: name


@contextmanager
def places(folder: Path) -> Iterator[tuple[Rotator, list[Rotated]]]:
    """All stores of this machine, and one secret in each for each executor."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "test" * 5, "AWS_SECRET_ACCESS_KEY": "test" * 5}
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    with ExitStack() as running:
        bao = running.enter_context(developing(folder))
        for name, kind in (("app", "kv"), ("keywatch", "kv"), ("transit", "transit")):
            bao.mount(name, kind, **({"options": {"version": "2"}} if kind == "kv" else {}))
        bao.call("POST", "sys/auth/approle", {"type": "approle"})
        aws = running.enter_context(aws_server.serving())
        aws.reset()
        azure = running.enter_context(azure_cloud.serving(folder))
        vault = WritableVault(azure, int(time.time()) - 10_000)
        cluster = running.enter_context(rollouts.cluster(folder))
        rotator = Rotator(
            folder / "rotation",
            {
                "prod": vault_backend(bao.address, groups=["approle"]),
                "eks": {"kind": "kubernetes", "kubeconfig": cluster.kubeconfig, "context": "test"},
                "aws": {
                    "kind": "aws",
                    "regions": [REGION],
                    "services": ["iam", "secretsmanager"],
                    "endpoints": dict.fromkeys(("iam", "secretsmanager", "sts"), aws.url),
                },
                "kv": {
                    "kind": "azure",
                    "vaults": ["https://kv-prod.vault.azure.net"],
                    "auth": azure.settings().options["auth"],
                    "ca": str(azure.ca),
                    "proxy": azure.proxy,
                },
            },
            {
                "prod": ROTATES,
                "eks": {"context": "test"},
                "aws": {"regions": [REGION]},
                "kv": {"ca": str(azure.ca)},
            },
            lock="vault://prod/-/keywatch/lock",
        )
        del rotator.config["backends"]["prod"]["mounts"]
        rotator.environ |= {"AUDITOR": ROOT_TOKEN, "ROTATOR": ROOT_TOKEN}
        found = [
            _generated(bao, cluster),
            _issued(bao, vault, rotator),
            _approle(bao),
            _transit(bao),
            _issuer(bao),
            _access_key(aws),
            _own_rotation(aws),
            _azure_secret(bao, vault, rotator),
            _azure_key(vault),
        ]
        if postgres_tools():
            found += _database(bao, running.enter_context(postgres()))
        rotator.entries.extend(each.entry for each in found)
        yield rotator, found


def _read(bao: Bao, name: str) -> dict[str, Any]:
    data: dict[str, Any] = bao.call("GET", f"app/data/{name}")["data"]
    return data


def _generated(bao: Bao, cluster: rollouts.Cluster) -> Rotated:
    bao.put("app/generated", key="made-up")
    secret = "vault://prod/-/app/generated"
    consumer = cluster.add("web")

    def wrong(before: Any) -> str:
        version = _read(bao, "generated")["metadata"]["version"]
        restarts = len(cluster.restarts)
        return "" if (version, restarts) == (before[0] + 1, before[1] + 1) else f"{version}"

    return Rotated(
        "KV, generated, with a Kubernetes consumer",
        _same(secret),
        {"match": secret, "issuer": "ours", "field": "key", "consumers": [consumer]},
        lambda: (_read(bao, "generated")["metadata"]["version"], len(cluster.restarts)),
        wrong,
    )


def _issued(bao: Bao, vault: WritableVault, rotator: Rotator) -> Rotated:
    (rotator.issued / "first-kv").write_text("issued-kv")
    bao.put("app/issued", key="issued-kv")
    secret = "vault://prod/-/app/issued"
    return Rotated(
        "KV, issued by a command",
        _same(secret),
        {"match": secret, "issuer": "theirs", "field": "key"},
        lambda: _in_use(bao, vault)[0],
        lambda before: _wrongly_issued(rotator, _in_use(bao, vault), 0, before),
    )


def _in_use(bao: Bao, vault: WritableVault) -> tuple[str, str]:
    """The two values of the issuer `theirs` that are stored: in KV and in Azure."""
    enabled = vault.enabled("api")
    azure = enabled[0]["value"] if len(enabled) == 1 else f"{len(enabled)} enabled versions"
    return str(_read(bao, "issued")["data"]["key"]), str(azure)


def _wrongly_issued(rotator: Rotator, used: tuple[str, str], number: int, before: str) -> str:
    """The issuer must accept exactly the two values in use, and one of them must be a new one."""
    live = sorted(each.read_text() for each in rotator.issued.iterdir())
    if live != sorted(used):
        return f"{len(live)} live values, in use: {sum(each in live for each in used)}"
    return "the value is the old one" if used[number] == before else ""


def _approle(bao: Bao) -> Rotated:
    below = "auth/approle/role/web"
    bao.call("POST", below, {"token_ttl": "1h"})
    bao.call("POST", f"{below}/secret-id", {})
    secret = "vault://prod/-/auth%2Fapprole/role/web/secret-id"

    def wrong(_before: Any) -> str:
        keys = bao.call("LIST", f"{below}/secret-id")["data"]["keys"]
        said = {
            "role_id": bao.call("GET", f"{below}/role-id")["data"]["role_id"],
            "secret_id": _read(bao, "approle")["data"]["secret_id"],
        }
        bao.call("POST", "auth/approle/login", said)
        return "" if len(keys) == 1 else f"{len(keys)} secret IDs"

    return Rotated(
        "AppRole",
        _same(secret),
        {"match": secret, "store": "vault://prod/-/app/approle", "field": "secret_id"},
        lambda: None,
        wrong,
    )


def _transit(bao: Bao) -> Rotated:
    bao.call("POST", "transit/keys/one", {})
    secret = "vault://prod/-/transit/keys/one"
    proof = ["sh", "-c", "cat > /dev/null; echo 100000"]

    def latest() -> Any:
        return bao.call("GET", "transit/keys/one")["data"]["latest_version"]

    def wrong(before: Any) -> str:
        key = bao.call("GET", "transit/keys/one")["data"]
        versions = key["latest_version"], key["min_decryption_version"]
        return "" if versions == (before + 1, before + 1) else f"versions {versions}"

    return Rotated(
        "Transit",
        _same(secret),
        {"match": secret, "raise_min_decryption_version": {"lowest_version_in_use": proof}},
        latest,
        wrong,
    )


def _issuer(bao: Bao) -> Rotated:
    bao.mount("pki", "pki")
    bao.call("POST", "pki/root/generate/internal", {"common_name": "first", "key_type": "ec"})

    def default() -> str:
        return str(bao.call("GET", "pki/config/issuers")["data"]["default"])

    def wrong(before: Any) -> str:
        names = bao.call("LIST", "pki/issuers")["data"]["keys"]
        old = bao.call("GET", f"pki/issuer/{before[1]}")["data"]
        bad = "" if len(names) == before[0] + 1 else f"{len(names)} issuers"
        bad = bad or ("" if default() != before[1] else "the default is the old one")
        bad = bad or ("the old one issues" if "issuing-cert" in old["usage"] else "")
        bao.call("DELETE", f"pki/issuer/{before[1]}")  # reading many makes each plan slow
        return bad

    return Rotated(
        "PKI",
        lambda: f"vault://prod/-/pki/issuer/{default()}",
        {
            "match": "vault://prod/-/pki/issuer/*",
            "new_issuer": {"common_name": "next", "ttl": "700h", "stop_old": True},
        },
        lambda: (len(bao.call("LIST", "pki/issuers")["data"]["keys"]), default()),
        wrong,
    )


def _access_key(aws: aws_server.Aws) -> Rotated:
    iam, manager = aws.client("iam"), aws.client("secretsmanager")
    iam.create_user(UserName="ci")
    iam.create_access_key(UserName="ci")
    manager.create_secret(Name="ci-key", SecretString="{}")
    secret = f"aws://aws/{ACCOUNT}/global/iam/ci"

    def wrong(_before: Any) -> str:
        keys = iam.list_access_keys(UserName="ci")["AccessKeyMetadata"]
        held = json.loads(manager.get_secret_value(SecretId="ci-key")["SecretString"])
        return "" if [each["AccessKeyId"] for each in keys] == [held["id"]] else f"{len(keys)} keys"

    fields = {"access_key_id": "id", "secret_access_key": "secret"}
    store = f"aws://aws/{ACCOUNT}/{REGION}/secretsmanager/ci-key"
    entry = {"match": secret, "store": store, "fields": fields}
    return Rotated("IAM access key", _same(secret), entry, lambda: None, wrong)


def _own_rotation(aws: aws_server.Aws) -> Rotated:
    manager = aws.client("secretsmanager")
    manager.create_secret(Name="own", SecretString="made-up")
    manager.rotate_secret(SecretId="own", RotationRules={"AutomaticallyAfterDays": 30})
    secret = f"aws://aws/{ACCOUNT}/{REGION}/secretsmanager/own"

    def current() -> str:
        stages = manager.describe_secret(SecretId="own")["VersionIdsToStages"]
        return str(next(each for each in stages if "AWSCURRENT" in stages[each]))

    def wrong(before: Any) -> str:
        return "" if current() != before else "the version is the old one"

    return Rotated("Secrets Manager", _same(secret), {"match": secret}, current, wrong)


def _azure_secret(bao: Bao, vault: WritableVault, rotator: Rotator) -> Rotated:
    (rotator.issued / "first-azure").write_text("issued-azure")
    vault.set("api", "issued-azure")
    secret = "azure://kv/kv-prod/secret/api"
    return Rotated(
        "Azure secret",
        _same(secret),
        {"match": secret, "issuer": "theirs"},
        lambda: _in_use(bao, vault)[1],
        lambda before: _wrongly_issued(rotator, _in_use(bao, vault), 1, before),
    )


def _azure_key(vault: WritableVault) -> Rotated:
    vault.key("wrap")
    secret = "azure://kv/kv-prod/key/wrap"

    def count() -> int:
        return len(vault.held["keys"]["wrap"])

    def wrong(before: Any) -> str:
        return "" if count() == before + 1 else f"{count() - before} new versions"

    return Rotated("Azure key", _same(secret), {"match": secret}, count, wrong)


def _database(bao: Bao, cluster: Postgres) -> list[Rotated]:
    made_up = os.urandom(4).hex()
    cluster.demand_passwords()
    cluster.run(
        f"CREATE ROLE vaultroot LOGIN SUPERUSER IN ROLE apps PASSWORD '{made_up}'",
        "CREATE ROLE app LOGIN IN ROLE apps",
    )
    bao.mount("database", "database")
    place = f"127.0.0.1:{cluster.port}/postgres?sslmode=disable"
    config = {
        "plugin_name": "postgresql-database-plugin",
        "connection_url": f"postgresql://{{{{username}}}}:{{{{password}}}}@{place}",
        "username": "vaultroot",
        "password": made_up,
        "allowed_roles": "*",
    }
    bao.call("POST", "database/config/pg", config)
    role = {"db_name": "pg", "username": "app", "rotation_period": "20d"}
    bao.call("POST", "database/static-roles/app", role)
    secret, root = "vault://prod/-/database/static-roles/app", "vault://prod/-/database/config/pg"

    probe = {"db_name": "pg", "creation_statements": ['CREATE ROLE "{{name}}" NOLOGIN']}
    bao.call("POST", "database/roles/probe", probe)

    def credential() -> tuple[str, str]:
        data = bao.call("GET", "database/static-creds/app")["data"]
        return data["username"], data["password"]

    def wrong(before: tuple[str, str]) -> str:
        now = credential()
        if now == before:
            return "it was not rotated"
        if not cluster.logs_in(*now):
            return "the new password does not log in"
        return "the old password logs in" if cluster.logs_in(*before) else ""

    def verifier() -> str:
        """What PostgreSQL keeps of the root's password."""
        return cluster.asked("SELECT rolpassword FROM pg_authid WHERE rolname = 'vaultroot'")

    def wrong_root(before: str) -> str:
        bao.call("GET", "database/creds/probe")  # fails if Vault cannot log in any more
        if cluster.logs_in("vaultroot", made_up):
            return "the first password logs in"
        return "it was not rotated" if verifier() == before else ""

    return [
        Rotated("Static role", _same(secret), {"match": secret}, credential, wrong),
        Rotated("Database root", _same(root), {"match": root}, verifier, wrong_root),
    ]
