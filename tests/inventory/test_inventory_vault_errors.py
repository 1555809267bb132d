"""What goes wrong between here and a Vault: each is a plain Gap, and the rest is read."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import urllib3

from scanner.inventory import http
from scanner.inventory.threads import NAME
from scanner.model import Gap, Note
from scanner.records import Record
from tests.support.http_answers import Answering, Reply, Request, said, serving
from tests.support.openbao import Bao, wait
from tests.support.vaults import Item, backend, date_of, gaps, notes, records, settings, the_record

TOKEN = "s.made-up-token-of-these-tests"
HEALTH = {"initialized": True, "sealed": False, "standby": False, "version": "1.20.0"}
KV = {"path": "app/", "type": "kv", "options": {"version": "2"}}
HTML = Reply(200, b"<html>Log in to the proxy</html>", {"Content-Type": "text/html"})
VERSION = {"created_time": "2026-11-01T00:00:00Z", "deletion_time": "", "destroyed": False}
SECRET = {
    "current_version": 1,
    "oldest_version": 0,
    "versions": {"1": VERSION},
    "custom_metadata": None,
}


def answers(paths: dict[str, Any]) -> Answering:
    """A Vault with one KV mount called app. A value is data, a Reply, or a function of the request
    that gives one."""
    whole = {
        "/v1/sys/health": said(HEALTH),
        "/v1/auth/token/lookup-self": {"id": ""},
        "/v1/sys/internal/ui/mounts/app": KV,
        "/v1/sys/auth": {},
        **paths,
    }

    def answer(request: Request) -> Reply | None:
        found = whole.get(request.path, said({"errors": []}, 404))
        if callable(found):
            found = found(request)
        return found if found is None or isinstance(found, Reply) else said({"data": found})

    return answer


def asked(paths: dict[str, Any], timeout: float = 20.0, now: datetime | None = None) -> list[Item]:
    with serving(answers(paths)) as address:
        one = settings(address, token=TOKEN, timeout=timeout, mounts=["app"])
        items = list(backend(one, now).read())
    assert TOKEN not in str(items)
    return items


def secrets(**found: Any) -> dict[str, Any]:
    """Those of the mount app, by their names."""
    return {
        "/v1/app/metadata/?list=true": {"keys": list(found)},
        **{f"/v1/app/metadata/{name}": data for name, data in found.items()},
    }


def the_gap(items: list[Item]) -> tuple[str, str, str]:
    (one,) = items
    assert isinstance(one, Gap), one
    return one.kind, one.path, one.reason


def unreachable(address: str, timeout: float = 1.5) -> tuple[str, str]:
    asked = settings(address, token=TOKEN, timeout=timeout)
    kind, path, reason = the_gap(list(backend(asked).read()))
    assert path == "vault://prod"
    return kind, reason


def test_what_is_not_there_cannot_be_found_or_is_too_slow_says_which() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))  # and does not listen
        nobody = f"http://127.0.0.1:{one.getsockname()[1]}"
        assert unreachable(nobody) == ("unreachable", "no connection: Connection refused")
    name = "http://vault.invalid:8200"
    assert unreachable(name) == ("unreachable", "its name cannot be resolved")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.listen()
        slow = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert unreachable(slow, 0.5) == ("timeout", "not read within 0.5 s")


def test_a_request_that_takes_too_long_is_given_up_before_the_time_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "_MAX_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        slow = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert unreachable(slow) == ("unreachable", "it did not answer in time")


def test_a_server_without_tls_is_no_server_with_tls() -> None:
    with serving(answers({})) as address:
        kind, reason = unreachable(address.replace("http", "https"))
    assert kind == "tls"
    assert reason.startswith("the TLS connection failed: ")


def test_a_proxy_that_answers_html_is_called_one() -> None:
    kind, path, reason = the_gap(asked({"/v1/sys/health": HTML}, timeout=1.5))
    assert (kind, path) == ("not-vault", "vault://prod")
    assert reason == "it answered 200 without a JSON object (text/html): is this a proxy?"


@pytest.mark.parametrize("health", [said({"status": "UP"}), said([1]), Reply(200, b"{" * 100_000)])
def test_another_service_is_no_vault(health: Reply) -> None:
    assert the_gap(asked({"/v1/sys/health": health}, timeout=1.5))[0] == "not-vault"


@pytest.mark.parametrize(
    ("code", "kind"),
    [(472, "standby"), (501, "not-initialised"), (503, "sealed")],
)
def test_a_vault_that_answers_nothing_is_a_gap_by_its_health(code: int, kind: str) -> None:
    items = asked({"/v1/sys/health": said(HEALTH, code), **secrets(x=SECRET)})
    assert the_gap(items)[:2] == (kind, "vault://prod")


@pytest.mark.parametrize("code", [429, 473])
def test_a_standby_is_read_and_noted(code: int) -> None:
    items = asked({"/v1/sys/health": said(HEALTH, code), **secrets(x=SECRET)})
    assert notes(items) == [("standby", "vault://prod")]
    assert [*records(items)] == ["app/x"]


def test_a_denied_path_and_a_bad_token_are_told_apart() -> None:
    denied = said({"errors": ["1 error occurred:\n\t* permission denied\n\n"]}, 403)
    token = said({"errors": ["permission denied"]}, 403)
    newer = said(
        {"errors": ["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"]}, 403
    )
    assert gaps(asked(secrets(a=denied, b=token, c=newer))) == [
        ("denied", "vault://prod/-/app/a"),
        ("token", "vault://prod/-/app/b"),
        ("token", "vault://prod/-/app/c"),
    ]
    assert the_gap(asked({"/v1/auth/token/lookup-self": token}))[:2] == ("token", "vault://prod")


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_and_names_where_it_leads(code: int) -> None:
    strange: list[Request] = []

    def stranger(request: Request) -> Reply:
        strange.append(request)
        return said({"data": SECRET})

    with serving(stranger) as elsewhere:
        address = elsewhere.replace("127.0.0.1", "localhost")
        away = Reply(code, headers={"Location": f"{address}/v1/app/metadata/x"})
        kind, path, reason = the_gap(asked(secrets(x=away)))
    assert (kind, path) == ("redirected", "vault://prod/-/app/x")
    assert reason == "it redirects to localhost, but keywatch asks only the configured address"
    assert strange == []


@pytest.mark.parametrize(
    ("location", "where"),
    [("", "itself"), ("/v1/x", "itself"), ("http://[::1", "nowhere"), ("http://u:p@x", "x")],
)
def test_a_redirect_that_leads_nowhere_is_one_too(location: str, where: str) -> None:
    away = Reply(307, headers={"Location": location})
    _, path, reason = the_gap(asked({"/v1/sys/health": away}))
    assert path == "vault://prod"
    assert reason.startswith(f"it redirects to {where}, ")


@pytest.mark.parametrize("address", ["http://vault:99999", "http://[::1", "http://vault:x"])
def test_an_address_that_is_none_is_a_gap(address: str) -> None:
    assert unreachable(address) == ("unreachable", "its address is not valid")


def test_what_was_deleted_while_it_was_read_is_noted() -> None:
    items = asked(secrets(a=said({"errors": []}, 404), b=SECRET))
    assert notes(items) == [("gone", "vault://prod/-/app/a")]
    assert [*records(items)] == ["app/b"]


def test_a_listing_that_another_server_does_not_know_is_a_gap() -> None:
    words = {"errors": ['no handler for route "app/metadata/". route entry not found.']}
    items = asked({"/v1/app/metadata/?list=true": said(words, 404)})
    assert gaps(items) == [("absent", "vault://prod/-/app")]


def test_a_listing_that_only_a_proxy_does_not_know_is_no_empty_one() -> None:
    items = asked({"/v1/app/metadata/?list=true": said({"message": "no route"}, 404)})
    assert gaps(items) == [("refused", "vault://prod/-/app")]


def test_a_mount_that_another_one_answers_for_is_a_gap() -> None:
    other = {"path": "other/", "type": "kv", "options": {"version": "2"}}
    items = asked({"/v1/sys/internal/ui/mounts/app": other, **secrets(x=SECRET)})
    assert gaps(items) == [("malformed", "vault://prod/-/app")]


@pytest.mark.parametrize("mounts", [[], {"app/": {}}, {"app/": None}])
def test_mounts_of_another_form_are_a_gap(mounts: Any) -> None:
    with serving(answers({"/v1/sys/mounts": mounts})) as address:
        items = list(backend(settings(address, token=TOKEN)).read())
    assert gaps(items) == [("malformed", "vault://prod/-")]


def test_who_may_not_list_the_mounts_is_told_to_name_them() -> None:
    denied = said({"errors": ["1 error occurred:\n\t* permission denied\n\n"]}, 403)
    with serving(answers({"/v1/sys/mounts": denied})) as address:
        kind, path, reason = the_gap(list(backend(settings(address, token=TOKEN)).read()))
    assert (kind, path) == ("denied", "vault://prod/-")
    assert reason.startswith("read on sys/mounts: denied; grant it, or list the mounts")


def test_whoever_reads_no_further_leaves_nothing_running() -> None:
    many = {f"x{number:03}": SECRET for number in range(200)}
    with serving(answers(secrets(**many))) as address:
        audit = backend(settings(address, token=TOKEN, mounts=["app"]))
        assert isinstance(next(iter(audit.read())), Record)
        wait(lambda: NAME not in [one.name for one in threading.enumerate()])


def test_a_secret_with_ten_thousand_versions_is_read_like_others() -> None:
    versions = {str(number): VERSION for number in range(1, 10_001)}
    many = SECRET | {"current_version": 10_000, "versions": versions}
    record = the_record(asked(secrets(x=many)))
    assert record.dated is not None
    assert record.dated.field == "versions[10000].created_time"


@pytest.mark.parametrize(
    "data",
    [
        {},
        SECRET | {"current_version": "one"},
        SECRET | {"versions": None},
        SECRET | {"versions": {"1": VERSION | {"created_time": "yesterday"}}},
        SECRET | {"versions": {"1": VERSION | {"created_time": "2026-11-01T00:00:00"}}},
        SECRET | {"versions": {"1": VERSION | {"created_time": "0001-01-01T00:00:00+23:00"}}},
        SECRET | {"versions": {"1": {"created_time": "2026-11-01T00:00:00Z"}}},
        SECRET | {"custom_metadata": ["x"]},
    ],
)
def test_an_answer_of_another_form_is_a_gap_and_never_a_date(data: Any) -> None:
    items = asked(secrets(bad=data, good=SECRET))
    assert gaps(items) == [("malformed", "vault://prod/-/app/bad")]
    assert [*records(items)] == ["app/good"]


def test_zero_and_future_times_are_passed_on_as_they_are() -> None:
    """What they prove, the policy says: nothing."""
    times = {"zero": "0001-01-01T00:00:00Z", "future": "2126-01-01T00:00:00Z"}
    found = {
        name: SECRET | {"versions": {"1": VERSION | {"created_time": time}}}
        for name, time in times.items()
    }
    dates = {path: date_of(one) for path, one in records(asked(secrets(**found))).items()}
    assert {path: date.year for path, date in dates.items()} == {"app/zero": 1, "app/future": 2126}


def test_a_listing_of_another_form_is_a_gap() -> None:
    items = asked({"/v1/app/metadata/?list=true": {"keys": 3}})
    assert gaps(items) == [("malformed", "vault://prod/-/app")]


def test_a_login_of_another_form_is_a_gap() -> None:
    login = {"/v1/auth/jwt/login": said({"auth": None})}
    with serving(answers(login)) as address:
        auth = {"method": "jwt", "role": "auditor", "env": "JWT"}
        one = settings(address, auth=auth, environ={"JWT": TOKEN})
        assert the_gap(list(backend(one).read()))[0] == "malformed"


def test_a_server_that_falls_silent_at_the_login_is_out_of_reach() -> None:
    with serving(answers({"/v1/auth/jwt/login": lambda _request: None})) as address:
        auth = {"method": "jwt", "role": "auditor", "env": "JWT"}
        one = settings(address, auth=auth, environ={"JWT": TOKEN}, timeout=1.5)
        assert the_gap(list(backend(one).read()))[:2] == ("unreachable", "vault://prod")


@pytest.mark.parametrize(
    ("code", "words", "kind"),
    [(403, "invalid accessor", "gone"), (400, "invalid accessor", "gone"), (400, "x", "refused")],
)
def test_a_token_that_ended_while_it_was_read_is_noted(code: int, words: str, kind: str) -> None:
    paths = {
        "/v1/auth/token/accessors/?list=true": {"keys": ["made-up"]},
        "/v1/sys/auth": {},
        "/v1/auth/token/lookup-accessor": said({"errors": [words]}, code),
    }
    with serving(answers(paths)) as address:
        one = settings(address, token=TOKEN, mounts=["app"], groups=["tokens"])
        items = list(backend(one).read())
    where = "vault://prod/-/auth%2Ftoken/accessors/made-up"
    assert (kind, where) in notes(items) + gaps(items)


def test_a_server_that_repeats_what_it_was_sent_leaks_it_into_no_text() -> None:
    def echo(request: Request) -> Reply:
        return said({"errors": [f"bad {request.body.decode()} {request.headers}"]}, 400)

    with serving(answers({"/v1/auth/jwt/login": echo})) as address:
        auth = {"method": "jwt", "role": "auditor", "env": "JWT"}
        one = settings(address, auth=auth, environ={"JWT": TOKEN})
        kind, _, reason = the_gap(list(backend(one).read()))
    assert kind == "login"
    assert TOKEN not in reason
    assert len(reason) < 300
    echoed = said({"errors": [TOKEN]}, 400)
    assert gaps(asked(secrets(x=echoed))) == [("refused", "vault://prod/-/app/x")]


def test_an_answer_that_is_too_large_is_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_MAX_BYTES", 10_000)
    versions = {str(number): VERSION for number in range(1, 1_000)}
    items = asked(secrets(x=SECRET | {"versions": versions}, y=SECRET))
    assert gaps(items) == [("too-large", "vault://prod/-/app/x")]
    assert [*records(items)] == ["app/y"]


def test_an_answer_of_countless_lists_is_a_gap_before_it_fills_the_memory() -> None:
    lists = Reply(200, b'{"data": [' + b"[]," * 500_000 + b"[]]}")
    items = asked(secrets(x=lists, y=SECRET))
    assert gaps(items) == [("too-large", "vault://prod/-/app/x")]
    assert [*records(items)] == ["app/y"]


class Dripping:
    """The body of an answer that comes byte by byte, for as long as somebody takes it."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._answer, daemon=True).start()

    def _answer(self) -> None:
        taken, _ = self._server.accept()
        with contextlib.suppress(OSError), self._server, taken:
            taken.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while True:
                taken.sendall(b" ")
                time.sleep(0.05)


def test_an_answer_that_only_drips_is_given_up_when_the_time_is_over() -> None:
    begun = time.monotonic()
    assert unreachable(Dripping().address, 0.5) == ("timeout", "not read within 0.5 s")
    assert time.monotonic() - begun < 5


def once(first: Reply | None) -> Callable[[Request], Any]:
    """The first answer, and from then on the secret."""
    left = [first]
    return lambda _request: left.pop() if left else SECRET


@pytest.mark.parametrize(
    "first",
    [
        said({"errors": ["rate limit exceeded"]}, 429),
        said({"errors": ["x"]}, 412),
        said({"errors": ["internal error"]}, 500),
        Reply(502, b"<html>Bad gateway</html>"),
        said({"errors": ["Vault is sealed"]}, 503),
        HTML,
        Reply(200, b'{"data": {"current_ver', length=500),
        None,
    ],
)
def test_what_may_pass_is_asked_for_again(first: Reply | None) -> None:
    assert the_record(asked(secrets(x=once(first)))).kind == "kv-v2"


def test_a_server_that_says_when_to_come_back_is_left_alone_until_then() -> None:
    busy = Reply(429, b"{}", {"Retry-After": "1"})
    began = datetime.now(UTC)
    assert the_record(asked(secrets(x=once(busy)))).kind == "kv-v2"
    assert datetime.now(UTC) - began >= timedelta(seconds=1)


def test_what_stays_out_of_reach_is_a_gap_when_the_time_is_up() -> None:
    names = [f"x{number}" for number in range(50)]
    down = dict.fromkeys(names, said({"errors": []}, 500))
    began = datetime.now(UTC)
    items = asked(secrets(**down), timeout=1.0)
    assert datetime.now(UTC) - began < timedelta(seconds=5)
    assert [path for _, path in gaps(items)] == [
        f"vault://prod/-/app/{name}" for name in sorted(names)
    ]
    assert {kind for kind, _ in gaps(items)} <= {"failing", "timeout"}


def test_a_vault_that_is_sealed_in_the_meantime_is_called_so() -> None:
    sealed = said({"errors": ["Vault is sealed"]}, 503)
    assert gaps(asked(secrets(x=sealed), timeout=1.5)) == [("sealed", "vault://prod/-/app/x")]


def dated(date: str) -> Reply:
    return said(HEALTH)._replace(headers={"Date": date})


@pytest.mark.parametrize(("hours", "way"), [(1, "ahead of"), (-1, "behind")])
def test_a_clock_that_differs_by_over_a_minute_is_noted(hours: int, way: str) -> None:
    now = datetime.now(UTC)
    health = dated(format_datetime(now + timedelta(hours=hours), usegmt=True))
    items = asked({"/v1/sys/health": health, **secrets(x=SECRET)}, now=now)
    (note,) = [one for one in items if isinstance(one, Note)]
    assert (note.kind, note.path) == ("clock-skew", "vault://prod")
    assert note.text.endswith(f"s {way} this machine's; its dates are corrected")


@pytest.mark.parametrize("days", [20, -20])
def test_the_ages_of_a_server_with_a_wrong_clock_are_right(days: int) -> None:
    now = datetime.now(UTC)
    wrong = now + timedelta(days=days)
    health = dated(format_datetime(wrong, usegmt=True))
    version = VERSION | {"created_time": (wrong - timedelta(days=100)).isoformat()}
    secret = SECRET | {"versions": {"1": version}}
    items = asked({"/v1/sys/health": health, **secrets(x=secret)}, now=now)
    (record,) = [one for one in items if isinstance(one, Record)]
    assert abs(now - date_of(record) - timedelta(days=100)) < timedelta(seconds=5)


def test_the_time_that_a_user_gives_is_no_wrong_clock_of_the_server() -> None:
    now = datetime.now(UTC)
    with serving(answers(secrets(x=SECRET))) as address:
        one = settings(address, token=TOKEN, mounts=["app"])._replace(clock=now)
        record = the_record(list(backend(one, now + timedelta(days=900)).read()))
    assert date_of(record) == datetime.fromisoformat(str(VERSION["created_time"]))


@pytest.mark.parametrize("date", ["", "no time", "Fri, 31 Dec 9999 23:59:59 -2300"])
def test_a_server_that_does_not_say_what_time_it_has_is_read(date: str) -> None:
    items = asked({"/v1/sys/health": dated(date), **secrets(x=SECRET)})
    assert the_record(items).kind == "kv-v2"


def test_a_token_that_is_sent_unencrypted_to_another_machine_is_noted() -> None:
    with serving(answers(secrets(x=SECRET))) as address:
        there = address.replace("127.0.0.1", "127.1")  # another name for here
        items = list(backend(settings(there, token=TOKEN, mounts=["app"])).read())
    assert notes(items) == [("no-tls", "vault://prod")]
    assert [*records(items)] == ["app/x"]


def test_rights_that_cannot_be_looked_up_are_said_not_to_be_known() -> None:
    with serving(answers(secrets(x=SECRET))) as address:
        audit = backend(settings(address, token=TOKEN, mounts=["app"]))
        assert len(list(audit.read())) == 1
        (said_of_it,) = audit.excess()
    assert said_of_it.startswith("its excess permissions are unknown: ")


class Flaky:
    """Between the auditor and a server: every third request fails, at random, in one of the ways
    in which proxies do."""

    WAYS = (
        None,
        HTML,
        Reply(503, b"<html>upstream</html>"),
        said({"errors": ["quota"]}, 429),
        Reply(200, b'{"data"', length=99),
    )

    def __init__(self, address: str, seed: int) -> None:
        self._pool = urllib3.connection_from_url(address, maxsize=8, block=True)
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self.failed = 0

    def __call__(self, request: Request) -> Reply | None:
        with self._lock:
            fails, way = self._random.random() < 1 / 3, self._random.choice(self.WAYS)
            self.failed += fails
        if fails:
            return way
        headers = {name: request.headers[name] for name in request.headers if name != "Host"}
        got = self._pool.urlopen(
            request.method, request.path, request.body, headers, retries=False, redirect=False
        )
        return Reply(got.status, got.data, {"Content-Type": "application/json"})

    def close(self) -> None:
        self._pool.close()


@pytest.fixture(scope="module")
def populated(bao: Bao) -> str:
    mount = bao.mount("kv-flaky", "kv", options={"version": "2"})
    for number in range(60):
        bao.put(f"{mount}/g{number // 15}/s{number:03}", key="one")
    return mount


@pytest.mark.parametrize("seed", range(2))
def test_where_every_third_request_fails_each_secret_is_read_or_a_gap(
    bao: Bao, populated: str, seed: int
) -> None:
    direct = settings(bao.address, token="root", mounts=[populated])
    wanted = records(backend(direct).read())
    assert len(wanted) == 60
    flaky = Flaky(bao.address, seed)
    with serving(flaky) as address:
        through = settings(address, token="root", mounts=[populated])
        items = list(backend(through).read())
    flaky.close()
    assert flaky.failed > 15
    found = records(items)
    assert found.items() <= wanted.items()
    missing = {f"vault://prod/-/{path}" for path in wanted.keys() - found.keys()}
    covered = [path for _, path in gaps(items)]
    assert all(
        any(one == path or one.startswith(f"{path}/") for path in covered) for one in missing
    )
    assert len(found) > 40
