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

from scanner.model import Finding, Gap, Note, NoteKind
from scanner.policy.declarations import secret_ids as addresses
from scanner.policy.declarations.matching import WordIndex
from scanner.policy.declarations.model import VARIABLE, DeclaredSecret, Match, StoreReference
from scanner.policy.declarations.secret_ids import Pattern
from scanner.policy.declarations.secrets_files import is_listed
from scanner.policy.live.rotation_age import Condition, JudgedSecret, utc
from scanner.policy.live.rules import (
    ADDRESS_DIFFERS,
    BY_ID,
    KEY_ABSENT,
    OF,
    ROLE_IS_AUDITOR,
    ROTATED_ELSEWHERE,
)
from scanner.policy.repository.manifests import SyncedSecret
from scanner.policy.rules import finding_of
from scanner.records import Dated, Record

# Where in an id the name begins by which its own store knows a secret.
_NAMES = {"vault": 3, "aws": 4, "azure": 3}
_WITH_KEYS = "kv-v2"  # whose keys have names that can be asked for
_PORTS = {"http": 80, "https": 443}


class Store(NamedTuple):
    """A live store that the operator names. `addresses`: where it is, none where nobody can say so
    in a repository. `identities`: as whom the audit logs in. `scope`: globs of what is read."""

    name: str
    scheme: str
    scope: Sequence[Pattern]
    addresses: Collection[str] = ()
    identities: Collection[str] = ()


class RepositorySecrets(NamedTuple):
    """What a repository says: the secrets of configs/secrets, and those that its manifests make and
    follow. `copies`: declared copies of a password that nothing writes, and the role of a database
    engine whose rotation changes the password itself."""

    declared: Sequence[DeclaredSecret] = ()
    made: Sequence[DeclaredSecret] = ()
    synced: Collection[SyncedSecret] = ()
    copies: Mapping[DeclaredSecret, str] = MappingProxyType({})


class LocatedSecret(NamedTuple):
    """A judged secret and the `file:line` that it is declared at, else that of its entry; "" where
    the repository does not know it."""

    judged: JudgedSecret
    where: str


class Comparison:
    """One repository against all stores of the operator's file."""

    def __init__(
        self, repository: RepositorySecrets, stores: Sequence[Store], environ: Mapping[str, str]
    ) -> None:
        self._stores_of = _StoreLookup(stores, environ)
        self._declared = [self._expected(one, repository) for one in repository.declared]
        self._made = [self._expected(one, repository) for one in repository.made]
        self._all = WordIndex([*self._declared, *self._made], _words)
        self._sources = {one.source for one in repository.synced}
        self._roles = set(repository.copies.values())
        self._rotated: dict[str, Dated] = {}
        self._namespaces: set[tuple[str | None, ...]] = set()

    def _expected(self, one: DeclaredSecret, repository: RepositorySecrets) -> _Expectation:
        return _Expectation(one, self._stores_of.of(one), repository.copies.get(one, ""))

    def locate(self, judged: JudgedSecret, match: Match | None) -> LocatedSecret:
        """Where it is declared. What nothing knows is no more without a class, but unmanaged."""
        record = judged.record
        scheme, segments = addresses.split(record.id)
        met = [each for each in self._all.of(segments) if each.fits(scheme, segments)]
        for each in met:
            each.meet(record)
        self._keep(record, scheme, segments)
        if met:
            return LocatedSecret(judged, met[0].declared.where)
        if match or not self._sources.isdisjoint(_names(scheme, segments)):
            return LocatedSecret(judged, match.entry.where if match else "")
        return LocatedSecret(_unmanaged(judged), "")

    def _keep(self, record: Record, scheme: str, segments: Sequence[str]) -> None:
        if scheme == "k8s":
            self._namespaces.add(tuple(segments[:2]))
        if record.dated and segments[-2:-1] == ["static-roles"] and segments[-1] in self._roles:
            self._rotated[segments[-1]] = record.dated

    def findings(self, gaps: Sequence[Gap]) -> Iterator[Finding]:
        """What is missing, and what else differs, once all records have passed. What a gap may hide
        is not missing: there is one, too, for each store that was not asked."""
        for form in dict.fromkeys(each.declared.form for each in self._declared):
            yield from self._stores_of.differences(form)
        for each in self._once_each():
            if each.stores and not each.seen and not any(map(each.is_hidden_by, gaps)):
                yield each.missing()
        for each in self._declared:
            yield from each.absent.values()
            yield from self._stale(each)

    def notes(self) -> Iterator[Note]:
        """The declared secrets that lie where nothing was to be read, and keys that nobody asked
        for."""
        unasked = [each.declared for each in self._declared if each.is_unasked]
        if unasked:
            path, _, line = unasked[0].where.rpartition(":")
            text = (
                f"declared keys that were not checked: {len(unasked):,}; set `keys: true` for the "
                "backend to read their names"
            )
            yield Note(kind=NoteKind.KEYS_NOT_COMPARED, path=path, line=int(line), text=text)
        for one in (each.declared for each in self._once_each() if not each.stores):
            if not self._stores_of.is_foreign(one.form):
                path, _, line = one.where.rpartition(":")
                text = f"{one.said} is in no store that the operator config lists"
                yield Note(kind=NoteKind.NOT_AUDITED, path=path, line=int(line), text=text)

    def _once_each(self) -> list[_Expectation]:
        """The first declaration of each secret that its store would list. A manifest goes to some
        cluster: to one at most that has its namespace."""
        known = {each.declared.id for each in self._declared}
        made = [
            each
            for each in self._made
            if each.declared.id not in known
            and any((store, each.declared.segments[1]) in self._namespaces for store in each.stores)
        ]
        first: dict[tuple[str, str], _Expectation] = {}
        for each in (*self._declared, *made):
            if is_listed(each.declared):
                first.setdefault((each.declared.store, each.declared.id), each)
        return list(first.values())

    def _stale(self, copy: _Expectation) -> Iterator[Finding]:
        """A copy that is newer than the last rotation is written by something after all."""
        one, rotated = copy.declared, self._rotated.get(copy.role)
        since = rotated.latest if rotated else None
        if not (copy.role and copy.seen) or (since and copy.is_written_since(since)):
            return
        last = f", the last time on {utc(since)}" if since else ""
        detail = (
            f"rotating the role {copy.role} changes the password in the database{last}; the copy "
            f"at {one.said} is written by nothing here"
        )
        yield finding_of(BY_ID[ROTATED_ELSEWHERE], one.where, detail, copy.seen)


class _Expectation:
    """A declaration, the stores that it may lie in, and what was seen of it there. `role` is as in
    `copies`, "" where it is none."""

    def __init__(self, declared: DeclaredSecret, stores: frozenset[str], role: str) -> None:
        self.declared = declared
        self.stores = stores
        self.role = role
        self.seen = ""  # the id of the last record that is it
        self.absent: dict[str, Finding] = {}
        self.is_unasked = False
        self._dated: Dated | None = None

    def fits(self, scheme: str, segments: Sequence[str]) -> bool:
        same = len(self.declared.segments) == len(segments)
        return same and self._is_around(scheme, segments)

    def meet(self, record: Record) -> None:
        self.seen = record.id
        self._dated = record.dated
        key = self.declared.key
        self.is_unasked |= bool(key) and record.keys is None and record.kind == _WITH_KEYS
        if key and record.keys is not None and key not in record.keys:
            detail, context = f"{record.id} has no key {key}", f"{record.id}#{key}"
            self.absent[record.id] = finding_of(
                BY_ID[KEY_ABSENT], self.declared.where, detail, context
            )

    def is_hidden_by(self, gap: Gap) -> bool:
        """Does the gap stand for the secret, or for something around it?"""
        scheme, segments = addresses.split(gap.path)
        return len(segments) <= len(self.declared.segments) and self._is_around(scheme, segments)

    def is_written_since(self, moment: datetime) -> bool:
        written = self._dated.earliest if self._dated else None
        return written is not None and written >= moment

    def missing(self) -> Finding:
        one, stores = self.declared, sorted(self.stores)
        name = one.id.replace("*", stores[0], 1) if len(stores) == 1 else one.id
        detail = f"{one.said} does not exist in {' or '.join(stores)}"
        return finding_of(OF[Condition.MISSING], one.where, detail, name)

    def _is_around(self, scheme: str, segments: Sequence[str]) -> bool:
        """Do as many parts of its id agree as there are?"""
        if scheme != self.declared.scheme or segments[0] not in self.stores:
            return False
        pairs = zip(self.declared.segments[1:], segments[1:], strict=False)
        return all(own is None or own == part for own, part in pairs)


class _StoreLookup:
    """The stores in which a declared secret may lie, by the address that its file gives."""

    def __init__(self, stores: Sequence[Store], environ: Mapping[str, str]) -> None:
        self._stores = stores
        self._environ = environ

    def of(self, one: DeclaredSecret) -> frozenset[str]:
        """Their names."""
        stores = self._at(one.form)
        return frozenset(each.name for each in stores if any(g.fits(one) for g in each.scope))

    def is_foreign(self, form: StoreReference) -> bool:
        return not self._at(form) and any(each.scheme == form.scheme for each in self._stores)

    def differences(self, form: StoreReference) -> Iterator[Finding]:
        """The form's address and identity are shown as they are written, never filled in."""
        if self.is_foreign(form):
            detail = f"the operator config lists no store at {form.address}"
            yield finding_of(BY_ID[ADDRESS_DIFFERS], form.where, detail, form.address)
        who = _filled(form.identity, self._environ)
        for each in self._at(form):
            if who and who in each.identities:
                detail = f"the audit logs in to {each.name} as {form.identity}, too"
                yield finding_of(BY_ID[ROLE_IS_AUDITOR], form.identity_where, detail, form.identity)

    def _at(self, form: StoreReference) -> list[Store]:
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


def _place(address: str) -> tuple[object, ...]:
    """What of an address tells two stores apart. A name before an `@` is never the operator's."""
    try:
        parts = urlsplit(address)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return (address,)
    path = parts.path.rstrip("/")
    return (parts.scheme, parts.username, parts.hostname, port, path, parts.query, parts.fragment)


def _words(each: _Expectation) -> Sequence[str]:
    """The parts of its id that are known."""
    return [*filter(None, each.declared.segments)]


def _names(scheme: str, segments: Sequence[str]) -> Iterator[str]:
    """What an External Secret may call it: its store says the rest."""
    if scheme in _NAMES:
        yield "/".join(segments[_NAMES[scheme] :])
    if scheme == "vault":
        mount = "".join(segments[2:3]).replace("%2F", "/")
        yield "/".join([mount, *segments[3:]])
        yield "/".join([mount, "data", *segments[3:]])


def _unmanaged(judged: JudgedSecret) -> JudgedSecret:
    """No entry is about it, which says less than that nothing declares it."""
    text = "It is not declared in keywatch.yaml, configs/secrets or any manifest"
    return judged._replace(
        conditions=tuple(
            seen._replace(condition=Condition.UNMANAGED, detail=text)
            if seen.condition == Condition.NOT_CONFIGURED
            else seen
            for seen in judged.conditions
        )
    )
