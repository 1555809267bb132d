"""A Kubernetes API server to read from, over TLS.

It answers as the recordings of a real 1.34 server in tests/kubernetes do, and a test compares it
with them. Pages, expired tokens, refusals and metadata alone are its own work; what else goes wrong
is put in its way by `interrupt`.
"""

from __future__ import annotations

import base64
import copy
import functools
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import trustme
import yaml

from scanner.inventory.interface import Settings

RECORDINGS = Path(__file__).parents[1] / "data" / "kubernetes"
METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
TOKEN = "made-up-token-of-the-auditor"
VALUE = "no-report-may-hold-this"
NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
_VERSION = "243"
_KINDS = {"secrets": "SecretList", "externalsecrets": "ExternalSecretList"}

Object = dict[str, Any]


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _filled(path: Path) -> str:
    """The file with a value where it leaves one out: what looks like one would be taken for it."""
    return path.read_text().replace("<value>", encoded("recorded value"))


def recording(name: str) -> Object:
    """What was asked of the real server, and what it answered."""
    found: Object = json.loads(_filled(RECORDINGS / f"{name}.json"))
    return found


def manifest(name: str) -> Object:
    """An object in the published form of its API; the file says where from."""
    found: Object = yaml.safe_load(_filled(RECORDINGS / f"{name}.yaml"))
    return found


def secret(name: str, namespace: str = "prod", *, of: str = "Opaque", **metadata: Any) -> Object:
    """A Secret with one key, made on 5 January and written by its owner on 20 November."""
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "creationTimestamp": "2026-01-05T08:00:00Z",
            "managedFields": [owner("f:data", "2026-11-20T08:00:00Z", "password")],
            **metadata,
        },
        "data": {"password": base64.b64encode(VALUE.encode()).decode()},
        "type": of,
    }


def owner(part: str, time: str, *keys: str) -> Object:
    """An entry of `managedFields`."""
    owned: Object = {part: {".": {}, **{f"f:{key}": {} for key in keys}}}
    return {"manager": "app", "operation": "Update", "time": time, "fieldsV1": owned}


class Request(NamedTuple):
    method: str
    path: str
    query: Mapping[str, str]
    accept: str
    body: Object


class Reply(NamedTuple):
    status: int
    body: Object | str
    headers: Mapping[str, str] = {}
    pause: float = 0.0
    """Seconds between two pieces of it."""


class Server:
    """`objects` by path of their API version and resource: `api/v1/secrets`. `denied`: namespace
    ("" for lists of all) and resource. `expired`: tokens of the first state are too old."""

    def __init__(self) -> None:
        self.objects: dict[str, list[Object]] = {}
        self.denied: set[tuple[str, str]] = set()
        self.groups: list[str] = []
        self.expired = False
        self.rights: Object = {"resourceRules": [], "nonResourceRules": [], "incomplete": False}
        self.allowed: list[Object] = []
        self.interrupt: Callable[[Request], Reply | None] = lambda _request: None
        self.date = format_datetime(NOW, usegmt=True)
        self.requests: list[Request] = []
        self.address = ""
        self.ca = b""

    def add(self, path: str, *objects: Object) -> None:
        self.objects.setdefault(path, []).extend(copy.deepcopy(objects))

    def answer(self, request: Request, authorization: str) -> Reply:
        self.requests.append(request)
        interrupted = self.interrupt(request)
        if interrupted:
            return interrupted
        if authorization.partition(" ")[2] != TOKEN:
            return _recorded("unauthorized")
        if request.path == "/apis":
            return Reply(200, self._api_groups())
        if request.method == "POST":
            return self._review(request)
        return self._list(request)

    def _api_groups(self) -> Object:
        body: Object = recording("apis")["body"]
        for name in self.groups:
            group, _, version = name.partition("/")
            preferred = {"groupVersion": name, "version": version}
            body["groups"].append(
                {"name": group, "versions": [preferred], "preferredVersion": preferred}
            )
        return body

    def _review(self, request: Request) -> Reply:
        if request.path.endswith("selfsubjectrulesreviews"):
            return Reply(201, {**request.body, "status": self.rights})
        asked = request.body["spec"]["resourceAttributes"]
        return Reply(201, {**request.body, "status": {"allowed": asked in self.allowed}})

    def _list(self, request: Request) -> Reply:
        version, namespace, resource = _split(request.path)
        known = {group["name"] for group in self._api_groups()["groups"]} | {"api"}
        if version.removeprefix("apis/").split("/")[0] not in known:
            return _recorded("nocrd")
        if (namespace, resource) in self.denied:
            return _refused(namespace, resource)
        items = [
            item
            for item in self.objects.get(f"{version}/{resource}", ())
            if namespace in ("", item["metadata"]["namespace"])
            and _selected(item, request.query.get("fieldSelector", ""))
        ]
        items.sort(key=lambda item: _key(item, namespace))
        return self._page(request, items, namespace, resource)

    def _page(self, request: Request, items: list[Object], namespace: str, resource: str) -> Reply:
        token = _decoded(request.query.get("continue", ""))
        if self.expired and token and token["rv"] != -1:
            fresh = {"continue": _encoded(-1, token["start"].removeprefix("/"))}
            return Reply(410, {**recording("expired-continue-410")["body"], "metadata": fresh})
        after = token["start"].lstrip("/") if token else ""
        left = [item for item in items if _key(item, namespace) + "\0" > after]
        limit = int(request.query.get("limit", len(left)))
        metadata: Object = {"resourceVersion": _VERSION}
        if left[limit:]:
            last = ("" if token else "/") + _key(left[limit - 1], namespace) + "\0"
            metadata["continue"] = _encoded(int(_VERSION), last)
            if "fieldSelector" not in request.query:
                metadata["remainingItemCount"] = len(left) - limit
        return Reply(200, _listed(request, resource, left[:limit], metadata))


def _split(path: str) -> tuple[str, str, str]:
    """API version, namespace and resource of a list."""
    parts = path.strip("/").split("/")
    head = 2 if parts[0] == "api" else 3
    version, rest = "/".join(parts[:head]), parts[head:]
    return (version, rest[1], rest[2]) if len(rest) == 3 else (version, "", rest[0])


def _key(item: Object, namespace: str) -> str:
    """What a list is sorted by."""
    metadata = item["metadata"]
    return str(metadata["name"] if namespace else f"{metadata['namespace']}/{metadata['name']}")


def _selected(item: Object, selector: str) -> bool:
    for term in filter(None, selector.split(",")):
        name, _, wanted = term.partition("=")
        assert name.rstrip("!") == "type"
        if (item.get("type") == wanted) == name.endswith("!"):
            return False
    return True


def _listed(request: Request, resource: str, items: list[Object], metadata: Object) -> Object:
    """A list in the order of fields in which a server writes it."""
    if request.accept == METADATA:
        kind, version = "PartialObjectMetadata", "meta.k8s.io/v1"
        bare = [{"kind": kind, "apiVersion": version, "metadata": one["metadata"]} for one in items]
        return {"kind": f"{kind}List", "apiVersion": version, "metadata": metadata, "items": bare}
    kind = _KINDS.get(resource, "List")
    if request.path.startswith("/api/"):
        return {"kind": kind, "apiVersion": "v1", "metadata": metadata, "items": items}
    version = "/".join(request.path.split("/")[2:4])
    return {
        "apiVersion": version,
        "items": items,
        "kind": kind,
        "metadata": {"continue": "", **metadata},
    }


def _encoded(version: int, start: str) -> str:
    token = {"v": "meta.k8s.io/v1", "rv": version, "start": start}
    text = json.dumps(token, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def _decoded(token: str) -> Object:
    padded = token + "=" * (-len(token) % 4)
    found: Object = json.loads(base64.urlsafe_b64decode(padded)) if token else {}
    return found


def _recorded(name: str) -> Reply:
    found = recording(name)
    return Reply(found["status"], found["body"], {"Content-Type": found["headers"]["Content-Type"]})


def _refused(namespace: str, resource: str) -> Reply:
    place = f"in the namespace {json.dumps(namespace)}" if namespace else "at the cluster scope"
    body: Object = recording("forbidden")["body"]
    body["message"] = (
        f'{resource} is forbidden: User "low" cannot list resource "{resource}" in API group "" '
        + place
    )
    body["details"] = {"kind": resource}
    return Reply(403, body)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def do_GET(self) -> None:
        self._serve({})

    def do_POST(self) -> None:
        self._serve(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    do_PUT = do_PATCH = do_POST  # noqa: N815 - http.server asks for these names

    def date_time_string(self, timestamp: float | None = None) -> str:
        return self.server.kubernetes.date

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass

    def _serve(self, body: Object) -> None:
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        request = Request(self.command, url.path, query, self.headers.get("Accept", ""), body)
        reply = self.server.kubernetes.answer(request, self.headers.get("Authorization", ""))
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")  # as for all but the smallest answers
        self.end_headers()
        text = reply.body if isinstance(reply.body, str) else _compact(reply.body)
        for chunk in _chunks(text.encode()):
            time.sleep(reply.pause)
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")


def _compact(body: Object) -> str:
    return json.dumps(body, separators=(",", ":")) + "\n"


def _chunks(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), 16_384):
        yield data[start : start + 16_384]


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, kubernetes: Server, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.kubernetes = kubernetes
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is part of some tests."""


@functools.cache
def authority() -> trustme.CA:
    return trustme.CA()


@contextmanager
def serving() -> Iterator[Server]:
    """A server without objects, until the end."""
    server = Server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert("127.0.0.1", "localhost").configure_cert(context)
    listener = _Listener(server, context)
    server.address = f"https://127.0.0.1:{listener.server_address[1]}"
    server.ca = authority().cert_pem.bytes()
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


class Login(NamedTuple):
    """What a kubeconfig says: by default, what is right."""

    user: Mapping[str, object] = {"token": TOKEN}
    cluster: Mapping[str, object] = {}


RIGHT = Login()


def kubeconfig(server: Server, folder: Path, login: Login = RIGHT) -> str:
    """The name of a file that is written into the folder. Its one context is `test`."""
    trusted = base64.b64encode(server.ca).decode()
    cluster = {"server": server.address, "certificate-authority-data": trusted, **login.cluster}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": dict(login.user)}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    }
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(content))
    return str(file)


def settings(**options: object) -> Settings:
    """A backend `eks`."""
    return Settings(name="eks", kind="kubernetes", options=options, timeout=20.0, environ={})
