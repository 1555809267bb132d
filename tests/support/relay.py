"""A server between keywatch and Vault: it can be sealed, and lose an answer after the write."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

_HEADERS = ("X-Vault-Token", "X-Vault-Request", "Content-Type")


class Relay:
    """`sealed`: every answer is 503, as of a sealed Vault. `loses`: (method, beginning of a path):
    the next such request reaches Vault, and its answer is lost. `holds`: requests with this in
    their path wait until the relay ends; `held` is set by the first of them."""

    def __init__(self, address: str) -> None:
        self.target = address
        self.sealed = False
        self.loses: tuple[str, str] | None = None
        self.holds = ""
        self.held = threading.Event()
        self._ended = threading.Event()
        self._server = _Server(self)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def pass_on(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, bytes]:
        if self.sealed:
            return 503, b'{"errors":["Vault is sealed"]}'
        if self.holds and self.holds in path:
            self.held.set()
            self._ended.wait(60)
            return 0, b""
        given = {name: headers[name] for name in _HEADERS if headers[name]}
        request = urllib.request.Request(self.target + path, body or None, given, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as answer:
                status, data = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, data = error.code, error.read()
        if self.loses and method == self.loses[0] and path.startswith(self.loses[1]):
            self.loses = None
            return 0, b""
        return status, data


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, relay: Relay) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.relay = relay


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, data = self.server.relay.pass_on(self.command, self.path, self.headers, body)
        if not status:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - http.server's names

    def log_message(self, *_arguments: object) -> None:
        pass
