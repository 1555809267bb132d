"""What goes wrong between the audit and a cluster: it is a Gap, and the rest goes on."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from scanner.inventory.kubernetes import connect
from scanner.model import Gap, Note
from scanner.records import Record
from tests.support.kubernetes_server import (
    NOW,
    RIGHT,
    TOKEN,
    VALUE,
    Login,
    Reply,
    Request,
    Server,
    kubeconfig,
    secret,
    serving,
    settings,
)

Read = list[Record | Gap | Note]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as found:
        found.add("api/v1/secrets", secret("db"), secret("mail", "dev"))
        yield found


def read(
    server: Server, folder: Path, login: Login = RIGHT, timeout: float = 20, **options: object
) -> Read:
    asked = settings(kubeconfig=kubeconfig(server, folder, login), **options)
    found = list(connect(asked._replace(timeout=timeout), NOW).read())
    assert VALUE not in repr(found)
    assert TOKEN not in repr(found)
    return found


def ids(found: Read) -> list[str]:
    return [each.id for each in found if isinstance(each, Record)]


def gaps(found: Read) -> list[Gap]:
    return [each for each in found if isinstance(each, Gap)]


BOTH = ["k8s://eks/dev/secret/mail", "k8s://eks/prod/secret/db"]


def at_secrets(reply: Reply | None) -> Callable[[Request], Reply | None]:
    """The reply to each list of Secrets."""
    return lambda request: reply if request.path.endswith("/secrets") else None


def once(reply: Reply) -> Callable[[Request], Reply | None]:
    """The reply to the first list of Secrets alone."""
    replies = itertools.chain([reply], itertools.repeat(None))
    return lambda request: next(replies) if request.path.endswith("/secrets") else None


# The whole server.


def test_a_token_that_expired_is_one_gap(server: Server, tmp_path: Path) -> None:
    login = Login(user={"token": "expired-" + TOKEN[::-1]})
    assert read(server, tmp_path, login) == [
        Gap(
            kind="unauthenticated",
            path="k8s://eks",
            reason="HTTP 401: it does not accept the credentials: missing, wrong or expired",
        )
    ]


def test_a_token_that_no_header_can_hold_is_not_repeated(server: Server, tmp_path: Path) -> None:
    (gap,) = gaps(read(server, tmp_path, Login(user={"token": f"{TOKEN}\nX: y"})))
    assert gap.reason == "its address or the token for it is malformed"


def test_a_certificate_of_another_authority_is_not_trusted(server: Server, tmp_path: Path) -> None:
    server.ca = trustme.CA().cert_pem.bytes()
    (gap,) = gaps(read(server, tmp_path))
    assert gap.kind == "tls"
    assert "the TLS connection failed: unable to get local issuer certificate" in gap.reason
    assert not server.requests


@pytest.mark.parametrize(
    ("cluster", "reason"),
    [
        ({"server": "https://cluster.invalid:6443"}, "its name cannot be resolved"),
        ({"server": "https://127.0.0.1:{closed}"}, "no connection: Connection refused"),
        ({"server": "ftp://127.0.0.1"}, "its address or the token for it is malformed"),
        (
            {"server": "https://192.0.2.1", "proxy-url": "http://127.0.0.1:{closed}"},
            "the proxy cannot connect to it",
        ),
    ],
)
def test_a_server_that_cannot_be_reached_is_one_gap(
    server: Server, tmp_path: Path, cluster: dict[str, str], reason: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        closed = free.getsockname()[1]
    named = {key: value.format(closed=closed) for key, value in cluster.items()}
    found = read(server, tmp_path, Login(cluster=named), timeout=0.2)
    assert found == [Gap(kind="unreachable", path="k8s://eks", reason=reason)]


def test_a_file_for_tls_that_is_none_is_one_gap(server: Server, tmp_path: Path) -> None:
    server.ca = b"no certificate"
    (gap,) = gaps(read(server, tmp_path))
    assert gap.kind == "tls"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, f"<html>Please log in. {VALUE}</html>", {"Content-Type": "text/html"}),
        Reply(200, "[" * 100_000),
        Reply(200, "[]"),
        Reply(200, {"kind": "Status"}),
    ],
)
def test_what_is_no_api_server_is_one_gap(server: Server, tmp_path: Path, reply: Reply) -> None:
    server.interrupt = lambda _request: reply
    (gap,) = read(server, tmp_path)
    assert isinstance(gap, Gap)
    assert (gap.kind, gap.path) == ("unreadable", "k8s://eks")
    assert "is it an API server?" in gap.reason


def test_a_redirect_is_not_followed(server: Server, tmp_path: Path) -> None:
    with serving() as other:
        server.interrupt = lambda _request: Reply(302, "", {"Location": f"{other.address}/apis"})
        (gap,) = gaps(read(server, tmp_path))
        assert gap.kind == "redirected"
        assert not other.requests


def test_an_answer_without_end_is_not_read_to_it(server: Server, tmp_path: Path) -> None:
    server.interrupt = lambda _request: Reply(200, " " * 70_000_000)
    (gap,) = gaps(read(server, tmp_path, timeout=60))
    assert gap.reason == "the answer is over 64,000,000 bytes"


# Time.


def test_a_server_that_is_slow_is_given_up_in_time(server: Server, tmp_path: Path) -> None:
    server.interrupt = lambda _request: time.sleep(1)
    start = time.monotonic()
    (gap,) = gaps(read(server, tmp_path, timeout=0.3))
    assert time.monotonic() - start < 1
    assert (gap.kind, gap.reason) == ("timeout", "not read within 0.3 s")


def test_a_server_that_drips_is_given_up_in_time(server: Server, tmp_path: Path) -> None:
    server.interrupt = lambda _request: Reply(200, " " * 300_000, pause=0.05)
    (gap,) = gaps(read(server, tmp_path, timeout=0.5))
    assert (gap.kind, gap.reason) == ("timeout", "not read within 0.5 s")


def test_time_that_runs_out_tells_what_was_read(server: Server, tmp_path: Path) -> None:
    def slow_at_last(request: Request) -> None:
        if "type!=" in request.query.get("fieldSelector", ""):
            time.sleep(1.5)

    server.add("api/v1/secrets", secret("tls", of="kubernetes.io/tls"))
    server.interrupt = slow_at_last
    found = read(server, tmp_path, timeout=1.2)
    assert ids(found) == ["k8s://eks/prod/secret/tls"]
    (gap,) = gaps(found)
    assert gap.path == "k8s://eks"
    assert gap.reason.endswith("; 1 Secrets were read before")


def test_a_server_that_is_asked_too_often_is_given_the_time_it_asks_for(
    server: Server, tmp_path: Path
) -> None:
    server.interrupt = once(Reply(429, "", {"Retry-After": "1"}))
    start = time.monotonic()
    assert ids(read(server, tmp_path)) == BOTH
    assert time.monotonic() - start >= 1


@pytest.mark.parametrize("wait", ["3600", "99999999999999", "Tue, 24 Nov 2026 13:00:00 GMT", ""])
def test_a_server_that_asks_for_too_much_time_is_one_gap(
    server: Server, tmp_path: Path, wait: str
) -> None:
    server.interrupt = at_secrets(Reply(429, "", {"Retry-After": wait}))
    (gap,) = gaps(read(server, tmp_path, timeout=1.5))
    assert (gap.kind, gap.path) == ("throttled", "k8s://eks")
    assert gap.reason.startswith("HTTP 429: it receives too many requests")


def test_a_failure_that_passes_leaves_no_trace(server: Server, tmp_path: Path) -> None:
    server.interrupt = once(Reply(503, ""))
    found = read(server, tmp_path)
    assert (ids(found), gaps(found)) == (BOTH, [])


def test_every_third_answer_may_fail(server: Server, tmp_path: Path) -> None:
    count = itertools.count()

    def fails(_request: Request) -> Reply | None:
        match next(count) % 9:
            case 2:
                raise ConnectionResetError
            case 5:
                return Reply(500, "")
            case 8:
                return Reply(429, "", {"Retry-After": "0"})
            case _:
                return None

    server.interrupt = fails
    found = read(server, tmp_path)
    assert (ids(found), gaps(found)) == (BOTH, [])


@pytest.mark.parametrize("says", ["13:30", "11:30"])
def test_a_clock_that_differs_is_noted(server: Server, tmp_path: Path, says: str) -> None:
    server.date = f"Tue, 24 Nov 2026 {says}:00 GMT"
    notes = [each for each in read(server, tmp_path) if isinstance(each, Note)]
    assert [(note.kind, note.path) for note in notes] == [("clock", "k8s://eks")]
    assert notes[0].text == (
        f"the server's clock says 2026-11-24 {says} UTC, this machine's 2026-11-24 12:30 UTC: "
        "the dates that it wrote are corrected"
    )


@pytest.mark.parametrize("date", ["never", "Tue, 24 Nov 2026 13:30:00", "Tue, 24 Nov 99999 1:1:1"])
def test_a_clock_that_says_nothing_is_not_asked(server: Server, tmp_path: Path, date: str) -> None:
    server.date = date
    assert [type(each) for each in read(server, tmp_path)] == [Record, Record]


# One list of many.


def test_a_namespace_that_is_denied_is_a_gap_and_the_others_go_on(
    server: Server, tmp_path: Path
) -> None:
    server.denied = {("prod", "secrets")}
    found = read(server, tmp_path, namespaces=["prod", "dev"])
    assert ids(found) == ["k8s://eks/dev/secret/mail"]
    assert gaps(found) == [
        Gap(
            kind="denied",
            path="k8s://eks/prod",
            reason="HTTP 403: the auditor has no permission to list it; 0 Secrets were read before",
        )
    ]


def test_named_namespaces_are_listed_one_by_one(server: Server, tmp_path: Path) -> None:
    read(server, tmp_path, namespaces=["dev"])
    paths = {request.path for request in server.requests}
    assert paths == {
        "/apis",
        "/api/v1/namespaces/dev/pods",
        "/api/v1/namespaces/dev/secrets",
        "/apis/apps/v1/namespaces/dev/daemonsets",
        "/apis/apps/v1/namespaces/dev/deployments",
        "/apis/apps/v1/namespaces/dev/statefulsets",
        "/apis/external-secrets.io/v1/namespaces/dev/externalsecrets",
    }


def test_secrets_of_all_namespaces_that_are_denied_are_a_gap(
    server: Server, tmp_path: Path
) -> None:
    server.denied = {("", "secrets")}
    (gap,) = read(server, tmp_path)
    assert isinstance(gap, Gap)
    assert (gap.kind, gap.path) == ("denied", "k8s://eks")


@pytest.mark.parametrize(("namespaces", "place"), [([], "*"), (["prod"], "prod")])
def test_workloads_that_are_denied_are_a_gap_and_secrets_are_read(
    server: Server, tmp_path: Path, namespaces: list[str], place: str
) -> None:
    server.denied = {("", "pods"), ("prod", "pods")}
    options: dict[str, Any] = {"namespaces": namespaces} if namespaces else {}
    found = read(server, tmp_path, **options)
    assert "k8s://eks/prod/secret/db" in ids(found)
    (gap,) = gaps(found)
    assert (gap.kind, gap.path) == ("denied", f"k8s://eks/{place}/pods")


def test_a_namespace_without_secrets_is_a_gap(server: Server, tmp_path: Path) -> None:
    assert read(server, tmp_path, namespaces=["produ"]) == [
        Gap(
            kind="empty",
            path="k8s://eks/produ",
            reason="it contains no Secrets: does this namespace exist?",
        )
    ]


def test_controllers_that_are_not_installed_are_no_gap(server: Server, tmp_path: Path) -> None:
    server.groups = ["cert-manager.io/v1"]
    server.interrupt = lambda request: (
        Reply(404, "404 page not found\n") if "certificates" in request.path else None
    )
    assert not gaps(read(server, tmp_path))
    asked = {request.path for request in server.requests}
    assert "/apis/cert-manager.io/v1/certificates" in asked
    assert not [path for path in asked if "bitnami" in path]


def test_a_server_that_ignores_what_was_asked_for_gets_no_value_read(
    server: Server, tmp_path: Path
) -> None:
    body = {"kind": "SecretList", "apiVersion": "v1", "metadata": {}, "items": [secret("db")] * 99}
    server.interrupt = at_secrets(Reply(200, body))
    found = read(server, tmp_path)
    assert ids(found) == []
    (gap,) = gaps(found)
    assert gap.path == "k8s://eks"
    assert "it does not answer with metadata only; none was read" in gap.reason


def test_a_server_without_metadata_lists_is_a_gap(server: Server, tmp_path: Path) -> None:
    server.interrupt = at_secrets(Reply(406, ""))
    (gap,) = gaps(read(server, tmp_path))
    assert gap.reason.startswith("HTTP 406: it cannot answer with metadata only")


def test_a_list_that_is_none_is_a_gap(server: Server, tmp_path: Path) -> None:
    server.interrupt = lambda request: (
        Reply(200, {"kind": "Pod"}) if request.path.endswith("/pods") else None
    )
    (gap,) = gaps(read(server, tmp_path))
    assert (gap.path, gap.reason) == ("k8s://eks/*/pods", "its answer is not a list")


@pytest.mark.parametrize("token", ["\ud800", 7, ["more"]])
def test_a_list_that_goes_on_nobody_knows_how_is_a_gap(
    server: Server, tmp_path: Path, token: object
) -> None:
    page = {"kind": "PodList", "metadata": {"continue": token}, "items": []}
    server.interrupt = lambda request: Reply(200, page) if "pods" in request.path else None
    (gap,) = gaps(read(server, tmp_path))
    assert (gap.path, gap.kind) == ("k8s://eks/*/pods", "unreadable")


# Pages.


def many(server: Server) -> list[str]:
    """The ids of more Secrets than two pages hold."""
    names = [f"s{number:04}" for number in range(1203)]
    server.objects = {}
    server.add("api/v1/secrets", *(secret(name) for name in names))
    return [f"k8s://eks/prod/secret/{name}" for name in names]


@pytest.mark.parametrize("expired", [False, True])
def test_each_secret_of_many_pages_is_seen_once_even_if_the_list_expires(
    server: Server, tmp_path: Path, *, expired: bool
) -> None:
    wanted = many(server)
    server.expired = expired
    found = read(server, tmp_path)
    assert ids(found) == wanted
    assert not gaps(found)
    pages = [one.query for one in server.requests if "type!=" in one.query.get("fieldSelector", "")]
    assert len(pages) == (5 if expired else 3)
    assert {page["limit"] for page in pages} == {"500"}


def test_a_list_that_expires_for_good_is_a_gap_that_tells_how_far_it_got(
    server: Server, tmp_path: Path
) -> None:
    many(server)
    server.interrupt = lambda request: (
        Reply(410, {"kind": "Status", "metadata": {}}) if "continue" in request.query else None
    )
    found = read(server, tmp_path)
    assert len(ids(found)) == 500
    (gap,) = gaps(found)
    assert gap.kind == "expired"
    assert gap.reason.endswith("the server cannot continue it; 500 Secrets were read before")


def test_credentials_that_end_while_lists_are_read_are_one_gap(
    server: Server, tmp_path: Path
) -> None:
    server.interrupt = lambda request: Reply(401, "") if "pods" in request.path else None
    (gap,) = read(server, tmp_path)
    assert isinstance(gap, Gap)
    assert (gap.kind, gap.path) == ("unauthenticated", "k8s://eks")


# Odd objects.


@pytest.mark.parametrize(
    ("name", "ident"),
    [
        ("a/b", "k8s://eks/prod/secret/a%2Fb"),
        ("a#b?c%d", "k8s://eks/prod/secret/a%23b%3Fc%25d"),
        ("schlüssel", "k8s://eks/prod/secret/schl%C3%BCssel"),
    ],
)
def test_a_name_with_odd_characters_stays_one_segment(
    server: Server, tmp_path: Path, name: str, ident: str
) -> None:
    server.objects = {}
    server.add("api/v1/secrets", secret(name))
    assert ids(read(server, tmp_path)) == [ident]


@pytest.mark.parametrize("name", ["\x1b[2J", "\ud800", "x" * 254, "", None, 7, ["db"]])
def test_a_name_that_cannot_be_read_is_a_gap(server: Server, tmp_path: Path, name: object) -> None:
    server.objects = {}
    odd = secret("db")
    odd["metadata"]["name"] = name
    server.add("api/v1/secrets", secret("db"))
    answer = {"kind": "PartialObjectMetadataList", "metadata": {}, "items": [odd]}
    server.interrupt = once(Reply(200, answer))
    found = read(server, tmp_path)
    assert ids(found) == ["k8s://eks/prod/secret/db"]
    assert gaps(found) == [
        Gap(
            kind="unreadable",
            path="k8s://eks",
            reason="a Secret in the list has no readable name",
        )
    ]


ODD: list[Any] = [None, 7, "x", [], {}, {"metadata": []}, {"metadata": {"labels": 3}}]


def test_objects_of_no_form_at_all_end_nothing(server: Server, tmp_path: Path) -> None:
    server.groups = ["cert-manager.io/v1", "secrets.hashicorp.com/v1beta1", "bitnami.com/v1alpha1"]
    kinds = "PartialObjectMetadataList"
    server.interrupt = lambda request: (
        None if request.path == "/apis" else Reply(200, {"kind": kinds, "items": ODD})
    )
    found = read(server, tmp_path)
    assert {type(each) for each in found} == {Gap}


@pytest.mark.parametrize(
    "time",
    [
        "",
        "yesterday",
        "2026-11-24T12:00:00",
        "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00+14:00",
        5,
    ],
)
def test_a_time_that_is_none_is_unknown(server: Server, tmp_path: Path, time: object) -> None:
    server.objects = {}
    server.add("api/v1/secrets", secret("db", creationTimestamp=time, managedFields=[]))
    (found,) = read(server, tmp_path)
    assert isinstance(found, Record)
    assert found.dated is None
