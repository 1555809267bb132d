"""A server on 127.0.0.1 that says what a test tells it to, over a real connection."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Request(NamedTuple):
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Reply(NamedTuple):
    """`length` is what is announced, where that is not what comes."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}
    length: int | None = None


Answering = Callable[[Request], Reply | None]
"""None: the connection is cut without an answer."""


def said(data: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(data).encode(), {"Content-Type": "application/json"})


@contextlib.contextmanager
def serving(answering: Answering, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The address of a server that answers so."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._reply(answering(Request(self.command, self.path, dict(self.headers), body)))

        def _reply(self, reply: Reply | None) -> None:
            if reply is None:
                self.close_connection = True
                return
            self.send_response_only(reply.status)  # without a date
            for name, value in reply.headers.items():
                self.send_header(name, value)
            length = len(reply.body) if reply.length is None else reply.length
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(reply.body)
            self.close_connection = length != len(reply.body)

        def log_message(self, *_args: object) -> None:
            """Nothing: pytest's output is for the tests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
