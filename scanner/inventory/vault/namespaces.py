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
from scanner.inventory.vault import access_credentials, certificates, options
from scanner.inventory.vault.engine_types import ENGINES, WITHOUT_SECRETS, engine_type
from scanner.inventory.vault.mounts import Mount, Namespace, Samples, canonical, read_step
from scanner.inventory.vault.parallel_requests import Step, StepResult
from scanner.model import Gap, GapKind, Note, NoteKind
from scanner.records import Record

_NAME_THE_MOUNTS = "grant it, or list the mounts in the operator config: mounts: [secret]"
_NAMED = 10
_LIST_NAMESPACES = "the namespaces below it are unknown"
_NO_MOUNT = "the mount does not exist, or the token has no permission below it"


class Connection(NamedTuple):
    """An unsealed Vault that the auditor is logged in to, and what to read there.

    `client` creates a client for a namespace; its repr does not show the token. `samples` is filled
    while entries are read. `fresh` is that of the settings. `own_accessor` is that of the auditor's
    token, "" if it is unknown.
    """

    backend: str
    options: Mapping[str, Any]
    client: Callable[[str], Client]
    now: datetime
    enterprise: bool
    samples: Samples
    fresh: Mapping[str, Record]
    own_accessor: str

    def namespace(self, path: str) -> Namespace:
        return Namespace(
            backend=self.backend,
            path=path,
            client=self.client(path),
            now=self.now,
            samples=self.samples,
            keys=self.options.get("keys", False),
            fresh=self.fresh,
            leases={},
            own_accessor=self.own_accessor,
        )


class VisibleMount(NamedTuple):
    """A mount to audit, its engine, and the folder to read in it, "" for all of it."""

    path: str
    engine: str
    folder: str


def visible(connection: Connection) -> Iterator[tuple[str, VisibleMount | str | None]]:
    """The mounts to audit, each with its namespace. Nothing in them is read.

    A namespace comes first with None. A text says why something in it cannot be seen.
    """
    pending = [*options.namespaces(connection.options)]
    while pending:
        path, deep = pending.pop(0)
        namespace = connection.namespace(path)
        yield path, None
        names = connection.options.get("mounts") or [""]
        for name in names:
            try:
                yield from ((path, mount) for mount in _visible_as(namespace, name.strip("/")))
            except ReadError as error:
                yield path, f"{name}: {error.reason}" if name else error.reason
        if deep:
            try:
                below = Mount(namespace=namespace, path="sys").names("namespaces/")
            except ReadError as error:
                yield path, error.reason
            else:
                pending += [(f"{path}/{name}".strip("/"), True) for name in below]


def _visible_as(namespace: Namespace, name: str) -> Iterator[VisibleMount]:
    """The mount of this name, or all mounts without a name."""
    if name:
        mount, engine, folder = _described(namespace, name)
        yield VisibleMount(path=mount.path, engine=engine, folder=folder)
        return
    found = namespace.client.sys.list_mounted_secrets_engines()["data"]
    for path, description in sorted(found.items()):
        yield VisibleMount(path=path.strip("/"), engine=engine_type(description), folder="")


def steps(connection: Connection) -> Iterator[Step]:
    """The steps that read each configured namespace and, if asked for, those below it."""
    for path, deep in options.namespaces(connection.options):
        namespace = connection.namespace(path)
        yield Step(id=namespace.id(), run=partial(_namespace, connection, namespace))
        if deep:
            yield _below_step(connection, namespace)
        elif not connection.options.get("mounts"):
            yield Step(id=namespace.id(), run=partial(_not_asked_for, connection, namespace))


def _below_step(connection: Connection, namespace: Namespace) -> Step:
    """If the list is denied, the whole store is unread from the root, because all is below it."""
    around = namespace.id() if namespace.path else canonical(connection.backend)
    return Step(id=around, run=partial(_below, connection, namespace), advice=_LIST_NAMESPACES)


def _not_asked_for(connection: Connection, namespace: Namespace) -> Iterator[StepResult]:
    """A note that names the namespaces below one, if they are not audited."""
    try:
        names = Mount(namespace=namespace, path="sys").names("namespaces/")
    except ReadError as error:
        if error.kind in ("absent", "denied", "refused"):  # also a Vault without namespaces
            return iter(())
        raise
    asked = {path for path, _ in options.namespaces(connection.options)}
    inner = [f"{namespace.path}/{name}".strip("/") for name in names]
    if left := [name for name in inner if name not in asked]:
        shown = ", ".join(map(shortened, left[:_NAMED]))
        more = f" and {len(left) - _NAMED:,} more" if len(left) > _NAMED else ""
        text = f"the namespaces below it are not audited: {shown}{more}"
        return iter([Note(kind=NoteKind.NOT_AUDITED, path=namespace.id(), text=text)])
    return iter(())


def _below(connection: Connection, namespace: Namespace) -> Iterator[Step]:
    names = Mount(namespace=namespace, path="sys").names("namespaces/")
    inner = (connection.namespace(f"{namespace.path}/{name}".strip("/")) for name in names)
    return (
        step
        for each in inner
        for step in (
            Step(id=each.id(), run=partial(_namespace, connection, each)),
            _below_step(connection, each),
        )
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
        return namespace, [] if error.status == 404 else [
            gap(namespace.id("sys", "rotation/orphans"), error)
        ]
    orphans = (answer.get("data") or answer)["orphans"]
    return namespace._replace(orphans=frozenset(map(str, orphans))), []


def _engines(connection: Connection, namespace: Namespace) -> Iterator[Step]:
    names = connection.options.get("mounts")
    if not names:
        yield Step(id=namespace.id(), run=partial(_mounts, namespace), advice=_NAME_THE_MOUNTS)
        yield access_credentials.users_step(namespace)
        yield access_credentials.oidc_step(namespace)
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
    mount, engine, folder = _described(namespace, name)
    if engine not in ENGINES:
        return iter(
            [Gap(kind=GapKind.ENGINE_NOT_READ, path=mount.id(), reason=_not_supported(engine))]
        )
    if folder and not engine.startswith("kv"):
        reason = "only a key/value engine has folders"
        return iter([Gap(kind=GapKind.SELECTION, path=mount.id(folder), reason=reason)])
    return _read(mount, engine, f"{folder}/" if folder else "")


def _described(namespace: Namespace, name: str) -> tuple[Mount, str, str]:
    """The mount of a configured name, its engine, and the rest of the name: a folder."""
    url = f"/v1/sys/internal/ui/mounts/{quote(name)}"
    description = namespace.client.adapter.get(url)["data"]
    path = description["path"].strip("/")
    if not f"{name}/".startswith(f"{path}/"):
        raise ValueError("the path of another mount")
    folder = name.removeprefix(path).strip("/")
    return Mount(namespace=namespace, path=path), engine_type(description), folder


def _read(mount: Mount, engine: str, folder: str = "") -> Iterator[StepResult]:
    for entry_type in ENGINES.get(engine, ()):
        yield read_step(mount, entry_type, folder)
    if engine == "pki":
        yield certificates.step(mount)
    if engine not in ENGINES and engine not in WITHOUT_SECRETS:
        yield Gap(kind=GapKind.ENGINE_NOT_READ, path=mount.id(), reason=_not_supported(engine))


def _not_supported(engine: str) -> str:
    return f"keywatch does not support its engine: {shortened(engine)}"
