"""Inventory: which namespaces and mounts of a Vault are read, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import chain
from typing import Any, NamedTuple
from urllib.parse import quote

from hvac import Client

from scanner.inventory.errors import ReadError, gap, shortened
from scanner.inventory.vault import access_credentials, options
from scanner.inventory.vault.engine_types import ENGINES, WITHOUT_SECRETS, engine_type
from scanner.inventory.vault.mounts import Mount, Namespace, Samples, read_step
from scanner.inventory.vault.parallel_requests import Step, StepResult
from scanner.model import Gap, GapKind, Note, NoteKind
from scanner.records import Record

_NAME_THE_MOUNTS = "grant it, or list the mounts in the operator config: mounts: [secret]"
_NO_MOUNT = "the mount does not exist, or the token has no permission below it"


class Connection(NamedTuple):
    """An unsealed Vault that the auditor is logged in to, and what to read there.

    `client` creates a client for a namespace; its repr does not show the token. `samples` is filled
    while entries are read. `fresh` is that of the settings.
    """

    backend: str
    options: Mapping[str, Any]
    client: Callable[[str], Client]
    now: datetime
    enterprise: bool
    samples: Samples
    fresh: Mapping[str, Record]

    def namespace(self, path: str) -> Namespace:
        return Namespace(
            backend=self.backend,
            path=path,
            client=self.client(path),
            now=self.now,
            samples=self.samples,
            keys=self.options.get("keys", False),
            fresh=self.fresh,
        )


def steps(connection: Connection) -> Iterator[Step]:
    """The steps that read each configured namespace and, if asked for, those below it."""
    for path, deep in options.namespaces(connection.options):
        namespace = connection.namespace(path)
        yield Step(id=namespace.id(), run=partial(_namespace, connection, namespace))
        if deep:
            yield Step(id=namespace.id(), run=partial(_below, connection, namespace))


def _below(connection: Connection, namespace: Namespace) -> Iterator[Step]:
    names = Mount(namespace=namespace, path="sys").names("namespaces/")
    return (
        Step(id=inner.id(), run=partial(run, connection, inner))
        for name in names
        for inner in [connection.namespace(f"{namespace.path}/{name}".strip("/"))]
        for run in (_namespace, _below)
    )


def _namespace(connection: Connection, namespace: Namespace) -> Iterator[StepResult]:
    gaps: Sequence[Gap] = ()
    if connection.enterprise:
        namespace, gaps = _with_orphans(namespace)
    return chain(gaps, _engines(connection, namespace), _groups(connection, namespace))


def _with_orphans(namespace: Namespace) -> tuple[Namespace, Sequence[Gap]]:
    """The namespace with the paths that Vault Enterprise no longer rotates.

    Older versions do not have this list.
    """
    try:
        answer = namespace.client.adapter.get("/v1/sys/rotation/orphans")
    except ReadError as error:
        return namespace, [] if error.status == 404 else [gap(namespace.id(), error)]
    orphans = (answer.get("data") or answer)["orphans"]
    return namespace._replace(orphans=frozenset(map(str, orphans))), []


def _engines(connection: Connection, namespace: Namespace) -> Iterator[Step]:
    names = connection.options.get("mounts")
    if not names:
        yield Step(id=namespace.id(), run=partial(_mounts, namespace), advice=_NAME_THE_MOUNTS)
    for name in names or ():
        # A name with slashes may be a mount, or a mount and a folder.
        path = namespace.id() if "/" in name else namespace.id(name)
        yield Step(id=path, run=partial(_named, namespace, name.strip("/")), advice=_NO_MOUNT)


def _groups(connection: Connection, namespace: Namespace) -> Iterator[Step]:
    for group in connection.options.get("groups", ()):
        if group != "barrier" or not namespace.path:  # only the root has a barrier key
            yield access_credentials.group_step(namespace, group)


def _mounts(namespace: Namespace) -> Iterator[StepResult]:
    found = namespace.client.sys.list_mounted_secrets_engines()["data"]
    mounts = [
        (Mount(namespace=namespace, path=path.strip("/")), engine_type(description))
        for path, description in sorted(found.items())
    ]
    return (result for mount, engine in mounts for result in _read(mount, engine))


def _named(namespace: Namespace, name: str) -> Iterator[StepResult]:
    """A mount that the operator config names, or a folder in one."""
    url = f"/v1/sys/internal/ui/mounts/{quote(name)}"
    description = namespace.client.adapter.get(url)["data"]
    path = description["path"].strip("/")
    if not f"{name}/".startswith(f"{path}/"):
        raise ValueError("the path of another mount")
    folder = name.removeprefix(path).strip("/")
    mount = Mount(namespace=namespace, path=path)
    engine = engine_type(description)
    if engine not in ENGINES:
        reason = f"keywatch does not support its engine: {shortened(engine)}"
        return iter([Gap(kind=GapKind.ENGINE_NOT_READ, path=mount.id(), reason=reason)])
    if folder and not engine.startswith("kv"):
        reason = "only a key/value engine has folders"
        return iter([Gap(kind=GapKind.SELECTION, path=mount.id(folder), reason=reason)])
    return _read(mount, engine, f"{folder}/" if folder else "")


def _read(mount: Mount, engine: str, folder: str = "") -> Iterator[StepResult]:
    for entry_type in ENGINES.get(engine, ()):
        yield read_step(mount, entry_type, folder)
    if engine not in ENGINES and engine not in WITHOUT_SECRETS:
        text = f"keywatch does not support its engine: {shortened(engine)}"
        yield Note(kind=NoteKind.ENGINE_NOT_READ, path=mount.id(), text=text)
