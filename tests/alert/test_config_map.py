"""The state of alerts in a ConfigMap, over TLS, with a server that counts versions as Kubernetes
does."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from scanner.alert import config_map
from scanner.alert.config_map import ConfigMap
from scanner.alert.state import Open
from scanner.errors import ConfigError, OutputError, UsageError
from tests.support.helpers import token

NOW = datetime(2026, 12, 1, tzinfo=UTC)
ENTRY = Open(
    name="vault://prod/-/secret/app",
    analysis="audit",
    backend="prod",
    state="low 1 rotation-in-grace",
    title="Secret rotation is late",
    severity="low",
    secret_class="api-key",
    owner="@sec",
    since=NOW,
    sent={"all": 0},
)


class Cluster:
    """An API server with one ConfigMap."""

    def __init__(self) -> None:
        self.environ: dict[str, str] = {}
        self.object: dict[str, Any] = {
            "kind": "ConfigMap",
            "metadata": {"name": "alerts", "resourceVersion": "1"},
        }

    def answer(self, method: str, path: str, bearer: str, body: Any) -> tuple[int, Any]:
        if bearer != f"Bearer {token()}":
            return 401, {}
        if path != "/api/v1/namespaces/keywatch/configmaps/alerts":
            return 404, {}
        if method == "PUT":
            version = self.object["metadata"]["resourceVersion"]
            if body["metadata"]["resourceVersion"] != version:
                return 409, {}
            body["metadata"]["resourceVersion"] = str(int(version) + 1)
            self.object = body
        return 200, self.object


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    cluster = Cluster()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.respond(None)

        def do_PUT(self) -> None:
            self.respond(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def respond(self, body: Any) -> None:
            bearer = self.headers["Authorization"]
            status, answer = cluster.answer(self.command, self.path, bearer, body)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_args: Any) -> None:
            pass

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    (tmp_path / "token").write_text(token())
    monkeypatch.setattr(config_map, "ACCOUNT", str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        cluster.environ = {
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(server.server_port),
        }
        yield cluster
        server.shutdown()
        thread.join()


def test_a_state_comes_back_as_it_was(cluster: Cluster) -> None:
    store = ConfigMap("keywatch/alerts", cluster.environ)
    assert store.load() == {}
    store.save({"3f9c21ab77de": ENTRY})
    assert ConfigMap("keywatch/alerts", cluster.environ).load() == {"3f9c21ab77de": ENTRY}


def test_two_runs_at_the_same_time_do_not_overwrite_each_other(cluster: Cluster) -> None:
    one, other = (ConfigMap("keywatch/alerts", cluster.environ) for _ in range(2))
    one.load()
    other.load()
    one.save({"a": ENTRY})
    with pytest.raises(OutputError, match="could not be written"):
        other.save({})
    assert ConfigMap("keywatch/alerts", cluster.environ).load() == {"a": ENTRY}


def test_a_damaged_state_is_kept_beside_the_new_one(cluster: Cluster) -> None:
    cluster.object["data"] = {"alerts.json": "{"}
    store = ConfigMap("keywatch/alerts", cluster.environ)
    with pytest.raises(ConfigError):
        store.load()
    store.save({"a": ENTRY})
    assert cluster.object["data"]["alerts.json.damaged"] == "{"
    assert ConfigMap("keywatch/alerts", cluster.environ).load() == {"a": ENTRY}


def test_a_config_map_that_is_not_there_is_explained_without_the_token(cluster: Cluster) -> None:
    with pytest.raises(UsageError) as raised:
        ConfigMap("keywatch/other", cluster.environ).load()
    assert raised.value.why == "the API server answered 404"
    assert token() not in str(vars(raised.value))


def test_outside_of_a_cluster_it_is_refused() -> None:
    with pytest.raises(UsageError, match="not a pod"):
        ConfigMap("keywatch/alerts", {}).load()
