"""How the auditor gets in: logins, TLS, seals, namespaces; and what Vault's own access runs on."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from scanner.configuration import operator
from scanner.errors import ConfigError
from scanner.inventory import vault
from scanner.inventory.interface import Settings
from scanner.model import Gap, Note
from scanner.records import ENDLESS, Record
from tests.support import helpers
from tests.support.http_answers import Reply, Request, said, serving
from tests.support.issuer import Signer, certified
from tests.support.openbao import ROOT_TOKEN, Bao, developing, free_port, running, wait
from tests.support.vaults import (
    FORM,
    Item,
    audited,
    backend,
    date_of,
    gaps,
    moment,
    settings,
    the_record,
)

VERSION_2 = {"options": {"version": "2"}}


@pytest.fixture(scope="module")
def mount(bao: Bao) -> str:
    """One with one secret, and a policy `auditor` that may read its metadata."""
    bao.mount("kv-login", "kv", **VERSION_2)
    bao.put("kv-login/app", key="one")
    rule = 'path "kv-login/metadata/*" { capabilities = ["read", "list"] }'
    bao.call("POST", "sys/policies/acl/auditor", {"policy": rule})
    return "kv-login"


def read(
    bao: Bao, auth: Mapping[str, str], environ: Mapping[str, str] | None = None, **more: Any
) -> list[Item]:
    asked = settings(bao.address, auth=auth, environ=environ, mounts=["kv-login"], **more)
    return list(backend(asked).read())


@pytest.fixture(scope="module")
def signer(bao: Bao) -> Signer:
    one = Signer()
    bao.call("POST", "sys/auth/jwt", {"type": "jwt"})
    bao.call("POST", "auth/jwt/config", {"jwt_validation_pubkeys": [one.public]})
    role = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault.example.org"]}
    bao.call("POST", "auth/jwt/role/auditor", {**role, "token_policies": ["auditor"]})
    return one


@pytest.fixture
def github_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """For a server that this process trusts as it trusts GitHub's."""
    ca, tls = certified()
    (tmp_path / "ca.pem").write_bytes(ca)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return tls


def claims() -> dict[str, Any]:
    now = int(datetime.now(UTC).timestamp())
    return {"sub": "repo:x/y", "aud": "vault.example.org", "iat": now, "exp": now + 600}


def test_a_token_is_read_from_a_file_as_well_as_from_a_variable(
    bao: Bao, mount: str, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text(f"{bao.token(policies=['auditor'])}\n")
    assert the_record(read(bao, {"method": "token", "file": str(token)})).kind == "kv-v2"


def test_an_app_role_logs_in_with_its_secret_id(bao: Bao, mount: str) -> None:
    bao.call("POST", "sys/auth/approle-login", {"type": "approle"})
    place = "auth/approle-login/role/auditor"
    bao.call("POST", place, {"token_policies": ["auditor"]})
    role_id = bao.call("GET", f"{place}/role-id")["data"]["role_id"]
    secret_id = bao.call("POST", f"{place}/secret-id", {})["data"]["secret_id"]
    auth = {"method": "approle", "mount": "approle-login", "role_id": role_id, "env": "SECRET_ID"}
    assert the_record(read(bao, auth, {"SECRET_ID": secret_id})).kind == "kv-v2"
    (gap,) = read(bao, auth, {"SECRET_ID": "made-up-and-wrong"})
    assert gaps([gap]) == [("login", "vault://prod")]
    assert "login by approle failed with 400: invalid role or secret ID" in str(gap)


def test_a_job_of_github_logs_in_with_the_token_that_github_gives_it(
    bao: Bao, mount: str, signer: Signer, github_tls: ssl.SSLContext
) -> None:
    asked: list[Request] = []

    def github(request: Request) -> Reply:
        asked.append(request)
        return said({"value": signer.token(**claims())})

    auth = {"method": "jwt", "role": "auditor", "audience": "vault.example.org"}
    with serving(github, github_tls) as address:
        environ = {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{address}/token?api-version=2",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "made-up",
        }
        assert the_record(read(bao, auth, environ)).kind == "kv-v2"
        assert the_gap(read(bao, auth, environ | {"ACTIONS_ID_TOKEN_REQUEST_URL": ""})) == (
            "login",
            "GitHub offers this job no OIDC token: add `permissions: id-token: write`",
        )
    assert asked[0].path == "/token?api-version=2&audience=vault.example.org"
    assert asked[0].headers["Authorization"] == "Bearer made-up"


def test_github_is_asked_over_tls_alone_and_its_refusal_is_a_gap(
    bao: Bao, mount: str, github_tls: ssl.SSLContext
) -> None:
    auth = {"method": "jwt", "role": "auditor"}
    with serving(lambda _request: said({"message": "no"}, 403), github_tls) as address:
        environ = {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{address}/token?a=b",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "made-up",
        }
        assert the_gap(read(bao, auth, environ))[1] == "GitHub refuses an OIDC token with 403"
        plain = environ | {"ACTIONS_ID_TOKEN_REQUEST_URL": "http://127.0.0.1:1/token?a=b"}
        assert "offers this job no OIDC token" in the_gap(read(bao, auth, plain))[1]


def test_a_jwt_that_vault_refuses_is_told_without_the_token(
    bao: Bao, mount: str, signer: Signer
) -> None:
    bad = signer.token(**claims() | {"aud": "elsewhere"})
    auth = {"method": "jwt", "role": "auditor", "env": "JWT"}
    kind, reason = the_gap(read(bao, auth, {"JWT": bad}))
    assert (kind, reason[:32]) == ("login", "login by jwt failed with 400: er")
    assert bad not in reason


def test_a_pod_logs_in_with_its_service_account(
    bao: Bao, mount: str, signer: Signer, tmp_path: Path
) -> None:
    user = {"username": "system:serviceaccount:audit:keywatch", "uid": "u"}

    def reviewed(_request: Request) -> Reply:
        status = {"authenticated": True, "user": user, "audiences": ["api"]}
        return said({"status": status}, 201)

    names = {"namespace": "audit", "serviceaccount": {"name": "keywatch", "uid": "u"}}
    more = {"sub": user["username"], "iss": "kubernetes", "kubernetes.io": names, "aud": ["api"]}
    (tmp_path / "token").write_text(signer.token(**claims() | more))
    ca, tls = certified()
    with serving(reviewed, tls) as cluster:
        bao.call("POST", "sys/auth/kubernetes", {"type": "kubernetes"})
        config = {"kubernetes_host": cluster, "disable_local_ca_jwt": True}
        keys = {"kubernetes_ca_cert": ca.decode(), "pem_keys": [signer.public]}
        bao.call("POST", "auth/kubernetes/config", config | keys)
        role = {
            "bound_service_account_names": ["keywatch"],
            "bound_service_account_namespaces": ["audit"],
            "token_policies": ["auditor"],
        }
        bao.call("POST", "auth/kubernetes/role/auditor", role)
        auth = {"method": "kubernetes", "role": "auditor", "file": str(tmp_path / "token")}
        assert the_record(read(bao, auth)).kind == "kv-v2"
        (tmp_path / "token").write_text(signer.token(**claims() | more | {"aud": "api"}))
        reason = "login by kubernetes failed with 500: decoding failed due to the following error"
        assert the_gap(read(bao, auth, timeout=1.5))[1].startswith(reason)


def test_outside_a_pod_the_service_account_is_missing(bao: Bao, mount: str) -> None:
    kind, reason = the_gap(read(bao, {"method": "kubernetes", "role": "auditor"}))
    assert kind == "login"
    assert "serviceaccount/token cannot be read: No such file or directory" in reason


def the_gap(items: list[Item]) -> tuple[str, str]:
    """Kind and reason of what is a gap of the whole store, and nothing else."""
    (one,) = items
    assert isinstance(one, Gap), one
    assert one.path == "vault://prod"
    return one.kind, one.reason


@pytest.mark.parametrize("value", ["", " ", "two words", "line\nbreak", "s.é"])
def test_what_is_no_token_is_not_sent(bao: Bao, value: str) -> None:
    kind, reason = the_gap(read(bao, {"method": "token", "env": "TOKEN"}, {"TOKEN": value}))
    assert (kind, reason) == ("login", "the variable TOKEN holds no token")


def test_a_wrong_or_expired_token_is_one_gap_and_not_one_for_each_path(bao: Bao) -> None:
    for token in ("s.made-up", _expired(bao)):
        auth = {"method": "token", "env": "TOKEN"}
        kind, reason = the_gap(read(bao, auth, {"TOKEN": token}))
        assert (kind, reason) == (
            "token",
            "the token is not accepted: it is wrong, expired or revoked",
        )


def _expired(bao: Bao) -> str:
    token = bao.token()
    bao.call("POST", "auth/token/revoke", {"token": token})
    return token


def test_a_token_that_may_not_look_itself_up_still_reads(bao: Bao, mount: str) -> None:
    token = bao.token(no_default_policy=True, policies=["auditor"])
    assert the_record(read(bao, {"method": "token", "env": "T"}, {"T": token})).kind == "kv-v2"


def test_no_variable_of_vaults_own_is_heeded(
    bao: Bao, mount: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("VAULT_ADDR", "VAULT_TOKEN", "VAULT_NAMESPACE", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    token = bao.token(policies=["auditor"])
    assert the_record(read(bao, {"method": "token", "env": "T"}, {"T": token})).kind == "kv-v2"


def test_an_entry_without_an_address_or_a_login_is_an_error() -> None:
    for left, missing in (("auth", "address"), ("address", "auth")):
        asked = Settings("prod", "vault", {left: "x"}, 1.0, {})
        with pytest.raises(ConfigError, match=f"backend prod has no {missing}"):
            vault.connect(asked, datetime.now(UTC))


TOKEN = {"method": "token", "env": "TOKEN"}


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ({"address": f"https://user:{TOKEN['env']}@vault"}, "does not match"),
        ({"address": "vault:8200"}, "does not match"),
        ({"auth": {"method": "token"}}, "is not valid under any"),
        ({"auth": {"method": "approle", "env": "S"}}, "'role_id' is a required"),
        ({"auth": {"method": "jwt"}}, "'role' is a required"),
        ({"auth": {"method": "userpass"}}, "is not one of"),
        ({"auth": {**TOKEN, "token": "made-up"}}, "Additional properties"),
        ({"tls": {"client_cert": "cert.pem"}}, "'client_key' is a dependency"),
        ({"groups": ["all"]}, "is not one of"),
        ({"mounts": []}, "should be non-empty"),
        ({"values": True}, "Additional properties"),
    ],
)
def test_an_entry_of_another_form_is_refused(wrong: dict[str, Any], fault: str) -> None:
    said = {"address": "https://vault.example.org", "auth": TOKEN} | wrong
    with pytest.raises(jsonschema.ValidationError, match=fault):
        jsonschema.validate(said, FORM)


def test_the_example_of_the_documentation_is_of_this_form() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/vault.md").read_text(encoding="utf-8")
    example = page.partition("```yaml\n")[2].partition("```")[0].encode()
    options = {"vault": lambda: vault.OPTIONS}
    environ = {"VAULT_ADDR": "https://vault.example.org:8200"}
    found = operator.parse(example, "docs/vault.md", environ, options)
    assert [entry.name for entry in found.backends] == ["prod", "ci"]


def rules(**options: Any) -> str:
    return vault.permissions(settings("https://vault.example.org", **options))


def test_a_mount_whose_name_tells_its_engine_gets_the_rules_of_that_one_alone() -> None:
    text = rules(mounts=["transit-eu"])
    assert 'path "transit-eu/keys/*" { capabilities = ["read", "list"] }' in text
    assert "metadata" not in text.partition("path")[2]


def granted(text: str) -> list[str]:
    """The rules of a policy, without comments."""
    return [line for line in text.splitlines() if line.startswith("path ")]


def test_a_mount_whose_name_does_not_tell_its_engine_gets_rules_in_comments_only() -> None:
    text = rules(mounts=["app"])
    assert "# The engine of app is unknown" in text
    assert '#     path "app/metadata/*"' in text
    assert '#     path "app/keys/*"' in text
    assert not any("app" in rule for rule in granted(text))


def test_without_mounts_no_wildcard_is_printed_that_could_read_a_value() -> None:
    text = rules()
    assert "could read values in one of KV version 1" in text
    assert granted(text) == [
        'path "sys/rotation/orphans" { capabilities = ["read"] }',
        'path "sys/mounts" { capabilities = ["read"] }',
        'path "sys/auth" { capabilities = ["read"] }',
        'path "auth/+/users" { capabilities = ["list"] }',
        'path "auth/+/users/+" { capabilities = ["list", "read"] }',
        'path "identity/oidc/key" { capabilities = ["list"] }',
        'path "identity/oidc/key/+" { capabilities = ["read"] }',
        'path "sys/namespaces" { capabilities = ["list"] }',
    ]


def test_the_printed_rules_are_exact_for_the_mounts_that_are_there(bao: Bao) -> None:
    """Mounts with a slash, KV version 1 with folders named like paths, namespaces two deep."""
    bao.mount("kv-exact/kv", "kv", **VERSION_2)
    bao.call("POST", "kv-exact/kv/data/app", {"data": {"key": "one"}})
    bao.mount("kv1-exact", "kv")
    folders = ("config", "roles", "metadata", "keys", "static-roles", "issuer")
    for folder in folders:
        bao.call("POST", f"kv1-exact/{folder}/app", {"value": "made up"})
    for above, name in (("", "exact"), ("exact", "two"), ("exact/two", "three")):
        bao.call("POST", f"sys/namespaces/{name}", {}, namespace=above)
    bao.call("POST", "sys/mounts/in/kv", {"type": "kv", **VERSION_2}, namespace="exact/two/three")
    body = {"data": {"key": "one"}}
    bao.call("POST", "in/kv/data/app", body, namespace="exact/two/three")
    more: dict[str, Any] = {"namespaces": ["-", "exact/**"]}
    text = vault.permissions(settings(bao.address, token=ROOT_TOKEN, **more))
    engines = [rule for rule in granted(text) if "auth/+" not in rule and "oidc/key" not in rule]
    assert not [rule for rule in engines if "+/" in rule]
    mounted_here = [rule for rule in engines if "exact" in rule]  # other tests mount more
    assert mounted_here
    assert not [rule for rule in mounted_here if "+" in rule]
    token = bao.token(text)
    for folder in folders:
        with pytest.raises(AssertionError, match="permission denied"):
            bao.call("GET", f"kv1-exact/{folder}/app", token=token)
    audit = backend(settings(bao.address, token=token, **more))
    items = list(audit.read())
    assert [one for one in gaps(items) if one[0] != "engine-not-read"] == []  # other tests' mounts
    assert {
        "vault://prod/-/kv-exact%2Fkv/app",
        "vault://prod/-/kv1-exact/keys/app",
        "vault://prod/exact%2Ftwo%2Fthree/in%2Fkv/app",
    } <= {*ids(items)}
    assert [*audit.excess()] == []


def test_a_right_that_could_read_a_value_of_version_1_is_flagged(bao: Bao) -> None:
    bao.mount("kv1-wild", "kv")
    bao.call("POST", "kv1-wild/app", {"value": "made up"})
    token = bao.token(
        'path "kv1-wild/*" { capabilities = ["list"] }',
        'path "kv1-wild/keys/*" { capabilities = ["read", "list"] }',
    )
    audit = backend(settings(bao.address, token=token, mounts=["kv1-wild"]))
    assert ids(list(audit.read())) == ["vault://prod/-/kv1-wild/app"]
    (said,) = audit.excess()
    assert said.startswith("read on kv1-wild/keys/keywatch-probe: in a mount of KV version 1")


def test_a_folder_of_key_value_is_all_that_its_rules_open() -> None:
    text = rules(mounts=["secret/app/"], keys=True)
    assert 'path "secret/metadata/app/*" { capabilities = ["read", "list"] }' in text
    assert 'path "secret/subkeys/app/*" { capabilities = ["read"] }' in text
    assert "secret/metadata/*" not in text


def test_namespaces_below_that_are_not_known_get_no_rules() -> None:
    text = rules(mounts=["secret"], namespaces=["-", "team/**"], groups=["barrier"])
    for prefix in ("", "team/"):
        assert f'path "{prefix}secret/metadata/*"' in text
        assert f'path "{prefix}sys/namespaces" {{ capabilities = ["list"] }}' in text
    assert "+" not in "".join(granted(text))
    assert "the namespaces below team, which are not known" in text
    assert text.count("sys/key-status") == 1


def test_namespaces_are_read_by_name_or_all_below_one(bao: Bao) -> None:
    for inside, name in (("", "team"), ("team", "inner"), ("", "other")):
        bao.call("POST", f"sys/namespaces/{name}", {}, namespace=inside)
    for place in ("team", "team/inner", "other"):
        bao.call("POST", "sys/mounts/kv-ns", {"type": "kv", **VERSION_2}, namespace=place)
        bao.call("POST", "kv-ns/data/app", {"data": {"key": "one"}}, namespace=place)
    team, inner, other = (
        f"vault://prod/{place}/kv-ns/app" for place in ("team", "team%2Finner", "other")
    )
    assert ids(audited(bao, "kv-ns", namespaces=["other"])) == [other]
    assert ids(audited(bao, "kv-ns", namespaces=["team/**"])) == [team, inner]
    every = [one for one in ids(audited(bao, namespaces=["**"])) if "/kv-ns/" in one]
    assert every == [other, team, inner]
    root = backend(settings(bao.address, token="root", mounts=["kv-ns"], namespaces=["team/**"]))
    assert len(list(root.read())) == 2
    wide = bao.token('path "+/kv-ns/*" { capabilities = ["read", "list"] }')
    more = settings(bao.address, token=wide, mounts=["kv-ns"], namespaces=["team", "other"])
    audit = backend(more)
    assert ids(list(audit.read())) == [team, other]
    assert list(audit.excess()) == [
        "read on team/kv-ns/data/app: this path contains a value",
        "read on other/kv-ns/data/app: this path contains a value",
    ]
    (gap,) = audited(bao, "kv-ns", namespaces=["nowhere"])
    assert gaps([gap]) == [("absent", "vault://prod/nowhere/kv-ns")]


def test_an_auditor_that_logs_in_to_a_namespace_reads_that_one(bao: Bao) -> None:
    bao.call("POST", "sys/namespaces/home", {})
    bao.call("POST", "sys/mounts/kv-ns", {"type": "kv", **VERSION_2}, namespace="home")
    bao.call("POST", "kv-ns/data/app", {"data": {"key": "one"}}, namespace="home")
    more: dict[str, Any] = {
        "auth": {"method": "token", "env": "TOKEN", "namespace": "home"},
        "mounts": ["kv-ns"],
    }
    rules = vault.permissions(settings(bao.address, **more))
    assert 'path "kv-ns/metadata/*"' in rules
    bao.call("POST", "sys/policies/acl/own", {"policy": rules}, namespace="home")
    made = bao.call("POST", "auth/token/create", {"policies": ["own"]}, namespace="home")
    audit = backend(settings(bao.address, token=made["auth"]["client_token"], **more))
    assert ids(list(audit.read())) == ["vault://prod/home/kv-ns/app"]
    assert list(audit.excess()) == []


def ids(items: list[Item]) -> list[str]:
    return [one.id for one in items if isinstance(one, Record)]


def test_an_app_roles_secret_ids_are_dated_and_none_that_never_ends_passes_for_one_that_does(
    bao: Bao,
) -> None:
    bao.call("POST", "sys/auth/approle", {"type": "approle"})
    for role, ttl in (("ending", "10m"), ("endless", "0")):
        bao.call("POST", f"auth/approle/role/{role}", {"secret_id_ttl": ttl})
    ids = {"metadata": json.dumps({"team": "a", "role": "posing"})}
    made = {
        role: bao.call("POST", f"auth/approle/role/{role}/secret-id", ids)["data"]
        for role in ("ending", "endless")
    }
    items = audited(bao, groups=["approle"])
    found = {one.id: one for one in items if isinstance(one, Record)}
    for role, lifetime in (("ending", 600), ("endless", ENDLESS)):
        accessor = made[role]["secret_id_accessor"]
        record = found[f"vault://prod/-/auth%2Fapprole/role/{role}/secret-id/{accessor}"]
        assert (record.kind, record.lifetime) == ("approle-secret-id", lifetime)
        assert record.tags == {"team": "a", "role": role}
        said = bao.call(
            "POST",
            f"auth/approle/role/{role}/secret-id-accessor/lookup",
            {"secret_id_accessor": accessor},
        )
        assert date_of(record) == moment(said["data"]["creation_time"])
    assert not any(one["secret_id"] in str(items) for one in made.values())


def test_a_token_is_as_old_as_its_creation_and_lives_as_long_as_renewals_allow(bao: Bao) -> None:
    def made(**more: Any) -> tuple[str, str]:
        auth = bao.call("POST", "auth/token/create", {"policies": ["default"], **more})["auth"]
        return auth["accessor"], auth["client_token"]

    lives = {
        made(ttl="1h", renewable=False): 3600,
        made(ttl="1h", explicit_max_ttl="2h"): 7200,
        made(period="1h"): ENDLESS,
        made(ttl="1h"): 768 * 3600,  # what the server allows to all
    }
    renewed = [*lives][3]
    bao.call("POST", "auth/token/renew", {"token": renewed[1]})
    items = audited(bao, groups=["tokens"])
    found = {one.id.rpartition("/")[2]: one for one in items if isinstance(one, Record)}
    assert {accessor: found[accessor].lifetime for accessor, _ in lives} == {
        accessor: lifetime for (accessor, _), lifetime in lives.items()
    }
    record = found[renewed[0]]
    said = bao.call("POST", "auth/token/lookup-accessor", {"accessor": renewed[0]})["data"]
    assert said["last_renewal"]
    assert date_of(record).timestamp() == said["creation_time"]
    assert record.tags["policies"] == "default"
    root = [one for one in found.values() if one.tags.get("policies") == "root"]
    assert [one.lifetime for one in root] == [ENDLESS]
    assert not any(token in str(items) for _, token in lives)


def test_a_role_and_its_mount_limit_how_long_a_token_can_be_renewed(bao: Bao) -> None:
    bao.call("POST", "sys/auth/short", {"type": "approle", "config": {"max_lease_ttl": "24h"}})
    lifetimes = {}
    for role, limit, lifetime in (("capped", "30m", 1800), ("free", "0", 86_400)):
        bao.call("POST", f"auth/short/role/{role}", {"token_max_ttl": limit, "token_ttl": "5m"})
        role_id = bao.call("GET", f"auth/short/role/{role}/role-id")["data"]["role_id"]
        secret = bao.call("POST", f"auth/short/role/{role}/secret-id", {})["data"]["secret_id"]
        login = {"role_id": role_id, "secret_id": secret}
        lifetimes[bao.call("POST", "auth/short/login", login)["auth"]["accessor"]] = lifetime
    found = {
        one.id.rpartition("/")[2]: one.lifetime
        for one in audited(bao, groups=["tokens"])
        if isinstance(one, Record)
    }
    assert {accessor: found[accessor] for accessor in lifetimes} == lifetimes


def test_an_auditor_revokes_its_own_token_and_does_not_count_it(bao: Bao) -> None:
    bao.call("POST", "sys/auth/auditors", {"type": "approle"})
    options: dict[str, Any] = {
        "auth": {"method": "approle", "mount": "auditors", "role_id": "", "env": "ID"},
        "groups": ["tokens"],
        "mounts": ["kv-nowhere"],
    }
    rules = vault.permissions(settings(bao.address, groups=["tokens"], mounts=["kv-nowhere"]))
    bao.call("POST", "sys/policies/acl/auditors", {"policy": rules})
    bao.call("POST", "auth/auditors/role/one", {"token_policies": ["auditors"]})
    role = bao.call("GET", "auth/auditors/role/one/role-id")["data"]["role_id"]
    options["auth"]["role_id"] = role
    secret = bao.call("POST", "auth/auditors/role/one/secret-id", {})["data"]["secret_id"]

    def accessors() -> set[str]:
        return {*bao.call("LIST", "auth/token/accessors")["data"]["keys"]}

    before = accessors()
    for _ in range(2):
        asked = settings(bao.address, environ={"ID": secret}, **options)
        audit = backend(asked)
        found = {one.id.rpartition("/")[2] for one in audit.read() if isinstance(one, Record)}
        assert len(accessors() - before) == 1
        assert not found & (accessors() - before)
        audit.close()
        assert accessors() == before


def test_users_with_passwords_and_signing_keys_are_secrets_of_unknown_age(bao: Bao) -> None:
    bao.call("POST", "sys/auth/people", {"type": "userpass"})
    bao.call("POST", "auth/people/users/ann", {"password": helpers.token()})
    bao.call("POST", "identity/oidc/key/own", {"rotation_period": "48h"})
    found = {one.id: one for one in audited(bao) if isinstance(one, Record)}
    user = found["vault://prod/-/auth%2Fpeople/users/ann"]
    key = found["vault://prod/-/identity%2Foidc/key/own"]
    assert (user.kind, user.dated) == ("userpass-user", None)
    assert (key.kind, key.dated) == ("oidc-key", None)
    assert key.rotation is not None
    assert key.rotation.period == 48 * 3600
    assert "vault://prod/-/identity%2Foidc/key/default" not in found


def test_namespaces_that_were_not_asked_for_are_named(bao: Bao) -> None:
    bao.call("POST", "sys/namespaces/unasked", {})
    said = [one for one in audited(bao) if isinstance(one, Note) and one.kind == "not-audited"]
    assert any("unasked" in one.text for one in said)


def test_a_folder_that_is_listed_and_then_answers_nothing_is_a_gap(bao: Bao) -> None:
    bao.mount("kv-lost", "kv", **VERSION_2)
    found = audited(bao, "kv-lost/nothing/here")
    assert gaps(found) == [("absent", "vault://prod/-/kv-lost/nothing/here")]


def test_the_barrier_key_is_as_old_as_its_installation(bao: Bao) -> None:
    items = audited(bao, "kv-nowhere", groups=["barrier"])
    record = the_record(one for one in items if isinstance(one, Record))
    assert record.id == "vault://prod/-/sys/key-status"
    said = bao.call("GET", "sys/key-status")["data"]
    assert date_of(record) == moment(said["install_time"])


@pytest.mark.parametrize("group", ["approle", "tokens", "barrier"])
def test_a_group_whose_rights_are_missing_is_a_gap_that_names_them(bao: Bao, group: str) -> None:
    asked = settings(bao.address, token=bao.token(), groups=[group], mounts=["kv-nowhere"])
    _, gap = backend(asked).read()
    assert gaps([gap])[0][0] == "denied"
    assert "groups need more permissions than the engines" in str(gap)


def test_a_group_is_asked_of_the_root_alone_where_there_is_one_for_all(bao: Bao) -> None:
    bao.call("POST", "sys/namespaces/barred", {})
    assert gaps(audited(bao, "kv-x", namespaces=["barred"], groups=["barrier"])) == [
        ("denied", "vault://prod/barred/kv-x")
    ]


class Sealed:
    """A server with storage of its own: shut when it starts, and after each new start."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        (folder / "data").mkdir()
        self.config = folder / "server.hcl"
        self.config.write_text(
            f'storage "raft" {{ path = "{folder}/data" }}\n'
            f'listener "tcp" {{\n address = "127.0.0.1:{port}"\n tls_disable = true\n}}\n'
            f'api_addr = "http://127.0.0.1:{port}"\n'
            f'cluster_addr = "http://127.0.0.1:{free_port()}"\n'
        )
        self.bao = Bao(f"http://127.0.0.1:{port}", folder / "none.log")
        self.keys: dict[str, Any] = {}

    def up(self) -> None:
        wait(lambda: self.bao.call("GET", "sys/seal-status"))

    def unseal(self) -> None:
        self.bao.call("POST", "sys/unseal", {"key": self.keys["keys"][0]})
        token = self.keys["root_token"]
        wait(lambda: self.bao.call("GET", "auth/token/lookup-self", token=token))


def test_a_vault_that_is_not_initialised_sealed_or_restarted_is_a_gap_until_it_is_open(
    tmp_path: Path, openbao: None
) -> None:
    server = Sealed(tmp_path)

    def state() -> list[Item]:
        token = server.keys.get("root_token", "none")
        asked = settings(server.bao.address, token=token, groups=["barrier"], mounts=["sys"])
        return list(backend(asked).read())

    with running(tmp_path, f"-config={server.config}"):
        server.up()
        assert the_gap(state()) == ("not-initialised", "it is not initialised")
        shares = {"secret_shares": 1, "secret_threshold": 1}
        server.keys = server.bao.call("POST", "sys/init", shares)
        assert the_gap(state()) == ("sealed", "it is sealed")
        server.unseal()
        assert ids(state()) == ["vault://prod/-/sys/key-status"]
    with running(tmp_path, f"-config={server.config}"):
        server.up()
        assert the_gap(state())[0] == "sealed"
        server.unseal()
        assert ids(state()) == ["vault://prod/-/sys/key-status"]


@pytest.fixture(scope="module")
def tls_bao(tmp_path_factory: pytest.TempPathFactory, openbao: None) -> Iterator[Bao]:
    folder = tmp_path_factory.mktemp("tls")
    with developing(folder, "-dev-tls", f"-dev-tls-cert-dir={folder}") as server:
        yield server


def test_tls_is_checked_with_the_named_ca_and_for_the_named_host(tls_bao: Bao) -> None:
    def reached(**tls: str) -> list[Item]:
        asked = settings(tls_bao.address, token="root", tls=tls, groups=["barrier"], mounts=["sys"])
        return list(backend(asked).read())

    assert ids(reached(ca=tls_bao.ca)) == ["vault://prod/-/sys/key-status"]
    kind, reason = the_gap(reached())
    assert kind == "tls"
    assert "self-signed certificate" in reason or "local issuer" in reason
    kind, reason = the_gap(reached(ca=tls_bao.ca, server_name="elsewhere.example.org"))
    assert kind == "tls"
    assert "Hostname mismatch" in reason
    kind, reason = the_gap(reached(ca="/nowhere.pem"))
    assert reason == "the files in tls cannot be used: No such file or directory"


def test_a_tls_certificate_logs_in(tls_bao: Bao, tmp_path: Path) -> None:
    ca = trustme.CA()
    mine = ca.issue_cert("auditor.example.org", common_name="auditor")
    mine.private_key_pem.write_to_path(tmp_path / "key.pem")
    mine.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    tls_bao.call("POST", "sys/auth/cert", {"type": "cert"})
    rule = 'path "sys/key-status" { capabilities = ["read"] }'
    tls_bao.call("POST", "sys/policies/acl/auditor", {"policy": rule})
    role = {"certificate": ca.cert_pem.bytes().decode(), "token_policies": ["auditor"]}
    tls_bao.call("POST", "auth/cert/certs/auditor", role)
    tls = {"ca": tls_bao.ca, "client_cert": str(tmp_path / "cert.pem")}
    asked = settings(
        tls_bao.address,
        auth={"method": "cert", "role": "auditor"},
        tls=tls | {"client_key": str(tmp_path / "key.pem")},
        groups=["barrier"],
        mounts=["kv-nowhere"],
    )
    assert ids(list(backend(asked).read())) == ["vault://prod/-/sys/key-status"]


def test_an_encrypted_key_is_of_no_use_and_asks_nobody_for_its_password(
    tmp_path: Path,
) -> None:
    mine = trustme.CA().issue_cert("auditor.example.org")
    key = serialization.load_pem_private_key(mine.private_key_pem.bytes(), None)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"made-up"),
    )
    (tmp_path / "key.pem").write_bytes(encrypted)
    mine.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    tls = {"client_cert": str(tmp_path / "cert.pem"), "client_key": str(tmp_path / "key.pem")}
    kind, reason = the_gap(
        list(backend(settings("https://127.0.0.1:1", token="x", tls=tls)).read())
    )
    assert kind == "tls"
    assert reason.startswith("the files in tls cannot be used: ")


def test_the_own_credential_of_an_auth_method_is_a_secret_of_unknown_age_or_a_note(
    bao: Bao,
) -> None:
    for kind in ("oidc", "kubernetes"):
        bao.call("POST", f"sys/auth/{kind}-own", {"type": kind})
    try:
        found = audited(bao)
    finally:
        for kind in ("oidc", "kubernetes"):
            bao.call("DELETE", f"sys/auth/{kind}-own")
    (record,) = (one for one in found if isinstance(one, Record) and "oidc-own" in one.id)
    assert record.id == "vault://prod/-/auth%2Foidc-own/config"
    assert (record.dated, record.undated) == (None, "Vault stores no time for its client secret")
    (note,) = (one for one in found if isinstance(one, Note) and "kubernetes-own" in one.path)
    assert "token reviewer JWT" in note.text
