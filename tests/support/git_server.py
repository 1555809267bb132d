"""A folder of bare repositories, served with git's own http-backend on 127.0.0.1."""

from __future__ import annotations

import base64
import contextlib
import io
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_PIECE = 1 << 16


class GitServer:
    """What the server does, which a test may change while it runs, and what it was asked.

    `redirects` is an address that every request is sent to, `delay` the seconds before each answer,
    `status` an answer for everything. With `rate`, it sends so many bytes a second.
    `headers` are those of the latest request.
    """

    def __init__(self, folder: Path, user: str, token: str) -> None:
        self.folder = folder
        self.credentials = f"{user}:{token}" if token else ""
        self.address = ""
        self.redirects = ""
        self.delay = 0.0
        self.status = 0
        self.rate = 0
        self.paths: list[str] = []
        self.headers: dict[str, str] = {}

    def of(self, name: str) -> str:
        """The address of a repository: `acme/web.git`."""
        return f"{self.address}/{name}"

    def times(self, service: str) -> int:
        """How often a service was asked: info/refs, or git-upload-pack with what it sends."""
        return sum(path.partition("?")[0].endswith(service) for path in self.paths)


@contextlib.contextmanager
def git_server(folder: Path, *, user: str = "x", token: str = "") -> Iterator[GitServer]:
    """Serve the repositories of a folder. With `token`, it asks for basic authentication."""
    state = GitServer(folder, user, token)
    server = _Server(state)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, state: GitServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.state = state


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        state = self.server.state
        state.paths.append(self.path)
        state.headers = dict(self.headers)
        body = self._body()
        time.sleep(state.delay)
        if state.redirects:
            self._plain(302, Location=state.redirects + self.path)
        elif state.status:
            self._plain(state.status)
        elif state.credentials and not self._is_known(state.credentials):
            self._plain(401, **{"WWW-Authenticate": 'Basic realm="git"'})
        else:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self._backend(body)

    do_POST = do_GET  # noqa: N815 - http.server's name

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _is_known(self, credentials: str) -> bool:
        expected = base64.b64encode(credentials.encode()).decode()
        return self.headers.get("Authorization") == f"Basic {expected}"

    def _plain(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    def _backend(self, body: bytes) -> None:
        """Answer as a CGI program does."""
        path, _, query = self.path.partition("?")
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.server.state.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type") or "",
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding") or "",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol") or "",
        }
        argv = ["git", "-c", "uploadpack.allowFilter=true", "http-backend"]
        with subprocess.Popen(
            argv,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            assert process.stdin
            assert isinstance(process.stdout, io.BufferedReader)
            threading.Thread(target=_write, args=(process, body), daemon=True).start()
            status, headers = 200, []
            for line in iter(process.stdout.readline, b"\r\n"):
                if not line:
                    break
                name, _, value = line.decode().strip().partition(": ")
                if name == "Status":
                    status = int(value.split()[0])
                else:
                    headers.append((name, value))
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            try:
                while data := process.stdout.read1(_PIECE):
                    self.wfile.write(data)
                    if self.server.state.rate:
                        time.sleep(len(data) / self.server.state.rate)
            finally:
                process.kill()

    def log_message(self, *_arguments: object) -> None:
        pass


def _write(process: subprocess.Popen[bytes], body: bytes) -> None:
    with contextlib.suppress(BrokenPipeError):
        assert process.stdin
        process.stdin.write(body)
        process.stdin.close()
