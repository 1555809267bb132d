"""Azure that cannot be read, or answers what it should not: gaps that say why, nothing secret."""

from __future__ import annotations

import time
from collections.abc import Iterator
from logging import NullHandler, getLogger
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import trustme
from azure.core.exceptions import AzureError, ServiceResponseError

from scanner.errors import ConfigError
from scanner.inventory import azure as backend
from scanner.inventory.azure.errors import explain
from scanner.model import Gap, Note
from scanner.records import Record
from tests.support.azure_cloud import (
    LOGIN,
    NOW,
    SECRET,
    TENANT,
    TOKEN,
    Answer,
    Asked,
    Azure,
    ago,
    refused,
    said,
    serving,
    version,
    watched,
)
from tests.support.tls_server import PAGE

HERE = "azure://prod/kv-prod"
ALL = {f"{HERE}/{kind}" for kind in ("secret", "key", "certificate")}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    with serving(tmp_path_factory.mktemp("azure")) as azure:
        yield azure


@pytest.fixture
def azure(server: Azure, monkeypatch: pytest.MonkeyPatch) -> Iterator[Azure]:
    with watched(server, monkeypatch) as azure:
        azure.holds("secrets", "api-keys", version(ago(days=3)))
        yield azure


def read(azure: Azure, **options: Any) -> list[Record | Gap | Note]:
    found = list(backend.connect(azure.settings(**options), NOW).read())
    for hidden in (TOKEN, SECRET, "html", "Caller"):
        assert hidden not in str(found)
    return found


def gaps(azure: Azure, **options: Any) -> dict[str, tuple[str, str]]:
    found = read(azure, **options)
    return {one.path: (one.kind, one.reason) for one in found if isinstance(one, Gap)}


# Who asks


@pytest.mark.parametrize("code", [7000215, 700082], ids=["wrong secret", "expired"])
def test_a_login_that_is_not_accepted_makes_gaps_of_the_vault(azure: Azure, code: int) -> None:
    text = f"AADSTS{code}: no. {TOKEN}"
    body = {"error": "invalid_client", "error_description": text, "error_codes": [code]}
    azure.answers[f"/{TENANT}/oauth2/v2.0/token"] = lambda _asked: said(body, 401)
    wanted = ("unauthenticated", "Azure does not accept the login, or no login was found")
    assert gaps(azure) == dict.fromkeys(ALL, wanted)


def test_a_token_that_expires_meanwhile_leaves_what_was_read(azure: Azure) -> None:
    azure.answers["/secrets/api-keys/versions"] = lambda _asked: refused(401, "Unauthorized")
    assert {path: kind for path, (kind, _) in gaps(azure).items()} == {
        f"{HERE}/secret/api-keys": "unauthenticated"
    }


def test_nobody_to_log_in_as(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    assert {kind for kind, _ in gaps(azure, auth={"method": "default"}).values()} == {
        "unauthenticated"
    }


def test_a_certificate_to_log_in_with_that_is_not_there(azure: Azure, tmp_path: Path) -> None:
    auth = {
        "method": "service-principal",
        "tenant_id": "t",
        "client_id": "c",
        "certificate": str(tmp_path / "none.pem"),
    }
    assert gaps(azure, auth=auth) == {HERE: ("unauthenticated", "the login in auth cannot be used")}


def test_a_certificate_to_log_in_with(azure: Azure, tmp_path: Path) -> None:
    file = tmp_path / "auditor.pem"
    issued = trustme.CA().issue_cert("auditor", key_type=trustme.KeyType.RSA)
    issued.private_key_and_cert_chain_pem.write_to_path(str(file))
    login = azure.settings().options["auth"]
    auth = {**login, "certificate": str(file)}
    assert gaps(azure, auth=auth) == {}
    assert "client_assertion=" in azure.login


# What it may ask


@pytest.mark.parametrize(
    ("inner", "reason"),
    [
        ("ForbiddenByRbac", "no role allows it to the auditor"),
        ("AccessDenied", "no access policy of the vault allows it to the auditor"),
        ("ForbiddenByFirewall", "the vault's firewall blocks this machine"),
        ("ForbiddenByConnection", "the vault can be reached only from private networks"),
        (TOKEN, "the auditor has no permission"),
        ("", "the auditor has no permission"),
    ],
)
def test_a_denied_kind_is_a_gap_and_the_others_go_on(azure: Azure, inner: str, reason: str) -> None:
    azure.answers["/keys"] = lambda _asked: refused(403, "Forbidden", inner)
    found = read(azure)
    assert Gap(kind="denied", path=f"{HERE}/key", reason=reason) in found
    assert [one.id for one in found if isinstance(one, Record)] == [f"{HERE}/secret/api-keys"]
    assert "/certificates" in {one.path for one in azure.asked}


@pytest.mark.parametrize(
    ("kind", "what", "path"),
    [("keys", "rotationpolicy", "key"), ("certificates", "policy", "certificate")],
)
def test_a_denied_policy_is_a_gap_of_that_one(
    azure: Azure, kind: str, what: str, path: str
) -> None:
    azure.holds(kind, "one", version(ago(days=3)))
    azure.answers[f"/{kind}/one/{what}"] = lambda _asked: refused(403, "Forbidden")
    assert set(gaps(azure)) == {f"{HERE}/{path}/one"}


def test_what_was_deleted_in_between_is_a_note(azure: Azure) -> None:
    azure.answers["/secrets/api-keys/versions"] = lambda _asked: refused(404, "SecretNotFound")
    gone = "it was deleted while the store was read"
    assert Note(kind="gone", path=f"{HERE}/secret/api-keys", text=gone) in read(azure)


# What comes back


def test_a_proxy_that_answers_html_is_a_gap_and_no_empty_vault(azure: Azure) -> None:
    azure.answers["/secrets"] = lambda _asked: Answer(200, PAGE.decode())
    wanted = ("unreadable", "the answer does not come from Key Vault: is there a proxy?")
    assert gaps(azure) == {f"{HERE}/secret": wanted}


def test_a_proxy_that_answers_html_to_the_login(azure: Azure) -> None:
    azure.answers[LOGIN] = lambda _asked: Answer(200, PAGE.decode())
    assert set(gaps(azure)) == ALL


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        "null",
        "5",
        "{}",
        '{"value": 5}',
        '{"value": [5]}',
        '{"value": [{}]}',
        '{"value": [{"id": 5}]}',
        '{"value": [{"id": "x", "attributes": {"created": 1e300}}]}',
    ],
)
@pytest.mark.parametrize("path", ["/secrets", "/secrets/api-keys/versions"])
def test_answers_of_another_shape_are_gaps(azure: Azure, path: str, body: str) -> None:
    azure.answers[path] = lambda _asked: Answer(200, body)
    assert {kind for kind, _ in gaps(azure).values()} == {"unreadable"}


def test_a_version_without_a_date_is_a_gap(azure: Azure) -> None:
    ident = "https://kv-prod.vault.azure.net/secrets/api-keys/1"
    azure.answers["/secrets/api-keys/versions"] = lambda _asked: said(
        {"value": [{"id": ident, "attributes": {"enabled": True}}]}
    )
    assert set(gaps(azure)) == {f"{HERE}/secret/api-keys"}


@pytest.mark.parametrize("duration", ["soon", "", "P9999999999Y"])
def test_a_rotation_policy_with_no_such_duration_is_a_gap(azure: Azure, duration: str) -> None:
    rotate = {"trigger": {"timeAfterCreate": duration}, "action": {"type": "Rotate"}}
    policy = {"lifetimeActions": [rotate], "attributes": {}}
    azure.holds("keys", "data", version(ago(days=3)), rotationpolicy=policy)
    assert set(gaps(azure)) == {f"{HERE}/key/data"}


def test_an_error_that_is_not_known_is_told_by_its_status_alone(azure: Azure) -> None:
    azure.answers["/secrets"] = lambda _asked: refused(418, TOKEN)
    wanted = ("unreadable", "Key Vault answers with an error (HTTP 418)")
    assert gaps(azure) == {f"{HERE}/secret": wanted}


def test_names_with_odd_characters_stay_one_line_and_one_path(azure: Azure) -> None:
    azure.holds("secrets", "a b#c\x1b\n::error::%2F", version(ago(days=3)))
    paths = [one.id if isinstance(one, Record) else one.path for one in read(azure)]
    assert all(path.isascii() and path.isprintable() and " " not in path for path in paths)


@pytest.mark.parametrize("link", ["https://attacker.invalid/secrets", "https://login.example/x"])
def test_a_next_page_elsewhere_is_not_asked_for(azure: Azure, link: str) -> None:
    azure.answers["/secrets"] = lambda _asked: said({"value": [], "nextLink": link})
    assert set(gaps(azure)) == {f"{HERE}/secret"}
    assert {one.host for one in azure.asked} == {"kv-prod.vault.azure.net", LOGIN}


def test_a_redirect_is_not_followed(azure: Azure) -> None:
    headers = {"Location": "https://attacker.invalid/secrets"}
    azure.answers["/secrets"] = lambda _asked: Answer(302, "{}", headers)
    assert set(gaps(azure)) == {f"{HERE}/secret"}
    assert {one.host for one in azure.asked} == {"kv-prod.vault.azure.net", LOGIN}


# How it is reached


def test_a_vault_whose_name_does_not_resolve_is_a_gap(
    azure: Azure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked for without the proxy, which would answer for any name."""
    monkeypatch.setenv("NO_PROXY", ".vault.azure.net")
    wanted = ("unreachable", "no connection: check the vault's name, the network and the proxy")
    found = gaps(azure, vaults=["https://no-vault-is-named-so.vault.azure.net"], timeout=1)
    assert found["azure://prod/no-vault-is-named-so/secret"] == wanted


def test_a_certificate_of_another_authority_is_not_trusted(azure: Azure, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    wanted = ("unreachable", "the certificate is not trusted: does the option ca name its CA?")
    assert gaps(azure, ca=str(other), timeout=1)[f"{HERE}/secret"] == wanted


def test_a_file_of_authorities_that_is_not_there(azure: Azure, tmp_path: Path) -> None:
    found = gaps(azure, ca=str(tmp_path / "none.pem"))
    wanted = ("unreadable", "a file that the login needs cannot be read")
    assert found == dict.fromkeys(ALL, wanted)


def test_a_proxy_that_is_down_is_told_without_its_password(
    azure: Azure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{SECRET}@127.0.0.1:9")
    assert gaps(azure, timeout=1)[f"{HERE}/secret"][0] == "unreachable"


def test_a_proxy_of_the_operators_file_is_asked(
    azure: Azure, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name)
    assert gaps(azure, proxy=azure.proxy) == {}


def test_the_sdk_writes_nothing_on_standard_error() -> None:
    for name in ("azure", "msal"):
        assert any(isinstance(one, NullHandler) for one in getLogger(name).handlers)


def test_what_else_can_happen_has_words_too() -> None:
    assert explain(ServiceResponseError(TOKEN)).kind == "unreachable"
    assert explain(AzureError(TOKEN)).reason == "the request to Key Vault failed"


# How long it takes


def test_throttling_is_waited_out(azure: Azure) -> None:
    answers = iter([1, 2])

    def throttled(asked: Asked) -> Answer:
        return refused(429, "Throttled") if next(answers, 0) else azure._vault(asked)

    azure.answers["/secrets"] = throttled
    assert gaps(azure) == {}
    authorized = [one.path for one in azure.asked if "Authorization" in one.headers]
    assert authorized.count("/secrets") == 3


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "60"}])
def test_no_wait_goes_beyond_the_deadline(azure: Azure, headers: dict[str, str]) -> None:
    azure.answers["/secrets"] = lambda _asked: refused(429, "Throttled", **headers)
    start = time.monotonic()
    wanted = ("throttled", "the vault currently accepts no more requests")
    assert gaps(azure, timeout=4)[f"{HERE}/secret"] == wanted
    assert time.monotonic() - start < 4


def test_after_the_deadline_nothing_is_asked_and_all_that_was_listed_is_a_gap(
    azure: Azure,
) -> None:
    azure.holds("secrets", "two", version(ago(days=3)))

    def slow(asked: Asked) -> Answer:
        time.sleep(2.2)
        return azure._vault(asked)

    azure.answers["/secrets/api-keys/versions"] = slow
    found = {path: kind for path, (kind, _) in gaps(azure, timeout=2).items()}
    assert found[f"{HERE}/secret/two"] == "timeout"
    versions = [one.path for one in azure.asked if one.path.endswith("/versions")]
    assert versions == ["/secrets/api-keys/versions"]


# What the operator's file may say


def test_a_backend_without_vaults_is_refused(azure: Azure) -> None:
    with pytest.raises(ConfigError, match="has no vaults"):
        backend.connect(azure.settings(vaults=[]), NOW)


LOGGED_IN = {"method": "service-principal", "tenant_id": "t", "client_id": "c"}


@pytest.mark.parametrize(
    ("options", "valid"),
    [
        ({"vaults": ["https://kv-prod.vault.azure.net", "https://kv-2.vault.azure.cn/"]}, True),
        ({"vaults": ["https://kv-1.vault.usgovcloudapi.net"]}, True),
        ({"vaults": []}, False),
        ({"vaults": ["http://kv-prod.vault.azure.net"]}, False),
        ({"vaults": ["https://kv-prod.vault.azure.net.attacker.example"]}, False),
        ({"vaults": ["https://attacker.example/.vault.azure.net"]}, False),
        ({"auth": {"method": "managed-identity", "client_id": "c"}}, True),
        ({"auth": {"method": "password"}}, False),
        ({"auth": LOGGED_IN}, False),
        ({"auth": {**LOGGED_IN, "client_secret": "x"}}, True),
        ({"auth": {**LOGGED_IN, "certificate": "x.pem"}}, True),
        ({"auth": {"method": "service-principal", "client_secret": "x"}}, False),
        ({"ca": "/etc/ssl/ours.pem"}, True),
    ],
)
def test_the_schema_takes_what_can_be_used(options: dict[str, Any], valid: bool) -> None:
    schema = {"type": "object", "additionalProperties": False, "properties": backend.OPTIONS}
    jsonschema.Draft202012Validator.check_schema(schema)
    assert jsonschema.Draft202012Validator(schema).is_valid(options) is valid
