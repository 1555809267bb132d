"""Policy: find commands and program calls that write a new value for a secret."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import NamedTuple

from scanner.model import NOWHERE, Location
from scanner.policy.declarations.secrets_files import name_of
from scanner.policy.repository.commands import Variables, commands, expand, variables

# Options of the commands below that take their value from the next word.
_TAKE_VALUES = {
    *("-mount", "-namespace", "-ns", "-address", "-field", "-format", "-cas", "-method"),
    *("-ca-cert", "-ca-path", "-client-cert", "-client-key", "-tls-server-name", "-wrap-ttl"),
    *("-n", "--namespace", "--context", "--kubeconfig", "-p", "--patch", "--type", "-o"),
    *("--output", "-f", "--filename", "--as", "--cluster"),
}
_VAULT_FLAGS = {"-f", "-force"}  # options of `vault write` that take no value
_AWS_VERBS = {"rotate-secret", "put-secret-value", "update-secret", "put-parameter"}
_AZURE_VERBS = {("secret", "set"), ("key", "rotate"), ("key", "create")}
_KINDS = {"generic", "tls", "docker-registry"}
_PARTS = re.compile(r"[/=,:]")
_API = re.compile(r"/v1/(\S+)")
_SENDS = {"-d", "--data", "--data-binary", "--data-raw", "--json"}
_ROLES = {"rotate-role", "rotate-root", "static-roles"}
_AUTOMATIC = ("rotation_period=", "rotation_schedule=", "auto_rotate_period=")
# Calls that store a new value: in hvac, boto3, the SDKs of Azure and Kubernetes, and in the same
# SDKs for other languages. Example: `client.secrets.kv.v2.create_or_update_secret(`.
_CALLS = re.compile(
    r"\b(?:create_or_update_secret|put_secret_value|rotate_secret|update_secret|set_secret|"
    r"rotate_static_role_credentials|rotate_key|put_parameter|"
    r"(?:patch|replace|create)_namespaced_secret|PutSecretValue|RotateSecret|UpdateSecret|"
    r"SetSecret|setSecret|rotateSecret|putSecretValue|PutSecretValueCommand|RotateSecretCommand|"
    r"Set-AzKeyVaultSecret|Set-SECSecretValue|KVv2)\b|\.kv\.v[12]\.patch\(|Logical\(\)\.Write"
)
_LITERAL = re.compile(r"[\"'`]([^\"'`\s]{2,300})[\"'`]")


class RotationAction(NamedTuple):
    """A command or call that gives a secret a new value.

    `kind` is the scheme of the secret's canonical id, `database` for a role of a database engine,
    or `any` for a name in a program's text. `name` is the secret's name with slashes; `*` stands
    for parts that are known only at run time.
    """

    kind: str
    name: str


class SuspectWrite(NamedTuple):
    """A write to a path that ends in `/rotate`, which a key-value engine does not support.

    `name` is the secret that it seems to rotate. `certain` is true if the path can only belong to
    a key-value engine.
    """

    path: str
    name: str
    location: Location
    certain: bool


class FileActions(NamedTuple):
    """What the commands and calls of one file do.

    `automatic` are the actions that make the store rotate by itself from then on. `words` are the
    words of all commands, and their parts (split at `/`, `=`, `,` and `:`).
    """

    actions: frozenset[RotationAction] = frozenset()
    automatic: frozenset[RotationAction] = frozenset()
    suspect_writes: tuple[SuspectWrite, ...] = ()
    words: frozenset[str] = frozenset()


def analyze(text: str, path: str, *, first_line: int = 1) -> FileActions:
    """The actions of a file's commands and calls. Lines count from `first_line`."""
    known = variables(text)
    actions: set[RotationAction] = set()
    automatic: set[RotationAction] = set()
    suspect_writes: list[SuspectWrite] = []
    words: set[str] = set()
    for command in commands(text, first_line=first_line):
        words.update(command.words)
        words.update(part for word in command.words for part in _PARTS.split(word))
        for done in _done_by(command.words, known):
            if isinstance(done, SuspectWrite):
                suspect_writes.append(done._replace(location=Location.at(path, command.line)))
            else:
                (automatic if _is_automatic(command.words) else actions).add(done)
    if _CALLS.search(text):
        actions |= {RotationAction("any", match[1].strip("/")) for match in _LITERAL.finditer(text)}
    return FileActions(
        frozenset(actions), frozenset(automatic), tuple(suspect_writes), frozenset(words)
    )


def _is_automatic(words: Sequence[str]) -> bool:
    return any(word.startswith(_AUTOMATIC) for word in words)


def _done_by(words: Sequence[str], known: Variables) -> Iterator[RotationAction | SuspectWrite]:
    for index, word in enumerate(words):
        tool = _TOOLS.get(word.rpartition("/")[2])
        if tool:
            yield from tool(words[index + 1 :], known)
            return


def _vault(words: Sequence[str], known: Variables) -> Iterator[RotationAction | SuspectWrite]:
    what = _positional(words, _VAULT_FLAGS)
    if what[:1] == ["write"] and len(what) > 1:
        yield from _write(what[1], what[2:], known)
    elif what[:1] == ["kv"] and len(what) > 2 and what[1] in ("put", "patch"):
        mount = _option(words, "-mount")
        path = f"{mount}/{what[2]}" if mount else what[2]
        # `vault kv` adds `data` itself, so a `data` in its argument is part of the secret's name.
        yield from _write(path.replace("/data/", "/data/data/", 1), ["-"], known)


def _curl(words: Sequence[str], known: Variables) -> Iterator[RotationAction | SuspectWrite]:
    """The actions of a curl command that sends a write request to Vault's API."""
    method = (_option(words, "-X", "--request") or "").upper()
    data = [word for word in words if word.partition("=")[0] in _SENDS]
    for word in words:
        path = _API.search(word)
        if path and (data or method in ("POST", "PUT", "PATCH")):
            yield from _write(path[1], data, known)


def _write(
    path: str, data: Sequence[str], known: Variables
) -> Iterator[RotationAction | SuspectWrite]:
    """The actions of a write of `data` to a path of Vault's API."""
    for one in expand(path, known):
        parts = one.strip("/").split("/")
        role = next((i for i, p in enumerate(parts[:-1]) if p in _ROLES), 0)
        if role:
            yield RotationAction("database", parts[role + 1])
        elif parts[-3:-2] == ["keys"] and (parts[-1] == "rotate" or _is_automatic(data)):
            yield RotationAction("vault", "/".join(parts[:-1]))
        elif parts[-1] == "rotate" and len(parts) > 2:
            certain = "data" in parts[1:-1] and not data
            yield SuspectWrite(
                path=path, name=plain("/".join(parts[:-1])), location=NOWHERE, certain=certain
            )
        elif data and len(parts) > 1:
            yield RotationAction("vault", plain(one))


def plain(path: str) -> str:
    """A path of Vault's API without the `data` part: `secret/data/app` is `secret/app`."""
    parts = path.strip("/").split("/")
    at = parts.index("data", 1) if "data" in parts[1:] else None
    return "/".join(parts if at is None else parts[:at] + parts[at + 1 :])


def _aws(words: Sequence[str], known: Variables) -> Iterator[RotationAction]:
    if {"secretsmanager", "ssm"} & {*words} and _AWS_VERBS & {*words}:
        for one in expand(_option(words, "--secret-id", "--name") or "", known):
            yield RotationAction("aws", name_of(one))


def _azure(words: Sequence[str], known: Variables) -> Iterator[RotationAction]:
    what = _positional(words, ())
    if what[:1] == ["keyvault"] and tuple(what[1:3]) in _AZURE_VERBS:
        for one in expand(_option(words, "--name", "-n") or "", known):
            yield RotationAction("azure", one)


def _kubectl(words: Sequence[str], known: Variables) -> Iterator[RotationAction]:
    verb, *what = _positional(words, ()) or [""]
    name = ""
    if verb == "create" and what[:1] == ["secret"] and len(what) > 2 and what[1] in _KINDS:
        name = what[2]
    elif verb in ("patch", "replace") and what[:1] in (["secret"], ["secrets"]) and len(what) > 1:
        name = what[1]
    elif verb in ("patch", "replace") and what and what[0].startswith(("secret/", "secrets/")):
        name = what[0].partition("/")[2]
    for one in expand(name, known) if name else ():
        yield RotationAction("k8s", one)


def _keywatch(words: Sequence[str], known: Variables) -> Iterator[RotationAction]:
    """`keywatch rotate apply --secret ID` or `--now ID`."""
    if list(words[:2]) != ["rotate", "apply"]:
        return
    for name, following in zip_longest(words, words[1:], fillvalue=""):
        option, _, value = name.partition("=")
        if option in ("--secret", "--now"):
            for one in expand(value or following, known):
                yield from _canonical(one)


def _canonical(secret: str) -> Iterator[RotationAction]:
    scheme, _, path = secret.partition("://")
    _, *parts = path.split("/")
    if scheme == "vault" and len(parts) > 3 and parts[2] == "static-roles":
        yield RotationAction("database", parts[3])
    elif scheme == "vault" and len(parts) > 2:
        yield RotationAction("vault", "/".join(parts[1:]).replace("%2F", "/"))
    elif scheme in ("aws", "azure") and len(parts) > 2:
        name = "/".join(parts[3:] if scheme == "aws" else parts[2:])
        yield RotationAction(scheme, name)


def _positional(words: Sequence[str], without_value: set[str] | tuple[()]) -> list[str]:
    """The words without options and their values."""
    out, takes = [], False
    for word in words:
        if takes or word.startswith("-"):
            flag = "-" + word.lstrip("-") if without_value else word
            takes = not takes and flag in _TAKE_VALUES and flag not in without_value
        else:
            out.append(word)
    return out


def _option(words: Sequence[str], *names: str) -> str | None:
    """The value of an option: the text after its `=`, or the next word. None if it is absent."""
    for word, after in zip_longest(words, words[1:], fillvalue=""):
        name, equals, value = word.partition("=")
        if name in names or "-" + name.lstrip("-") in names:
            return value if equals else after
    return None


_TOOLS: Mapping[
    str, Callable[[Sequence[str], Variables], Iterator[RotationAction | SuspectWrite]]
] = {
    "vault": _vault,
    "bao": _vault,
    "curl": _curl,
    "aws": _aws,
    "az": _azure,
    "kubectl": _kubectl,
    "oc": _kubectl,
    "keywatch": _keywatch,
}
