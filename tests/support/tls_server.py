"""A server that speaks TLS with a certificate of its own authority, for one kind of bad input."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import trustme

PAGE = b"<html><body>Please log in to the network</body></html>"


class _Portal(BaseHTTPRequestHandler):
    """Answers everything with a page, as a captive portal or a proxy does."""

    def do_POST(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_arguments: object) -> None:
        pass


@contextmanager
def portal(folder: Path) -> Iterator[tuple[str, Path]]:
    """Its address, and the file of its authority."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    path = folder / "portal.pem"
    authority.cert_pem.write_to_path(str(path))
    with ThreadingHTTPServer(("127.0.0.1", 0), _Portal) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"https://localhost:{server.server_port}", path
        server.shutdown()
        thread.join()
