"""How old Azure's secrets are: the real SDK against a stand-in for the vaults. No test may ask for
a value."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scanner.inventory import azure as backend
from scanner.model import Gap, Note
from scanner.records import Dated, Record, Rotation, Strength
from tests.support.azure_cloud import (
    IMDS,
    NOW,
    POLICIES,
    TENANT,
    Answer,
    Asked,
    Azure,
    ago,
    serving,
    version,
    watched,
)

HERE = "azure://prod/kv-prod"
FIELD = "created of the newest enabled version"
DAY = 86_400


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    with serving(tmp_path_factory.mktemp("azure")) as azure:
        yield azure


@pytest.fixture
def azure(server: Azure, monkeypatch: pytest.MonkeyPatch) -> Iterator[Azure]:
    with watched(server, monkeypatch) as azure:
        yield azure


def records(azure: Azure, **options: Any) -> dict[str, Record]:
    found = list(backend.connect(azure.settings(**options), NOW).read())
    assert not [one for one in found if isinstance(one, Gap)]
    return {one.id: one for one in found if isinstance(one, Record)}


def since(moment: datetime) -> Dated:
    return Dated(earliest=moment, latest=moment, field=FIELD)


@pytest.mark.parametrize("kind", ["secrets", "keys", "certificates"])
def test_the_end_of_the_newest_enabled_version_counts(azure: Azure, kind: str) -> None:
    old = version(ago(days=40), exp=int(ago(days=1).timestamp()))
    azure.holds(kind, "one", version(ago(days=3), exp=int(ago(days=-5).timestamp())), old)
    azure.holds(kind, "two", old)
    found = records(azure)
    path = f"{HERE}/{kind.removesuffix('s')}"
    assert found[f"{path}/one"].expires == ago(days=-5)
    assert found[f"{path}/two"].expires == ago(days=1)


def test_a_secret_is_as_old_as_its_newest_version(azure: Azure) -> None:
    azure.holds("secrets", "api-keys", version(ago(days=40)), tags={"team": "payments"})
    path = f"{HERE}/secret/api-keys"
    assert records(azure) == {
        path: Record(
            id=path, kind="key-vault-secret", dated=since(ago(days=40)), tags={"team": "payments"}
        )
    }


def test_versions_come_in_no_order_and_over_pages(azure: Azure) -> None:
    spans = [40, 3, 90, 400, 7, 200]
    azure.holds("secrets", "api-keys", *(version(ago(days=days)) for days in spans))
    assert records(azure)[f"{HERE}/secret/api-keys"].dated == since(ago(days=3))
    pages = [one for one in azure.asked if one.path == "/secrets/api-keys/versions"]
    assert len(pages) == 4


def test_a_page_without_items_does_not_end_a_list(azure: Azure) -> None:
    for number in range(5):
        azure.holds("secrets", f"api-{number}", version(ago(days=number)))
    assert len(records(azure)) == 5


def test_a_version_that_was_disabled_is_not_in_use(azure: Azure) -> None:
    newer = version(ago(days=3), enabled=False)
    azure.holds("secrets", "api-keys", version(ago(days=40)), newer)
    found = records(azure)[f"{HERE}/secret/api-keys"]
    assert found.dated == since(ago(days=40))
    assert found.superseded is None


@pytest.mark.parametrize("kind", ["secrets", "keys", "certificates"])
def test_what_has_no_enabled_version_is_not_live(azure: Azure, kind: str) -> None:
    azure.holds(kind, "old", version(ago(days=3), enabled=False))
    assert records(azure) == {}


@pytest.mark.parametrize(
    "attributes",
    [
        {"updated": int(ago(hours=1).timestamp())},
        {"nbf": int(ago(hours=1).timestamp())},
        {"exp": int(ago(days=30).timestamp())},
        {"exp": int(ago(days=-30).timestamp())},
    ],
    ids=["updated moves with edits", "nbf is written by people", "exp is past", "exp is to come"],
)
def test_only_created_says_how_old_a_version_is(
    azure: Azure, attributes: Mapping[str, int]
) -> None:
    azure.holds("secrets", "api-keys", version(ago(days=400), **attributes))
    assert records(azure)[f"{HERE}/secret/api-keys"].dated == since(ago(days=400))


@pytest.mark.parametrize(("kind", "path"), [("secrets", "secret"), ("certificates", "certificate")])
def test_an_older_version_that_is_still_enabled_is_not_revoked(
    azure: Azure, kind: str, path: str
) -> None:
    azure.holds(kind, "x", version(ago(days=40)), version(ago(days=3)))
    assert records(azure)[f"{HERE}/{path}/x"].superseded == ago(days=3)


def test_older_versions_of_a_key_stay_enabled_to_decrypt(azure: Azure) -> None:
    azure.holds("keys", "data", version(ago(days=400)), version(ago(days=3)))
    found = records(azure)[f"{HERE}/key/data"]
    assert found.dated == since(ago(days=3))
    assert found.superseded is None


def test_keys_and_secrets_of_a_certificate_are_not_counted_twice(azure: Azure) -> None:
    for kind in ("secrets", "keys"):
        azure.holds(kind, "tls", version(ago(days=9)), managed=True)
    azure.holds("certificates", "tls", version(ago(days=9)))
    path = f"{HERE}/certificate/tls"
    wanted = Record(id=path, kind="key-vault-certificate", dated=since(ago(days=9)))
    assert records(azure) == {path: wanted}


def test_a_certificate_that_is_renewed_with_its_old_key_may_be_as_old_as_any_version(
    azure: Azure,
) -> None:
    policy = POLICIES["certificates"]
    reusing = {**policy, "key_props": {**policy["key_props"], "reuse_key": True}}
    versions = [version(ago(days=days)) for days in (400, 200, 3)]
    azure.holds("certificates", "tls", *versions, policy=reusing)
    assert records(azure)[f"{HERE}/certificate/tls"].dated == Dated(
        earliest=ago(days=400), latest=ago(days=3), field=FIELD, strength=Strength.BOUND
    )


def test_a_first_certificate_has_a_new_key_whatever_its_policy(azure: Azure) -> None:
    reusing = {**POLICIES["certificates"], "key_props": {"reuse_key": True}}
    azure.holds("certificates", "tls", version(ago(days=3)), policy=reusing)
    assert records(azure)[f"{HERE}/certificate/tls"].dated == since(ago(days=3))


def rotating(trigger: Mapping[str, str], expiry: str | None = None) -> Mapping[str, Any]:
    """As in GetKeyRotationPolicy-example.json."""
    notify = {"trigger": {"timeBeforeExpiry": "P30D"}, "action": {"type": "Notify"}}
    rotate = {"trigger": trigger, "action": {"type": "Rotate"}}
    actions = [notify, rotate]
    return {**POLICIES["keys"], "lifetimeActions": actions, "attributes": {"expiryTime": expiry}}


CREATED = datetime.fromisoformat("2024-01-31T12:00:00Z")


@pytest.mark.parametrize(
    ("policy", "due"),
    [
        (rotating({"timeAfterCreate": "P90D"}, "P2Y"), "2024-04-30"),
        (rotating({"timeAfterCreate": "P18M"}), "2025-07-31"),
        (rotating({"timeBeforeExpiry": "P30D"}, "P1Y"), "2025-01-01"),
    ],
)
def test_a_rotation_policy_is_no_evidence_that_a_rotation_happened(
    azure: Azure, policy: Mapping[str, Any], due: str
) -> None:
    azure.holds("keys", "data", version(CREATED), rotationpolicy=policy)
    found = records(azure)[f"{HERE}/key/data"]
    assert found.dated == since(CREATED)
    at = datetime.fromisoformat(f"{due}T12:00:00Z")
    period = (at - CREATED) // timedelta(seconds=1)
    assert found.rotation == Rotation(period=period, due=at)


def test_a_key_that_is_only_announced_to_expire_does_not_rotate(azure: Azure) -> None:
    azure.holds("keys", "data", version(ago(days=3)))
    assert records(azure)[f"{HERE}/key/data"].rotation == Rotation(period=0)


def test_vaults_are_read_at_once(azure: Azure) -> None:
    vaults = [f"https://kv-{name}.vault.azure.net" for name in ("prod", "more")]
    meeting = threading.Barrier(6, timeout=20)

    def meets(_asked: Asked) -> Answer:
        meeting.wait()
        return Answer(200, '{"value": []}')

    azure.answers |= dict.fromkeys(("/secrets", "/keys", "/certificates"), meets)
    assert records(azure, vaults=vaults) == {}


def test_all_vaults_that_are_named_are_read(azure: Azure) -> None:
    azure.holds("secrets", "api-keys", version(ago(days=3)))
    azure.vaults["kv-other"] = azure.vaults["kv-prod"]
    vaults = ["https://kv-prod.vault.azure.net/", "https://kv-other.vault.azure.net"]
    wanted = {f"azure://prod/{name}/secret/api-keys" for name in ("kv-prod", "kv-other")}
    assert set(records(azure, vaults=vaults)) == wanted
    assert [one.path for one in azure.asked].count(f"/{TENANT}/oauth2/v2.0/token") == 1


def test_a_workload_identity_logs_in_with_its_token(
    azure: Azure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text("assertion")
    for name, value in {
        "AZURE_FEDERATED_TOKEN_FILE": str(file),
        "AZURE_TENANT_ID": TENANT,
        "AZURE_CLIENT_ID": "auditor",
    }.items():
        monkeypatch.setenv(name, value)
    azure.holds("secrets", "api-keys", version(ago(days=3)))
    assert records(azure, auth={"method": "workload-identity"})
    assert "client_assertion=assertion" in azure.login


def test_a_machine_logs_in_as_its_managed_identity(azure: Azure) -> None:
    azure.holds("secrets", "api-keys", version(ago(days=3)))
    assert records(azure, auth={"method": "managed-identity", "client_id": "auditor"})
    (asked,) = (one for one in azure.asked if one.host == IMDS)
    assert asked.query["client_id"] == ["auditor"]


def test_the_default_is_what_azures_own_tools_would_use(
    azure: Azure, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.setenv(f"AZURE_{name}", TENANT)
    settings = azure.settings()
    options = {name: value for name, value in settings.options.items() if name != "auth"}
    azure.holds("secrets", "api-keys", version(ago(days=3)))
    found = list(backend.connect(settings._replace(options=options), NOW).read())
    assert [one for one in found if isinstance(one, Record)]
    assert f"client_id={TENANT}" in azure.login


def test_that_rights_beyond_need_cannot_be_told_is_one_note(azure: Azure) -> None:
    reader = backend.connect(azure.settings(), NOW)
    (note,) = reader.read()
    assert isinstance(note, Note)
    assert (note.kind, note.path) == ("excess-unknown", "azure://prod")
    assert list(reader.excess()) == []


def test_the_roles_to_paste_name_each_vault_and_grant_no_value(azure: Azure) -> None:
    vaults = ["https://kv-prod.vault.azure.net/", "https://kv-other.vault.azure.net"]
    text = backend.permissions(azure.settings(vaults=vaults))
    assert text.count('--role "Key Vault Reader"') == 2
    assert "--name kv-other " in text
    assert "getSecret" not in text
    assert "--secret-permissions list \\" in text


def test_ages_are_right_although_this_machines_clock_is_wrong(azure: Azure) -> None:
    azure.holds("secrets", "api-keys", version(ago(days=100)))
    asked = azure.settings()
    assert asked.clock
    wrong = asked._replace(clock=asked.clock - timedelta(days=20))
    found = list(backend.connect(wrong, NOW).read())
    (record,) = (one for one in found if isinstance(one, Record))
    assert record.dated
    assert record.dated.latest
    assert abs(record.dated.latest - ago(days=120)) < timedelta(minutes=1)
    (note,) = (one for one in found if isinstance(one, Note) and one.kind == "clock-skew")
    assert note.text.startswith("this machine's clock is 17")
