"""Inventory: which namespaces and mounts of a Vault are read, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import chain
from typing import Any, NamedTuple
from urllib.parse import quote

from hvac import Client

from scanner.inventory.vault import access_credentials, options
from scanner.inventory.vault.catalog import ENGINES, HOLDS_NOTHING, engine
from scanner.inventory.vault.errors import Trouble, cut, gap
from scanner.inventory.vault.mount import Mount, Place, Samples, opened
from scanner.inventory.vault.requests import Next, Step
from scanner.model import Gap, GapKind, Note, NoteKind
from scanner.records import Record

_NAME_THEM = "grant it, or name the mounts in the operator's file, as mounts: [secret]"
_NO_MOUNT = "there is no mount of that name, or the token has no right below it"


class Session(NamedTuple):
    """An open Vault, and what is asked of it. `client` makes one for a namespace, and its text
    shows no token. `samples` is filled on the way, `fresh` is that of the settings."""

    backend: str
    options: Mapping[str, Any]
    client: Callable[[str], Client]
    now: datetime
    enterprise: bool
    samples: Samples
    fresh: Mapping[str, Record]

    def place(self, namespace: str) -> Place:
        return Place(
            backend=self.backend,
            namespace=namespace,
            client=self.client(namespace),
            now=self.now,
            samples=self.samples,
            keys=self.options.get("keys", False),
            fresh=self.fresh,
        )


def steps(session: Session) -> Iterator[Step]:
    """A step for each namespace that is asked for, and one that leads to those below it."""
    for name, deep in options.namespaces(session.options):
        place = session.place(name)
        yield Step(place.id(), partial(_namespace, session, place))
        if deep:
            yield Step(place.id(), partial(_below, session, place))


def _below(session: Session, place: Place) -> Iterator[Step]:
    names = Mount(place, "sys").names("namespaces/")
    return (
        Step(inner.id(), partial(run, session, inner))
        for name in names
        for inner in [session.place(f"{place.namespace}/{name}".strip("/"))]
        for run in (_namespace, _below)
    )


def _namespace(session: Session, place: Place) -> Iterator[Next]:
    told: Sequence[Gap] = ()
    if session.enterprise:
        place, told = _with_orphans(place)
    return chain(told, _engines(session, place), _groups(session, place))


def _with_orphans(place: Place) -> tuple[Place, Sequence[Gap]]:
    """The place that knows whose rotation Vault Enterprise has given up; older ones do not say."""
    try:
        answer = place.client.adapter.get("/v1/sys/rotation/orphans")
    except Trouble as error:
        return place, [] if error.status == 404 else [gap(place.id(), error)]
    orphans = (answer.get("data") or answer)["orphans"]
    return place._replace(orphans=frozenset(map(str, orphans))), []


def _engines(session: Session, place: Place) -> Iterator[Step]:
    named = session.options.get("mounts")
    if not named:
        yield Step(place.id(), partial(_mounts, place), advice=_NAME_THEM)
    for name in named or ():
        # A name of several parts may be that of a mount, or end in a folder.
        where = place.id() if "/" in name else place.id(name)
        yield Step(where, partial(_named, place, name.strip("/")), advice=_NO_MOUNT)


def _groups(session: Session, place: Place) -> Iterator[Step]:
    for group in session.options.get("groups", ()):
        if group != "barrier" or not place.namespace:  # there is one, the root's
            yield access_credentials.opened(place, group)


def _mounts(place: Place) -> Iterator[Next]:
    found = place.client.sys.list_mounted_secrets_engines()["data"]
    mounts = [
        (Mount(place, path.strip("/")), engine(about)) for path, about in sorted(found.items())
    ]
    return (one for mount, kind in mounts for one in _shelves(mount, kind))


def _named(place: Place, name: str) -> Iterator[Next]:
    """A mount that the operator names, or a folder in one."""
    about = place.client.adapter.get(f"/v1/sys/internal/ui/mounts/{quote(name)}")["data"]
    path = about["path"].strip("/")
    if not f"{name}/".startswith(f"{path}/"):
        raise ValueError("the path of another mount")
    folder = name.removeprefix(path).strip("/")
    mount = Mount(place, path)
    kind = engine(about)
    if kind not in ENGINES:
        reason = f"keywatch does not read its engine: {cut(kind)}"
        return iter([Gap(kind=GapKind.ENGINE_NOT_READ, path=mount.id(), reason=reason)])
    if folder and not kind.startswith("kv"):
        reason = "only of key/value a folder can be read"
        return iter([Gap(kind=GapKind.SELECTION, path=mount.id(folder), reason=reason)])
    return _shelves(mount, kind, f"{folder}/" if folder else "")


def _shelves(mount: Mount, kind: str, folder: str = "") -> Iterator[Next]:
    for shelf in ENGINES.get(kind, ()):
        yield opened(mount, shelf, folder)
    if kind not in ENGINES and kind not in HOLDS_NOTHING:
        text = f"keywatch does not read its engine: {cut(kind)}"
        yield Note(kind=NoteKind.ENGINE_NOT_READ, path=mount.id(), text=text)
