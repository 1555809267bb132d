"""Policy: read Kubernetes manifests that declare, copy or rotate secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from scanner import document
from scanner.errors import ConfigError
from scanner.model import Location
from scanner.policy.declarations.model import DeclaredSecret, StoreReference
from scanner.policy.repository.rotating_commands import RotationAction

# The fields that name the Secret that an object is, or that its controller creates.
_MAKERS: Mapping[str, Sequence[Sequence[str]]] = {
    "Secret": [("metadata", "name")],
    "SealedSecret": [("spec", "template", "metadata", "name"), ("metadata", "name")],
    "ExternalSecret": [("spec", "target", "name"), ("metadata", "name")],
    "VaultStaticSecret": [("spec", "destination", "name")],
    "VaultDynamicSecret": [("spec", "destination", "name")],
    "VaultPKISecret": [("spec", "destination", "name")],
    "Certificate": [("spec", "secretName")],
}
KINDS = ("CronJob", "PushSecret", *_MAKERS)
"""The kinds of objects that are read. Files that name none of them are skipped."""

_MARK = re.compile(r"(?m)^---(?:[ \t].*)?$")
_MOST = 1000  # objects read from one file
_NEVER = re.compile(r"0+[a-z]*\Z")
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\Z")


class SyncedSecret(NamedTuple):
    """A Kubernetes Secret that is copied from a store. `source` is the name in the store."""

    secret: str
    source: str


class ManifestDocument(NamedTuple):
    """One YAML document of a file, and the line on which it starts."""

    text: str
    line: int

    def is_of(self, kind: str) -> bool:
        return re.search(rf"(?m)^kind:[ \t]*[\"']?{kind}\b", self.text) is not None


def split_documents(text: str) -> list[ManifestDocument]:
    """Split a YAML file into its documents."""
    starts = [0, *(mark.end() for mark in _MARK.finditer(text))]
    ends = [*(mark.start() for mark in _MARK.finditer(text)), len(text)]
    out, line, at = [], 1, 0
    for start, end in zip(starts, ends, strict=True):
        line += text.count("\n", at, start)
        at = start
        out.append(ManifestDocument(text[start:end], line))
    return out


def external(found: Sequence[ManifestDocument]) -> Iterator[RotationAction | SyncedSecret]:
    """The writes of ExternalSecrets and PushSecrets, and the Secrets that are copied from a store.

    Helm templates are skipped, because they are not valid YAML.
    """
    kinds = ("ExternalSecret", "PushSecret")
    objects = list(islice((data for part in found for data in _objects(part, kinds)), _MOST))
    made: set[str] = set()
    for data in objects:
        if data.get("kind") == "ExternalSecret" and _refreshes(data):
            target = _text(data, "spec", "target", "name") or _text(data, "metadata", "name")
            if _generates(data):
                made.add(target)
                yield RotationAction("k8s", target)
            yield from (SyncedSecret(target, source) for source in _sources(data))
    for data in objects:
        if data.get("kind") == "PushSecret" and _refreshes(data):
            pushed = _text(data, "spec", "selector", "secret", "name")
            if _generates(data) or pushed in made:
                yield from (RotationAction("any", source) for source in _targets(data))


def declared(found: Sequence[ManifestDocument], path: str) -> Iterator[DeclaredSecret]:
    """The Secrets that the manifests define or create. Their cluster is not known."""
    for part in islice(found, _MOST):
        for data in _objects(part, tuple(_MAKERS)):
            name = next(filter(None, (_text(data, *keys) for keys in _MAKERS[data["kind"]])), "")
            namespace = _text(data, "metadata", "namespace")
            if _NAME.match(name):
                yield DeclaredSecret(
                    scheme="k8s",
                    segments=(None, namespace or None, "secret", name),
                    key="",
                    name=(name,),
                    store="",
                    written=name,
                    location=Location.at(path, part.line),
                    form=StoreReference(scheme="k8s"),
                )


def _objects(part: ManifestDocument, kinds: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    if not any(map(part.is_of, kinds)):
        return
    try:
        data = document.parse(part.text.encode(errors="replace"), "manifest").data
    except ConfigError:
        return
    if isinstance(data, dict) and data.get("kind") in kinds:
        yield data


def _refreshes(data: Mapping[str, Any]) -> bool:
    """Whether the object is refreshed. The default interval is one hour; 0 means never."""
    every = _at(data, "spec", "refreshInterval")
    return every is None or not _NEVER.match(str(every))


def _generates(data: Mapping[str, Any]) -> bool:
    return "generatorRef" in str(data.get("spec"))


def _sources(data: Mapping[str, Any]) -> Iterator[str]:
    for item in _list(data, "spec", "data"):
        yield _text(item, "remoteRef", "key")
    for item in _list(data, "spec", "dataFrom"):
        yield _text(item, "extract", "key")


def _targets(data: Mapping[str, Any]) -> Iterator[str]:
    for item in _list(data, "spec", "data"):
        yield _text(item, "match", "remoteRef", "remoteKey")


def _at(data: Any, *keys: str) -> Any:
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _text(data: Any, *keys: str) -> str:
    return str(_at(data, *keys) or "").strip("/")


def _list(data: Any, *keys: str) -> list[Any]:
    found = _at(data, *keys)
    return found if isinstance(found, list) else []
