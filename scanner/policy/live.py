"""Policy: what a repository declares, held against what live stores hold.

Records pass by one at a time, from several threads where stores are read at once; nothing is kept
of them but which declarations they meet.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlsplit

from scanner.model import Finding, Gap, Note
from scanner.policy import addresses
from scanner.policy.addresses import Pattern
from scanner.policy.declared import by_secret, is_listed
from scanner.policy.live_rules import (
    ADDRESS_DIFFERS,
    BY_ID,
    KEY_ABSENT,
    OF,
    ROLE_IS_AUDITOR,
    ROTATED_ELSEWHERE,
)
from scanner.policy.manifests import Synced
from scanner.policy.matching import Shelf
from scanner.policy.rotation import Condition, Judged, utc
from scanner.policy.rules import finding_of
from scanner.policy.terms import VARIABLE, Declared, Form, Match
from scanner.records import Dated, Record

# Where in an id the name begins by which its own store knows a secret.
_NAMES = {"vault": 3, "aws": 4, "azure": 3}
_PORTS = {"http": 80, "https": 443}


class Store(NamedTuple):
    """A live store that the operator names. `addresses`: where it is, none where nobody can say so
    in a repository. `identities`: as whom the audit logs in. `scope`: globs of what is read."""

    name: str
    scheme: str
    scope: Sequence[Pattern]
    addresses: Collection[str] = ()
    identities: Collection[str] = ()


class Repository(NamedTuple):
    """What a repository says: the secrets of configs/secrets, and those that its manifests make and
    follow. `copies`: declared copies of a password that nothing writes, and the role of a database
    engine whose rotation changes the password itself."""

    declared: Sequence[Declared] = ()
    made: Sequence[Declared] = ()
    synced: Collection[Synced] = ()
    copies: Mapping[Declared, str] = MappingProxyType({})


class Placed(NamedTuple):
    """A judged secret and the `file:line` that it is declared at, else that of its entry; "" where
    the repository does not know it."""

    judged: Judged
    where: str


class Comparison:
    """One repository against all stores of the operator's file."""

    def __init__(
        self, repository: Repository, stores: Sequence[Store], environ: Mapping[str, str]
    ) -> None:
        self._said = repository
        self._homes = _Homes(stores, environ)
        self._sources = {one.source for one in repository.synced}
        self._roles = set(repository.copies.values())
        self._all = Shelf((one, _last(one)) for one in (*repository.declared, *repository.made))
        self._there: set[Declared] = set()
        self._namespaces: set[tuple[str | None, ...]] = set()
        self._absent: dict[tuple[Declared, str], Finding] = {}
        self._written: dict[Declared, Dated] = {}
        self._rotated: dict[str, Dated] = {}

    def placed(self, judged: Judged, match: Match | None) -> Placed:
        """Where it is declared. What nothing knows is no more without a class, but unmanaged."""
        scheme, segments = addresses.split(judged.record.id)
        met = [one for one in self._all.of(segments) if self._is(one, scheme, segments)]
        self._keep(judged.record, scheme, segments, met)
        if met:
            return Placed(judged, met[0].where)
        if match or not self._sources.isdisjoint(_names(scheme, segments)):
            return Placed(judged, match.entry.where if match else "")
        return Placed(_unmanaged(judged), "")

    def findings(self, gaps: Sequence[Gap]) -> Iterator[Finding]:
        """What is missing, and what else differs, once all records have passed. What a gap may hide
        is not missing: there is one, too, for each store that was not asked."""
        for form in dict.fromkeys(one.form for one in self._said.declared):
            yield from self._homes.differences(form)
        declared = [one for one, *_ in by_secret(self._said.declared) if is_listed(one)]
        known = {one.id for one in declared}
        others = (one for one in self._said.made if one.id not in known)
        made = {one.id: one for one in others if self._has_namespace(one)}
        for one in (*declared, *made.values()):
            if self._is_missing(one, gaps):
                yield self._missing(one)
        yield from self._absent.values()
        yield from self._stale_copies()

    def notes(self) -> Iterator[Note]:
        """The declared secrets that lie where nothing was to be read."""
        for one, *_ in by_secret(self._said.declared):
            if not self._homes.of(one) and not self._homes.is_foreign(one.form):
                path, _, line = one.where.rpartition(":")
                text = f"{one.said} lies in no store that the operator's file names"
                yield Note(kind="not-audited", path=path, line=int(line), text=text)

    def _is(self, one: Declared, scheme: str, segments: Sequence[str]) -> bool:
        same = one.scheme == scheme and len(one.segments) == len(segments)
        return same and _agree(one, segments) and segments[0] in self._homes.of(one)

    def _keep(
        self, record: Record, scheme: str, segments: Sequence[str], met: Sequence[Declared]
    ) -> None:
        self._there.update(met)
        if scheme == "k8s":
            self._namespaces.add(tuple(segments[:2]))
        for one in met:
            if one.key and record.keys is not None and one.key not in record.keys:
                self._absent[one, record.id] = _absent(one, record)
            if record.dated and one in self._said.copies:
                self._written[one] = record.dated
        if record.dated and segments[-2:-1] == ["static-roles"] and segments[-1] in self._roles:
            self._rotated[segments[-1]] = record.dated

    def _has_namespace(self, one: Declared) -> bool:
        """A manifest goes to some cluster: to one at most that has its namespace."""
        return any((home, one.segments[1]) in self._namespaces for home in self._homes.of(one))

    def _is_missing(self, one: Declared, gaps: Sequence[Gap]) -> bool:
        homes = self._homes.of(one)
        hidden = any(_hides(gap, one, homes) for gap in gaps)
        return bool(homes) and one not in self._there and not hidden

    def _missing(self, one: Declared) -> Finding:
        homes = sorted(self._homes.of(one))
        detail = f"{' and '.join(homes)} has no {one.said}"
        return finding_of(OF[Condition.MISSING], one.where, detail, _id(one, homes))

    def _stale_copies(self) -> Iterator[Finding]:
        """A copy that is newer than the last rotation is written by something after all."""
        for one, role in self._said.copies.items():
            written, rotated = self._written.get(one), self._rotated.get(role)
            since = rotated.latest if rotated else None
            if one not in self._there or (since and written and _is_after(written, since)):
                continue
            last = f", the last time on {utc(since)}" if since else ""
            detail = (
                f"rotating the role {role} changes the password in the database{last}; the copy at "
                f"{one.said} is written by nothing here"
            )
            yield finding_of(BY_ID[ROTATED_ELSEWHERE], one.where, detail, one.id)


class _Homes:
    """The stores in which a declared secret may lie, by the address that its file gives."""

    def __init__(self, stores: Sequence[Store], environ: Mapping[str, str]) -> None:
        self._stores = stores
        self._environ = environ
        self._known: dict[Declared, frozenset[str]] = {}

    def of(self, one: Declared) -> frozenset[str]:
        """Their names."""
        if one not in self._known:
            self._known[one] = frozenset(
                each.name
                for each in self._at(one.form)
                if any(glob.fits(one) for glob in each.scope)
            )
        return self._known[one]

    def is_foreign(self, form: Form) -> bool:
        return not self._at(form) and any(each.scheme == form.scheme for each in self._stores)

    def differences(self, form: Form) -> Iterator[Finding]:
        """The form's address and identity are shown as they are written, never filled in."""
        if self.is_foreign(form):
            detail = f"the operator's file names no store at {form.address}"
            yield finding_of(BY_ID[ADDRESS_DIFFERS], form.where, detail, form.address)
        who = _filled(form.identity, self._environ)
        for each in self._at(form):
            if who and who in each.identities:
                detail = f"{form.identity} is as whom the audit logs in to {each.name}"
                yield finding_of(BY_ID[ROLE_IS_AUDITOR], form.identity_where, detail, form.identity)

    def _at(self, form: Form) -> list[Store]:
        """Those at the form's address: all of its kind where it is not known."""
        said = _filled(form.address, self._environ)
        return [
            each
            for each in self._stores
            if each.scheme == form.scheme
            and (not (said and each.addresses) or _place(said) in map(_place, each.addresses))
        ]


def _filled(text: str, environ: Mapping[str, str]) -> str:
    """The text with its variables filled in; "" where what it says is not known here."""
    if not all(map(environ.get, VARIABLE.findall(text))) or "{" in VARIABLE.sub("", text):
        return ""
    return VARIABLE.sub(lambda match: environ[match[1]], text)


def _place(address: str) -> tuple[str, str, int | None, str]:
    """What of an address tells two stores apart."""
    try:
        parts = urlsplit(address)
        port = parts.port or _PORTS.get(parts.scheme)
        return parts.scheme, parts.hostname or "", port, parts.path.rstrip("/")
    except ValueError:
        return "", address, None, ""


def _last(one: Declared) -> str | None:
    """The last part of its id that is known."""
    return next(filter(None, reversed(one.segments)), None)


def _agree(one: Declared, segments: Sequence[str]) -> bool:
    pairs = zip(one.segments[1:], segments[1:], strict=False)
    return all(own is None or own == part for own, part in pairs)


def _hides(gap: Gap, one: Declared, homes: Collection[str]) -> bool:
    """Does the gap stand for the secret, or for something around it?"""
    scheme, segments = addresses.split(gap.path)
    around = scheme == one.scheme and segments[0] in homes and len(segments) <= len(one.segments)
    return around and _agree(one, segments)


def _names(scheme: str, segments: Sequence[str]) -> Iterator[str]:
    """What an External Secret may call it: its store says the rest."""
    if scheme in _NAMES:
        yield "/".join(segments[_NAMES[scheme] :])
    if scheme == "vault":
        mount = "".join(segments[2:3]).replace("%2F", "/")
        yield "/".join([mount, *segments[3:]])
        yield "/".join([mount, "data", *segments[3:]])


def _id(one: Declared, homes: Sequence[str]) -> str:
    return one.id.replace("*", homes[0], 1) if len(homes) == 1 else one.id


def _absent(one: Declared, record: Record) -> Finding:
    detail = f"{record.id} has no key {one.key}"
    return finding_of(BY_ID[KEY_ABSENT], one.where, detail, f"{record.id}#{one.key}")


def _unmanaged(judged: Judged) -> Judged:
    """No entry is about it, which says less than that nothing declares it."""
    text = "neither keywatch.yaml, configs/secrets nor a manifest knows it"
    return judged._replace(
        conditions=tuple(
            seen._replace(condition=Condition.UNMANAGED, detail=text)
            if seen.condition == Condition.NOT_CONFIGURED
            else seen
            for seen in judged.conditions
        )
    )


def _is_after(dated: Dated, moment: datetime) -> bool:
    return dated.earliest is not None and dated.earliest >= moment
