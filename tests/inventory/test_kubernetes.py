"""What is read of a cluster: each date with what it proves, and who still runs on the old value."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from scanner.inventory.kubernetes import connect
from scanner.model import Gap, Note
from scanner.records import Dated, Fault, Record, Rotation, Strength, ValueMark
from tests.support.kubernetes_server import (
    NOW,
    TOKEN,
    VALUE,
    Object,
    Request,
    Server,
    encoded,
    kubeconfig,
    manifest,
    owner,
    recording,
    secret,
    serving,
    settings,
)

MADE = datetime(2026, 1, 5, 8, tzinfo=UTC)
WRITTEN = datetime(2026, 11, 20, 8, tzinfo=UTC)
ESO = "external-secrets.io/v1"
VSO = "secrets.hashicorp.com/v1beta1"
SEALED = "bitnami.com/v1alpha1"
CERTIFICATES = "cert-manager.io/v1"
CSI = "secrets-store.csi.x-k8s.io/v1"
HASH = "reconcile.external-secrets.io/data-hash"
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
Read = list[Record | Gap | Note]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as found:
        yield found


def read(
    server: Server,
    folder: Path,
    now: datetime = NOW,
    known: Mapping[str, ValueMark] = MappingProxyType({}),
) -> Read:
    server.date = format_datetime(now, usegmt=True)  # its clock is right
    asked = settings(kubeconfig=kubeconfig(server, folder))._replace(known=known)
    return list(connect(asked, now).read())


def records(found: Read) -> dict[str, Record]:
    return {each.id: each for each in found if isinstance(each, Record)}


def only(
    server: Server,
    folder: Path,
    now: datetime = NOW,
    known: Mapping[str, ValueMark] = MappingProxyType({}),
) -> Record:
    """The one Record of a server on which nothing goes wrong."""
    found = read(server, folder, now, known)
    assert not [each for each in found if isinstance(each, Gap)]
    (one,) = records(found).values()
    return one


def edited(name: str, **parts: Any) -> Object:
    """A manifest with some keys of its `spec`, `status` or `metadata` changed."""
    found = manifest(name)
    for part, changes in parts.items():
        found[part] = {**found[part], **changes}
    return found


def recorded_cluster(server: Server) -> None:
    """The objects of the recordings; of the last three in dev there are only names."""
    pages = [recording(f"secrets-dev-page{number}")["body"]["items"] for number in (1, 2)]
    rest = [secret(f"p{number}", "dev") for number in (20, 21, 22)]
    server.add("api/v1/secrets", *pages[0], *pages[1], *rest)
    server.add("api/v1/secrets", *recording("secrets-prod")["body"]["items"])
    path = "apis/external-secrets.io/v1/externalsecrets"
    server.add(path, *recording("externalsecrets")["body"]["items"])


@pytest.mark.parametrize(
    ("name", "accept"),
    [
        ("apis", ""),
        ("secrets-dev-page1", ""),
        ("secrets-dev-page2", ""),
        ("secrets-prod", ""),
        ("secrets-all-partial", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"),
        ("externalsecrets", ""),
        ("forbidden", ""),
        ("unauthorized", ""),
        ("nocrd", ""),
        ("expired-continue-410", ""),
    ],
)
def test_the_server_of_these_tests_answers_as_a_real_one_did(
    server: Server, name: str, accept: str
) -> None:
    recorded_cluster(server)
    server.denied = {("prod", "secrets")} if name == "forbidden" else set()
    server.expired = name == "expired-continue-410"
    was = recording(name)
    path, _, query = was["request"]["path"].partition("?")
    asked = dict(pair.split("=", 1) for pair in query.split("&") if pair)
    request = Request("GET", path, asked, accept, {})
    answer = server.answer(request, "" if name == "unauthorized" else f"Bearer {TOKEN}")
    assert answer.status == was["status"]
    assert answer.body == was["body"]
    if isinstance(answer.body, dict):
        assert list(answer.body) == list(was["body"])


def test_the_cluster_of_the_recordings(server: Server, tmp_path: Path) -> None:
    recorded_cluster(server)
    found = read(server, tmp_path)
    assert not [each for each in found if not isinstance(each, Record)]
    by_id = records(found)
    assert len(by_id) == 27
    at = datetime(2026, 11, 24, 12, 0, 29, tzinfo=UTC)
    db = by_id["k8s://eks/prod/secret/db"]
    assert db.keys == ("password",)
    assert db.dated == Dated(
        earliest=at,
        latest=at + timedelta(seconds=4),
        field="metadata.creationTimestamp, metadata.managedFields[f:data].time",
        strength=Strength.BOUND,
    )
    refresh = datetime(2026, 11, 24, 10, tzinfo=UTC)
    assert db.rotation == Rotation(period=3600, due=refresh + timedelta(hours=1))
    assert by_id["k8s://eks/prod/secret/tls"].kind == "tls"
    assert by_id["k8s://eks/prod/secret/tls"].keys == ("tls.crt", "tls.key")
    assert by_id["k8s://eks/prod/secret/reg"].kind == "secret"
    token = by_id["k8s://eks/prod/secret/auditor-token"]
    assert token.kind == "service-account-token"
    assert token.keys is None


# The traps of Kubernetes, one by one.


def test_creation_bounds_the_age_from_above(server: Server, tmp_path: Path) -> None:
    server.add("api/v1/secrets", secret("db", managedFields=[]))
    assert only(server, tmp_path).dated == Dated(
        earliest=MADE, latest=None, field="metadata.creationTimestamp", strength=Strength.BOUND
    )


def test_the_owner_of_the_data_bounds_the_age_from_below(server: Server, tmp_path: Path) -> None:
    server.add("api/v1/secrets", secret("db", creationTimestamp=None))
    assert only(server, tmp_path).dated == Dated(
        earliest=None,
        latest=WRITTEN,
        field="metadata.managedFields[f:data].time",
        strength=Strength.BOUND,
    )


def test_of_several_owners_of_data_the_last_counts_and_others_do_not(
    server: Server, tmp_path: Path
) -> None:
    owners = [
        owner("f:data", "2026-03-01T00:00:00Z", "user"),
        owner("f:stringData", "2026-06-01T00:00:00Z", "password"),
        owner("f:metadata", "2026-11-01T00:00:00Z", "labels"),
        {"manager": "left", "time": "2026-11-02T00:00:00Z", "fieldsV1": {"f:data": {}}},
    ]
    server.add("api/v1/secrets", secret("db", managedFields=owners))
    found = only(server, tmp_path)
    assert found.dated
    assert found.dated.latest == datetime(2026, 6, 1, tzinfo=UTC)
    assert found.keys == ("password", "user")


def test_a_sync_of_external_secrets_is_no_rotation(server: Server, tmp_path: Path) -> None:
    server.add("api/v1/secrets", secret("db"))
    server.add(f"apis/{ESO}/externalsecrets", *recording("externalsecrets")["body"]["items"])
    found = only(server, tmp_path)
    assert found.dated
    assert (found.dated.earliest, found.dated.latest) == (MADE, WRITTEN)
    assert not found.faults


def test_a_hash_that_two_runs_saw_dates_a_rotation_between_them(
    server: Server, tmp_path: Path
) -> None:
    server.add("api/v1/secrets", secret("db", annotations={HASH: "one"}))
    day = timedelta(days=1)
    first = only(server, tmp_path, NOW - 3 * day)
    again = only(server, tmp_path, NOW - 2 * day, known=value_marks(first))
    assert again.value_mark == ValueMark(
        mark=mark(first), after=None, by=NOW - 3 * day, last=NOW - 2 * day
    )
    metadata = server.objects["api/v1/secrets"][0]["metadata"]
    metadata["annotations"][HASH] = "two"
    metadata["managedFields"] = [owner("f:data", "2026-11-24T11:00:00Z", "password")]
    then = only(server, tmp_path, NOW - day, known=value_marks(again))
    last = only(server, tmp_path, NOW, known=value_marks(then))
    assert mark(last) != mark(first)
    assert last.value_mark == ValueMark(
        mark=mark(last), after=NOW - 2 * day, by=NOW - day, last=NOW
    )
    assert last.dated
    assert (last.dated.earliest, last.dated.latest) == (NOW - 2 * day, NOW - day)
    assert last.dated.strength is Strength.BOUND


def test_what_is_kept_of_a_hash_confirms_no_guess_of_the_value(
    server: Server, tmp_path: Path
) -> None:
    server.add("api/v1/secrets", secret("db", annotations={HASH: "3013839b15f8dcff348bbaf62d71"}))
    assert re.fullmatch(r"28-[0-9a-f]{4}", mark(only(server, tmp_path)))


def test_a_hash_that_is_made_in_another_way_is_no_rotation(server: Server, tmp_path: Path) -> None:
    server.add("api/v1/secrets", secret("db", annotations={HASH: "0" * 32}))
    first = only(server, tmp_path, NOW - timedelta(days=1))
    server.objects["api/v1/secrets"][0]["metadata"]["annotations"][HASH] = "0" * 56
    found = only(server, tmp_path, known=value_marks(first))
    assert found.value_mark == ValueMark(mark=mark(found), after=None, by=NOW, last=NOW)


def test_a_state_from_the_future_is_not_believed(server: Server, tmp_path: Path) -> None:
    server.add("api/v1/secrets", secret("db", annotations={HASH: "one"}))
    later = only(server, tmp_path, NOW + timedelta(days=1))
    found = only(server, tmp_path, NOW, known=value_marks(later))
    assert found.value_mark == ValueMark(mark=mark(found), after=None, by=NOW, last=NOW)


def value_marks(found: Record) -> dict[str, ValueMark]:
    return {found.id: found.value_mark} if found.value_mark else {}


def mark(found: Record) -> str:
    assert found.value_mark
    return found.value_mark.mark


def test_a_period_without_end_has_no_next_time(server: Server, tmp_path: Path) -> None:
    server.groups = [VSO]
    server.add("api/v1/secrets", secret("db"))
    role = {"lastVaultRotation": 1_795_348_800, "rotationPeriod": 10**18}
    source = edited("vaultdynamicsecret", status={"staticCredsMetaData": role})
    server.add(f"apis/{VSO}/vaultdynamicsecrets", source)
    assert only(server, tmp_path).rotation == Rotation(period=10**18, due=None)


@pytest.mark.parametrize(
    ("spec", "period"),
    [
        ({"refreshInterval": "1h30m0s"}, 5400),
        ({"refreshInterval": "0"}, 0),
        ({"refreshPolicy": "CreatedOnce"}, 0),
        ({"refreshPolicy": "OnChange"}, 0),
    ],
)
def test_an_external_secret_that_is_fetched_once_never_rotates(
    server: Server, tmp_path: Path, spec: Object, period: int
) -> None:
    (source,) = recording("externalsecrets")["body"]["items"]
    source["spec"] |= spec
    server.add("api/v1/secrets", secret("db"))
    server.add(f"apis/{ESO}/externalsecrets", source)
    rotation = only(server, tmp_path).rotation
    assert rotation
    assert rotation.period == period


def test_a_static_role_of_the_vault_operator_is_dated_by_its_rotation(
    server: Server, tmp_path: Path
) -> None:
    server.groups = [VSO]
    server.add("api/v1/secrets", secret("db"))
    server.add(f"apis/{VSO}/vaultdynamicsecrets", manifest("vaultdynamicsecret"))
    found = only(server, tmp_path)
    at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    field = "VaultDynamicSecret status.staticCredsMetaData.lastVaultRotation"
    assert found.dated == Dated(earliest=at, latest=at, field=field)
    assert found.rotation == Rotation(period=3 * 86_400, due=at + timedelta(days=3))
    assert not found.never


@pytest.mark.parametrize("last", [0, -1, 10**18, "2026-11-22T12:00:00Z", None])
def test_a_static_role_without_a_rotation_was_never_rotated(
    server: Server, tmp_path: Path, last: object
) -> None:
    server.groups = [VSO]
    server.add("api/v1/secrets", secret("db"))
    never = {"lastVaultRotation": last, "rotationPeriod": 86_400, "ttl": 0}
    source = edited("vaultdynamicsecret", status={"staticCredsMetaData": never})
    server.add(f"apis/{VSO}/vaultdynamicsecrets", source)
    found = only(server, tmp_path)
    assert found.never
    assert found.rotation is None


def test_a_renewed_lease_is_no_new_value_and_a_new_lease_is(server: Server, tmp_path: Path) -> None:
    server.groups = [VSO]
    server.add("api/v1/secrets", secret("db"))
    source = leased("database/creds/app/one", renewed=1_795_521_600)
    server.add(f"apis/{VSO}/vaultdynamicsecrets", source)
    first = only(server, tmp_path, NOW - timedelta(days=1))
    assert first.dated
    assert (first.dated.earliest, first.dated.strength) == (MADE, Strength.BOUND)
    kept = server.objects[f"apis/{VSO}/vaultdynamicsecrets"]
    kept[0] = leased("database/creds/app/one", renewed=1_795_525_200)
    assert mark(only(server, tmp_path)) == mark(first)
    kept[0] = leased("database/creds/app/two", renewed=1_795_525_200)
    assert mark(only(server, tmp_path)) != mark(first)


def leased(ident: str, renewed: int) -> Object:
    lease = {"id": ident, "duration": 3600, "renewable": True, "requestID": "r"}
    return edited(
        "vaultdynamicsecret",
        spec={"allowStaticCreds": False},
        status={"secretLease": lease, "lastRenewalTime": renewed, "secretMAC": ""},
    )


def test_a_token_of_a_service_account_is_a_fault_with_its_last_use(
    server: Server, tmp_path: Path
) -> None:
    labels = {
        "kubernetes.io/legacy-token-last-used": "2026-11-23",
        "kubernetes.io/legacy-token-invalid-since": "2026-11-24",
    }
    annotations = {"kubernetes.io/service-account.name": "auditor"}
    kind = "kubernetes.io/service-account-token"
    server.add("api/v1/secrets", secret("t", of=kind, labels=labels, annotations=annotations))
    (fault,) = only(server, tmp_path).faults
    assert fault == Fault(
        rule="legacy-service-account-token",
        detail="a token of the service account auditor that never expires, "
        "last used on 2026-11-23, invalid since 2026-11-24",
    )


def test_a_token_that_nobody_used_says_so(server: Server, tmp_path: Path) -> None:
    server.add("api/v1/secrets", secret("t", of="kubernetes.io/service-account-token"))
    (fault,) = only(server, tmp_path).faults
    assert fault.detail.endswith("(not named) that never expires, with no recorded use")


def test_a_certificate_dates_the_key_that_is_made_with_it(server: Server, tmp_path: Path) -> None:
    found = only_with_certificate(server, tmp_path, "Always")
    at, due = (datetime(2026, *day, 12, tzinfo=UTC) for day in ((10, 25), (12, 24)))
    assert found.dated == Dated(earliest=at, latest=at, field="Certificate status.notBefore")
    assert found.rotation == Rotation(period=60 * 86_400, due=due)
    assert not found.faults


def test_a_certificate_says_little_of_a_key_that_may_be_kept(
    server: Server, tmp_path: Path
) -> None:
    dated = only_with_certificate(server, tmp_path, "").dated
    assert dated
    assert dated.strength is Strength.WEAK


def test_a_renewed_certificate_over_a_kept_key_is_no_rotation(
    server: Server, tmp_path: Path
) -> None:
    found = only_with_certificate(server, tmp_path, "Never")
    assert found.dated
    assert (found.dated.earliest, found.dated.strength) == (MADE, Strength.BOUND)
    assert found.rotation == Rotation(period=0)


def test_a_certificate_that_expired_is_a_fault(server: Server, tmp_path: Path) -> None:
    found = only_with_certificate(server, tmp_path, "Always", notAfter="2026-11-23T12:00:00Z")
    assert found.faults == (
        Fault(rule="secret-sync-failing", detail="Certificate web: it expired on 2026-11-23"),
    )
    assert found.expires == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert found.expiry_unknown == ""


def test_a_certificate_that_was_not_issued_yet_dates_nothing(
    server: Server, tmp_path: Path
) -> None:
    found = only_with_certificate(server, tmp_path, "Always", notBefore=None, renewalTime=None)
    assert found.rotation is None
    assert found.dated
    assert found.dated.strength is Strength.BOUND


def only_with_certificate(server: Server, folder: Path, policy: str, **status: Any) -> Record:
    server.groups = [CERTIFICATES]
    key = {"algorithm": "ECDSA", **({"rotationPolicy": policy} if policy else {})}
    source = edited("certificate", spec={"privateKey": key}, status=status)
    server.add(f"apis/{CERTIFICATES}/certificates", source)
    server.add("api/v1/secrets", secret("tls", of="kubernetes.io/tls"))
    return only(server, folder)


def test_a_tls_secret_without_a_certificate_has_bounds_alone(
    server: Server, tmp_path: Path
) -> None:
    server.groups = [CERTIFICATES]
    server.add("api/v1/secrets", secret("tls", of="kubernetes.io/tls"))
    found = only(server, tmp_path)
    assert found.dated
    assert found.dated.strength is Strength.BOUND
    assert not [one for one in server.requests if "/secrets/" in one.path]


def test_a_secret_with_no_time_at_all_says_why(server: Server, tmp_path: Path) -> None:
    server.add("api/v1/secrets", secret("db", creationTimestamp=None, managedFields=None))
    found = only(server, tmp_path)
    assert found.dated is None
    assert "neither when it was created" in found.undated


def test_values_in_the_annotation_of_kubectl_are_a_fault_and_dropped(
    server: Server, tmp_path: Path
) -> None:
    applied = f'{{"apiVersion":"v1","data":{{"password":"{VALUE}"}},"kind":"Secret"}}'
    server.add("api/v1/secrets", secret("db", annotations={APPLIED: applied}))
    found = only(server, tmp_path)
    assert [fault.rule for fault in found.faults] == ["secret-in-annotation"]
    assert VALUE not in repr(found)


def test_an_annotation_of_kubectl_without_values_is_no_fault(
    server: Server, tmp_path: Path
) -> None:
    applied = '{"apiVersion":"v1","kind":"Secret","type":"kubernetes.io/service-account-token"}'
    server.add("api/v1/secrets", secret("db", annotations={APPLIED: applied}))
    assert not only(server, tmp_path).faults


def test_secrets_are_asked_for_as_metadata_alone(server: Server, tmp_path: Path) -> None:
    recorded_cluster(server)
    read(server, tmp_path)
    asked = [one for one in server.requests if one.path.endswith("/secrets")]
    assert asked
    assert {one.accept for one in asked} == {
        "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    }
    assert {one.method for one in server.requests} == {"GET"}


def test_no_value_gets_into_anything(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    server.groups = [VSO, SEALED]
    pod = manifest("pod")
    pod["spec"]["containers"][0]["env"].append({"name": "KEY", "value": VALUE})
    applied = f'{{"data":{{"password":"{VALUE}"}}}}'
    server.add("api/v1/pods", pod)
    server.add("api/v1/secrets", secret("api-keys", annotations={APPLIED: applied, "x": VALUE}))
    sealed = edited("sealedsecret", spec={"encryptedData": {"password": VALUE}})
    server.add(f"apis/{SEALED}/sealedsecrets", sealed)
    templates = {"templates": {"x": {"text": VALUE}}}
    destination = {"name": "api-keys", "transformation": templates}
    source = edited("vaultstaticsecret", spec={"destination": destination})
    server.add(f"apis/{VSO}/vaultstaticsecrets", source)
    found = read(server, tmp_path)
    assert len(records(found)) == 1
    said = repr(found) + caplog.text + "".join(capfd.readouterr())
    assert VALUE not in said
    assert TOKEN not in said


def consumers(
    server: Server, folder: Path, secret_name: str = "db", **more: Any
) -> tuple[str, ...]:
    """Who runs on the old value of a Secret that the Vault operator changed on 22 November."""
    server.groups = [VSO]
    server.add("api/v1/secrets", secret(secret_name, **more))
    source = edited("vaultdynamicsecret", spec={"destination": {"name": secret_name}})
    server.add(f"apis/{VSO}/vaultdynamicsecrets", source)
    return only(server, folder).stale


@pytest.mark.parametrize("name", ["db", "api-keys", "smtp"])
def test_variables_and_sub_paths_keep_the_old_value_until_a_restart(
    server: Server, tmp_path: Path, name: str
) -> None:
    server.add("api/v1/pods", manifest("pod"))
    assert consumers(server, tmp_path, name) == (
        "deployment/web, running since 2026-11-20 08:00 UTC",
    )


def test_a_volume_follows_the_secret(server: Server, tmp_path: Path) -> None:
    server.add("api/v1/pods", manifest("pod"))
    assert consumers(server, tmp_path, "tls") == ()


def test_a_container_that_started_after_the_change_has_the_new_value(
    server: Server, tmp_path: Path
) -> None:
    server.add("api/v1/pods", running("2026-11-22T12:00:01Z"))
    assert consumers(server, tmp_path) == ()


def running(since: str, name: str = "web") -> Object:
    pod = manifest("pod")
    state = {"running": {"startedAt": since}}
    pod["metadata"]["name"] += since.lower()
    pod["status"] = {"containerStatuses": [{"name": name, "state": state}]}
    return pod


def test_of_many_pods_of_a_workload_the_oldest_is_named(server: Server, tmp_path: Path) -> None:
    times = ("2026-11-21T08:00:00Z", "2026-11-19T08:00:00Z", "2026-11-20T08:00:00Z")
    server.add("api/v1/pods", *(running(time) for time in times))
    assert consumers(server, tmp_path) == ("deployment/web, running since 2026-11-19 08:00 UTC",)


def test_a_container_that_does_not_run_is_no_consumer(server: Server, tmp_path: Path) -> None:
    pod = edited("pod", status={"containerStatuses": [{"name": "web", "state": {"waiting": {}}}]})
    server.add("api/v1/pods", pod)
    assert consumers(server, tmp_path) == ()


def test_a_sidecar_is_a_consumer_too(server: Server, tmp_path: Path) -> None:
    pod = running("2026-11-20T08:00:00Z", name="side")
    side = {"name": "side", "restartPolicy": "Always", "envFrom": [{"secretRef": {"name": "db"}}]}
    pod["spec"]["initContainers"] = [side]
    pod["status"] = {"initContainerStatuses": pod["status"]["containerStatuses"]}
    server.add("api/v1/pods", pod)
    assert consumers(server, tmp_path) == ("deployment/web, running since 2026-11-20 08:00 UTC",)


@pytest.mark.parametrize(
    ("owners", "workload"),
    [
        ([], "pod/web-6d4b75cb6d-x2x7q"),
        ([{"kind": "Node", "name": "a"}], "pod/web-6d4b75cb6d-x2x7q"),
        ([{"kind": "StatefulSet", "name": "db", "controller": True}], "statefulset/db"),
        ([{"kind": "ReplicaSet", "name": "alone", "controller": True}], "replicaset/alone"),
    ],
)
def test_a_consumer_is_named_by_what_would_be_restarted(
    server: Server, tmp_path: Path, owners: list[Object], workload: str
) -> None:
    server.add("api/v1/pods", edited("pod", metadata={"ownerReferences": owners}))
    assert consumers(server, tmp_path) == (f"{workload}, running since 2026-11-20 08:00 UTC",)


def mounted(pod: str, version: str, since: str, of: str = "web-db") -> Object:
    """What the CSI driver says of one pod."""
    status = {"podName": pod, "secretProviderClassName": of}
    metadata: Object = {"name": f"{pod}-{of}", "creationTimestamp": "2026-11-01T08:00:00Z"}
    metadata["managedFields"] = [{"time": since}] if since else None
    objects = [{"id": "password", "version": version}]
    parts = {"status": {**status, "objects": objects}, "metadata": metadata}
    return edited("secretproviderclasspodstatus", **parts)


def csi_pod(name: str, workload: str) -> Object:
    pod = manifest("pod")
    pod["metadata"] |= {"name": name}
    pod["metadata"]["ownerReferences"] = [
        {"kind": "StatefulSet", "name": workload, "controller": True}
    ]
    csi = {"driver": "secrets-store.csi.k8s.io", "readOnly": True}
    pod["spec"]["volumes"] = [{"name": "db", "csi": csi}]
    return pod


def mounting(server: Server, *statuses: Object, synced: bool = True) -> None:
    """Pods a-0 and b-0 with what they mount by the class web-db, which writes the Secret db."""
    server.groups = [CSI]
    server.add("api/v1/pods", csi_pod("a-0", "a"), csi_pod("b-0", "b"))
    written: Object = {} if synced else {"secretObjects": []}
    one = edited("secretproviderclass", spec=written)
    server.add(f"apis/{CSI}/secretproviderclasses", one)
    server.add(f"apis/{CSI}/secretproviderclasspodstatuses", *statuses)
    server.add("api/v1/secrets", secret("db"))


EARLY, LATE = "2026-11-20T08:00:00Z", "2026-11-22T08:00:00Z"
BEHIND = "statefulset/a, with an older version of web-db since 2026-11-20 08:00 UTC"


def test_a_workload_that_has_an_older_version_mounted_than_another_is_stale(
    server: Server, tmp_path: Path
) -> None:
    mounting(server, mounted("b-0", "two", LATE), mounted("a-0", "one", EARLY))
    assert only(server, tmp_path).stale == (BEHIND,)


@pytest.mark.parametrize(
    "statuses",
    [
        [mounted("a-0", "one", EARLY), mounted("b-0", "one", LATE)],  # a new pod, no new version
        [mounted("a-0", "two", LATE), mounted("b-0", "two", EARLY)],  # the driver followed
        [mounted("gone-0", "one", EARLY), mounted("b-0", "two", LATE)],
        [mounted("a-0", "one", EARLY, of="other"), mounted("b-0", "two", LATE)],
        [mounted("a-0", "one", EARLY)],
        [],
    ],
)
def test_mounts_of_one_version_are_not_stale(
    server: Server, tmp_path: Path, statuses: list[Object]
) -> None:
    mounting(server, *statuses)
    assert only(server, tmp_path).stale == ()


def test_an_older_mount_of_a_class_that_writes_no_secret_is_noted(
    server: Server, tmp_path: Path
) -> None:
    statuses = [mounted("a-0", "one", EARLY), mounted("b-0", "two", LATE)]
    mounting(server, *statuses, synced=False)
    noted = [each for each in read(server, tmp_path) if isinstance(each, Note)]
    path = "k8s://eks/prod/secretproviderclass/web-db"
    assert noted == [Note(kind="consumer-on-old-value", path=path, text=BEHIND)]


def test_a_mount_without_any_time_is_left_out(server: Server, tmp_path: Path) -> None:
    timeless = mounted("a-0", "one", "")
    timeless["metadata"]["creationTimestamp"] = None
    mounting(server, timeless, mounted("b-0", "two", LATE))
    assert only(server, tmp_path).stale == ()


def pki(server: Server, folder: Path, now: datetime = NOW, **parts: Any) -> Record:
    server.groups = [VSO]
    server.add(f"apis/{VSO}/vaultpkisecrets", edited("vaultpkisecret", **parts))
    server.add("api/v1/secrets", secret("web-tls", of="kubernetes.io/tls"))
    return only(server, folder, now)


def test_a_certificate_that_vault_issued_rotates_by_its_lifetime_and_offset(
    server: Server, tmp_path: Path
) -> None:
    found = pki(server, tmp_path)
    due = datetime(2026, 12, 16, 12, tzinfo=UTC)
    assert found.rotation == Rotation(period=600 * 3600, due=due)
    assert found.value_mark
    assert found.faults == ()


@pytest.mark.parametrize(
    ("spec", "rotation"),
    [({"expiryOffset": ""}, Rotation(period=0)), ({"ttl": ""}, None), ({"ttl": "1h"}, None)],
)
def test_a_certificate_without_an_offset_is_never_renewed(
    server: Server, tmp_path: Path, spec: Object, rotation: Rotation | None
) -> None:
    assert pki(server, tmp_path, spec=spec).rotation == rotation


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({"expiration": 1_700_000_000}, "it expired on 2023-11-14"),
        ({"valid": False, "error": "InvalidConfiguration"}, "not valid (InvalidConfiguration)"),
        ({"valid": False, "error": "free text"}, "not valid (no reason given)"),
    ],
)
def test_a_certificate_that_is_not_renewed_is_a_fault(
    server: Server, tmp_path: Path, status: Object, said: str
) -> None:
    (fault,) = pki(server, tmp_path, status=status).faults
    assert (fault.rule, said in fault.detail) == ("secret-sync-failing", True)


def test_a_change_that_two_runs_saw_makes_consumers_stale(server: Server, tmp_path: Path) -> None:
    server.add("api/v1/pods", manifest("pod"))
    server.add("api/v1/secrets", secret("db", annotations={HASH: "one"}))
    first = only(server, tmp_path, NOW - timedelta(days=2))
    assert first.stale == ()
    server.objects["api/v1/secrets"][0]["metadata"]["annotations"][HASH] = "two"
    second = only(server, tmp_path, known=value_marks(first))
    assert second.stale == ("deployment/web, running since 2026-11-20 08:00 UTC",)


def test_a_start_between_the_two_runs_proves_nothing(server: Server, tmp_path: Path) -> None:
    server.add("api/v1/pods", running("2026-11-23T08:00:00Z"))
    server.add("api/v1/secrets", secret("db", annotations={HASH: "one"}))
    first = only(server, tmp_path, NOW - timedelta(days=2))
    server.objects["api/v1/secrets"][0]["metadata"]["annotations"][HASH] = "two"
    assert only(server, tmp_path, known=value_marks(first)).stale == ()


RELOADED = (
    "deployment/web, running since 2026-11-20 08:00 UTC, although Reloader should have restarted it"
)


@pytest.mark.parametrize(
    ("of_workload", "of_secret", "reloaded"),
    [
        ({"auto": "true"}, {}, True),
        ({"auto": "false"}, {}, False),
        ({"auto": "true"}, {"ignore": "true"}, False),
        ({"search": "true"}, {"match": "true"}, True),
        ({"search": "true"}, {}, False),
    ],
)
def test_reloader_is_named_where_it_was_to_restart_the_workload(
    server: Server, tmp_path: Path, of_workload: Object, of_secret: Object, *, reloaded: bool
) -> None:
    server.add("api/v1/pods", manifest("pod"))
    asked = {f"reloader.stakater.com/{key}": value for key, value in of_workload.items()}
    workload = edited("deployment", metadata={"annotations": asked})
    server.add("apis/apps/v1/deployments", workload)
    told = {f"reloader.stakater.com/{key}": value for key, value in of_secret.items()}
    (stale,) = consumers(server, tmp_path, annotations=told)
    assert (stale == RELOADED) == reloaded


@pytest.mark.parametrize("kind", ["reload", "auto"])
def test_reloader_may_be_asked_for_named_secrets_by_the_pods(
    server: Server, tmp_path: Path, kind: str
) -> None:
    value = "other, db" if kind == "reload" else "true"
    annotations = {f"secret.reloader.stakater.com/{kind}": value}
    server.add("api/v1/pods", edited("pod", metadata={"annotations": annotations}))
    assert consumers(server, tmp_path) == (RELOADED,)


def test_the_vault_operator_is_named_where_it_was_to_restart_the_workload(
    server: Server, tmp_path: Path
) -> None:
    server.groups = [VSO]
    server.add("api/v1/pods", manifest("pod"))
    server.add("api/v1/secrets", secret("api-keys"))
    kept = f"apis/{VSO}/vaultstaticsecrets"
    server.add(kept, manifest("vaultstaticsecret"))
    first = only(server, tmp_path, NOW - timedelta(days=2))
    server.objects[kept] = [
        edited("vaultstaticsecret", status={"secretMAC": encoded("replaced value")})
    ]
    (stale,) = only(server, tmp_path, known=value_marks(first)).stale
    assert stale.endswith("although its controller should have restarted it")


# What controllers could not do, and Secrets of other kinds.


@pytest.mark.parametrize(
    ("name", "path", "target"),
    [
        ("sealedsecret", f"apis/{SEALED}/sealedsecrets", "smtp"),
        ("vaultstaticsecret", f"apis/{VSO}/vaultstaticsecrets", "api-keys"),
        ("certificate", f"apis/{CERTIFICATES}/certificates", "tls"),
    ],
)
def test_a_controller_that_fails_is_a_fault_without_its_message(
    server: Server, tmp_path: Path, name: str, path: str, target: str
) -> None:
    condition = {"type": "Synced", "status": "False", "reason": "InvalidPath", "message": VALUE}
    harmless = {"type": "Issuing", "status": "False", "reason": "Done"}
    server.groups = [SEALED, VSO, CERTIFICATES]
    server.add(path, edited(name, status={"conditions": [harmless, condition]}))
    server.add("api/v1/secrets", secret(target))
    (fault,) = only(server, tmp_path).faults
    assert fault.rule == "secret-sync-failing"
    assert fault.detail.endswith("Synced is false (InvalidPath)")


@pytest.mark.parametrize("reason", [None, "", "Issuing; rm -rf /", "x" * 65])
def test_a_reason_that_is_no_word_is_not_repeated(
    server: Server, tmp_path: Path, reason: str | None
) -> None:
    server.groups = [SEALED]
    condition = {"type": "Synced", "status": "False", "reason": reason}
    source = edited("sealedsecret", status={"conditions": [condition]})
    server.add(f"apis/{SEALED}/sealedsecrets", source)
    server.add("api/v1/secrets", secret("smtp"))
    (fault,) = only(server, tmp_path).faults
    assert fault.detail == "SealedSecret smtp: Synced is false (no reason given)"


def test_a_secret_that_a_controller_has_not_written_is_noted(
    server: Server, tmp_path: Path
) -> None:
    server.groups = [SEALED]
    server.add(f"apis/{SEALED}/sealedsecrets", manifest("sealedsecret"))
    assert read(server, tmp_path) == [
        Note(
            kind="unwritten",
            path="k8s://eks/prod/secret/smtp",
            text="SealedSecret smtp should create it, but it does not exist",
        )
    ]


def test_releases_of_helm_are_counted_and_are_no_secrets(server: Server, tmp_path: Path) -> None:
    for number in (1, 2):
        name = f"sh.helm.release.v1.web.v{number}"
        server.add("api/v1/secrets", secret(name, of="helm.sh/release.v1"))
    assert read(server, tmp_path) == [
        Note(
            kind="helm-releases",
            path="k8s://eks",
            text="2 Secrets contain Helm releases with the values given to Helm",
        )
    ]


@pytest.mark.parametrize("older", [(), ("2026-01-05",), ("2025-11-05", "2026-01-05")])
def test_of_the_sealing_keys_the_newest_is_judged(
    server: Server, tmp_path: Path, older: tuple[str, ...]
) -> None:
    label = {"sealedsecrets.bitnami.com/sealed-secrets-key": "active"}
    for day in ("2026-11-05", *older):
        made: Object = {"labels": label, "creationTimestamp": f"{day}T08:00:00Z"}
        server.add("api/v1/secrets", secret(f"key-{day}", of="kubernetes.io/tls", **made))
    found, *notes = read(server, tmp_path)
    assert isinstance(found, Record)
    assert (found.id, found.kind) == ("k8s://eks/prod/secret/key-2026-11-05", "sealing-key")
    told = f"{len(older)} older sealing keys only decrypt older sealed secrets"
    note = Note(kind="superseded", path="k8s://eks/prod/secret", text=told)
    assert notes == ([note] if older else [])


def test_a_bootstrap_token_is_a_secret_of_its_own_kind(server: Server, tmp_path: Path) -> None:
    server.add(
        "api/v1/secrets", secret("bootstrap-token-abcdef", of="bootstrap.kubernetes.io/token")
    )
    assert only(server, tmp_path).kind == "bootstrap-token"


def test_labels_are_tags(server: Server, tmp_path: Path) -> None:
    labels = {"team": "payments", "data": "kept", "odd": "\x1b[31m", "x" * 300: "long"}
    server.add("api/v1/secrets", secret("db", labels=labels))
    assert only(server, tmp_path).tags == {"team": "payments", "data": "kept", "odd": ""}
