"""The listing APIs of GitHub, GitLab and Gitea, served on loopback by their published schemas."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from scanner.fleet.find import find_targets
from scanner.fleet.targets import UNKNOWN_PARENT, Host, Listing, Target, TargetsRequest
from scanner.model import Gap, Skip

Answer = tuple[int, dict[str, str], Any]


@contextmanager
def api(answer: Callable[[str, int, str], Answer]) -> Iterator[str]:
    """Serve `answer(path, page, origin)`, and give the address of the server."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            page = int(parse_qs(parts.query).get("page", ["1"])[0])
            status, headers, body = answer(parts.path, page, origin)
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    origin = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield origin
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def github(number: int, origin: str, **more: object) -> dict[str, Any]:
    name = f"acme/r{number}"
    return {
        "full_name": name,
        "clone_url": f"{origin}/{name}.git",
        "owner": {"login": "acme"},
        "archived": False,
        "fork": False,
        "size": 12,
        **more,
    }


def found(host: Host, base: str, **options: Any) -> list[Target | Skip | Gap]:
    request = TargetsRequest(
        listings=(Listing(host, "acme", base),), loopback_http=True, seconds=20, **options
    )
    return [*find_targets(request)]


def next_link(origin: str, page: int) -> dict[str, str]:
    return {"Link": f'<{origin}/orgs/acme/repos?page={page}>; rel="next"'}


def test_all_pages_of_github_are_read_and_forks_and_archives_are_filtered() -> None:
    def answer(path: str, page: int, origin: str) -> Answer:
        assert path == "/orgs/acme/repos"
        one = [github(1, origin), github(2, origin, fork=True)]
        two = [github(3, origin, archived=True)]
        return (200, next_link(origin, 2), one) if page == 1 else (200, {}, two)

    with api(answer) as base:
        everything = found(Host.GITHUB, base)
        names = [each.name.partition("/")[2] for each in everything if isinstance(each, Target)]
        assert names == ["acme/r1", "acme/r2", "acme/r3"]
        fork = everything[1]
        assert isinstance(fork, Target)
        assert (fork.fork_of, fork.team, fork.size) == (UNKNOWN_PARENT, "acme", 12 * 1024)
        kept = found(Host.GITHUB, base, forks=False, archived=False)
        assert [type(each) for each in kept] == [Target, Skip, Skip]


def test_gitlab_and_gitea_name_their_repositories() -> None:
    def gitlab(_path: str, _page: int, origin: str) -> Answer:
        project = {
            "path_with_namespace": "acme/tools/web",
            "http_url_to_repo": f"{origin}/acme/tools/web.git",
            "namespace": {"full_path": "acme/tools"},
            "archived": False,
        }
        return 200, {}, [project]

    def gitea(_path: str, _page: int, origin: str) -> Answer:
        return 200, {"X-Total-Count": "1"}, [github(1, origin)]

    with api(gitlab) as base:
        (project,) = found(Host.GITLAB, f"{base}/api/v4")
        assert isinstance(project, Target)
        assert project.name.endswith("/acme/tools/web")
    with api(gitea) as base:
        (repository,) = found(Host.GITEA, f"{base}/api/v1")
        assert isinstance(repository, Target)


def test_a_rate_limit_is_waited_for() -> None:
    asked: list[int] = []

    def answer(_path: str, page: int, origin: str) -> Answer:
        asked.append(page)
        if len(asked) == 1:
            return 429, {"Retry-After": "0"}, {"message": "slow down"}
        return 200, {}, [github(1, origin)]

    with api(answer) as base:
        assert [type(each) for each in found(Host.GITHUB, base)] == [Target]
    assert asked == [1, 1]


def elsewhere(_path: str, _page: int, origin: str) -> Answer:
    return 200, {"Link": '<https://evil.example/repos?page=2>; rel="next"'}, [github(1, origin)]


def repeated(_path: str, page: int, origin: str) -> Answer:
    return 200, next_link(origin, page + 1), [github(1, origin)]


def too_few(_path: str, _page: int, origin: str) -> Answer:
    return 200, {"X-Total-Count": "5"}, [github(1, origin)]


def no_json(_path: str, page: int, origin: str) -> Answer:
    return (200, next_link(origin, 2), [github(1, origin)]) if page == 1 else (200, {}, b"<html>")


def redirect(_path: str, _page: int, _origin: str) -> Answer:
    return 302, {"Location": "https://evil.example/"}, b""


def other_address(_path: str, _page: int, origin: str) -> Answer:
    return 200, {}, [github(1, origin, clone_url="https://evil.example/acme/r1.git")]


def traversal(_path: str, _page: int, origin: str) -> Answer:
    return 200, {}, [github(1, origin, full_name="acme/../../etc")]


@pytest.mark.parametrize(
    ("host", "answer", "targets"),
    [
        (Host.GITHUB, elsewhere, 1),
        (Host.GITHUB, repeated, 1),
        (Host.GITEA, too_few, 1),
        (Host.GITHUB, no_json, 1),
        (Host.GITHUB, redirect, 0),
        (Host.GITHUB, other_address, 0),
        (Host.GITHUB, traversal, 0),
    ],
)
def test_an_api_that_lies_gives_a_gap_and_loses_nothing_it_said_before(
    host: Host, answer: Callable[[str, int, str], Answer], targets: int
) -> None:
    with api(answer) as base:
        given = found(host, base)
    assert sum(isinstance(each, Target) for each in given) == targets
    gaps = [each for each in given if isinstance(each, Gap)]
    assert len(gaps) == 1
    assert gaps[0].reason
