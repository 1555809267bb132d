"""Policy: compare the secrets that a repository declares with those in live stores.

Records arrive one at a time, possibly from several threads. They are not kept; only the
declarations that they match are remembered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlsplit

from scanner.model import NOWHERE, Finding, Gap, Location, Note, NoteKind
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
from scanner.policy.live.unread import Place, covers, place, placed
from scanner.policy.repository.manifests import SyncedSecret
from scanner.policy.rules import finding_of
from scanner.records import Dated, Record

# The index of the id segment at which the store's own name of a secret starts.
_NAMES = {"vault": 3, "aws": 4, "azure": 3}
_WITH_KEYS = "kv-v2"  # the kind whose key names can be read
_PORTS = {"http": 80, "https": 443}


class Store(NamedTuple):
    """A live store of the operator config.

    `scope` holds globs of the secrets that are read. `addresses` are empty for stores whose address
    a repository cannot name. `identities` are the roles with which the audit logs in.
    """

    name: str
    scheme: str
    scope: Sequence[Pattern]
    addresses: Collection[str] = ()
    identities: Collection[str] = ()


class RepositorySecrets(NamedTuple):
    """The secrets of a repository.

    `declared` are those of configs/secrets, `made` those that manifests create, and `synced` those
    that External Secrets copies. `copies` maps declared copies of a password that nothing updates
    to the role of the database engine that rotates the password.
    """

    declared: Sequence[DeclaredSecret] = ()
    made: Sequence[DeclaredSecret] = ()
    synced: Collection[SyncedSecret] = ()
    copies: Mapping[DeclaredSecret, str] = MappingProxyType({})


class LocatedSecret(NamedTuple):
    """A judged secret and the location of its declaration, or else of its entry.

    It is NOWHERE if the repository does not mention the secret.
    """

    judged: JudgedSecret
    location: Location


class Comparison:
    """Compares one repository with all stores of the operator config."""

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
        """Find the declaration of a secret. A secret without one becomes unmanaged."""
        record = judged.record
        scheme, segments = addresses.split(record.id)
        met = [each for each in self._all.of(segments) if each.fits(scheme, segments)]
        for each in met:
            each.meet(record)
        self._keep(record, scheme, segments)
        if met:
            return LocatedSecret(judged, met[0].declared.location)
        if match or not self._sources.isdisjoint(_names(scheme, segments)):
            return LocatedSecret(judged, match.entry.location if match else NOWHERE)
        return LocatedSecret(_unmanaged(judged), NOWHERE)

    def _keep(self, record: Record, scheme: str, segments: Sequence[str]) -> None:
        if scheme == "k8s":
            self._namespaces.add(tuple(segments[:2]))
        if record.dated and segments[-2:-1] == ["static-roles"] and segments[-1] in self._roles:
            self._rotated[segments[-1]] = record.dated

    def findings(self, gaps: Sequence[Gap]) -> Iterator[Finding]:
        """Findings about missing secrets and other differences, after all records have been seen.

        A secret that a gap may hide is not reported as missing. Each store that could not be read
        has a gap.
        """
        for form in dict.fromkeys(each.declared.form for each in self._declared):
            yield from self._stores_of.differences(form)
        unread = {place(gap.path) for gap in gaps if "://" in gap.path}
        for each in self._once_each():
            if each.stores and not each.seen and not any(map(each.is_hidden_by, unread)):
                yield each.missing()
        for each in self._declared:
            yield from each.absent.values()
            yield from self._stale(each)

    def notes(self) -> Iterator[Note]:
        """Notes about declared secrets outside all stores, and about keys that were not checked."""
        unasked = [each.declared for each in self._declared if each.is_unasked]
        if unasked:
            location = unasked[0].location
            text = (
                f"declared keys that were not checked: {len(unasked):,}; set `keys: true` for the "
                "backend to read their names"
            )
            yield Note(
                kind=NoteKind.KEYS_NOT_COMPARED, path=location.path, line=location.line, text=text
            )
        for one in (each.declared for each in self._once_each() if not each.stores):
            if not self._stores_of.is_foreign(one.form):
                location = one.location
                text = f"{one.written} is in no store that the operator config lists"
                yield Note(
                    kind=NoteKind.NOT_AUDITED, path=location.path, line=location.line, text=text
                )

    def _once_each(self) -> list[_Expectation]:
        """The first declaration of each secret that its store lists.

        Secrets of manifests count only if an audited cluster has their namespace.
        """
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
        """A finding if a copied password was not updated after the last rotation."""
        one, rotated = copy.declared, self._rotated.get(copy.role)
        since = rotated.latest if rotated else None
        if not (copy.role and copy.seen) or (since and copy.is_written_since(since)):
            return
        last = f", the last time on {utc(since)}" if since else ""
        detail = (
            f"rotating the role {copy.role} changes the password in the database{last}, but "
            f"nothing here updates the copy at {one.written}"
        )
        yield finding_of(BY_ID[ROTATED_ELSEWHERE], one.location, detail, copy.seen)


class _Expectation:
    """A declared secret, the names of the stores that may contain it, and whether it was seen.

    `role` is the role from `RepositorySecrets.copies`, or "".
    """

    def __init__(self, declared: DeclaredSecret, stores: frozenset[str], role: str) -> None:
        self.declared = declared
        self.stores = stores
        self.role = role
        self.seen = ""  # the id of the last record that matched
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
                BY_ID[KEY_ABSENT], self.declared.location, detail, context
            )

    def is_hidden_by(self, gap: Place) -> bool:
        """Whether the gap is about the secret or about a mount, namespace or store around it."""
        if gap[1] not in self.stores:
            return False
        return covers(gap, placed(self.declared.scheme, [gap[1], *self.declared.segments[1:]]))

    def is_written_since(self, moment: datetime) -> bool:
        written = self._dated.earliest if self._dated else None
        return written is not None and written >= moment

    def missing(self) -> Finding:
        one, stores = self.declared, sorted(self.stores)
        name = one.id.replace("*", stores[0], 1) if len(stores) == 1 else one.id
        detail = f"{one.written} does not exist in {' or '.join(stores)}"
        return finding_of(OF[Condition.MISSING], one.location, detail, name)

    def _is_around(self, scheme: str, segments: Sequence[str]) -> bool:
        """Whether the segments match the beginning of the declared id."""
        if scheme != self.declared.scheme or segments[0] not in self.stores:
            return False
        pairs = zip(self.declared.segments[1:], segments[1:], strict=False)
        return all(own is None or own == part for own, part in pairs)


class _StoreLookup:
    """Finds the stores that may contain a declared secret, by the address in its file."""

    def __init__(self, stores: Sequence[Store], environ: Mapping[str, str]) -> None:
        self._stores = stores
        self._environ = environ

    def of(self, one: DeclaredSecret) -> frozenset[str]:
        """The names of the stores that may contain the secret."""
        stores = self._at(one.form)
        return frozenset(each.name for each in stores if any(g.fits(one) for g in each.scope))

    def is_foreign(self, form: StoreReference) -> bool:
        return not self._at(form) and any(each.scheme == form.scheme for each in self._stores)

    def differences(self, form: StoreReference) -> Iterator[Finding]:
        """Findings about an unknown address, and about a role that the audit uses as well.

        Addresses and roles are shown as the file writes them, with variables not replaced.
        """
        if self.is_foreign(form):
            detail = f"the operator config lists no store at {form.address}"
            yield finding_of(BY_ID[ADDRESS_DIFFERS], form.location, detail, form.address)
        who = _filled(form.identity, self._environ)
        for each in self._at(form):
            if who and who in each.identities:
                detail = f"the audit also logs in to {each.name} as {form.identity}"
                yield finding_of(
                    BY_ID[ROLE_IS_AUDITOR], form.identity_location, detail, form.identity
                )

    def _at(self, form: StoreReference) -> list[Store]:
        """The stores at an address, or all of that kind if the address is unknown."""
        address = _filled(form.address, self._environ)
        return [
            each
            for each in self._stores
            if each.scheme == form.scheme
            and (not (address and each.addresses) or _place(address) in map(_place, each.addresses))
        ]


def _filled(text: str, environ: Mapping[str, str]) -> str:
    """The text with its variables replaced. "" if one of them has no value."""
    if not all(map(environ.get, VARIABLE.findall(text))) or "{" in VARIABLE.sub("", text):
        return ""
    return VARIABLE.sub(lambda match: environ[match[1]], text)


def _place(address: str) -> tuple[object, ...]:
    """The parts of an address that distinguish stores."""
    try:
        parts = urlsplit(address)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return (address,)
    path = parts.path.rstrip("/")
    return (parts.scheme, parts.username, parts.hostname, port, path, parts.query, parts.fragment)


def _words(each: _Expectation) -> Sequence[str]:
    """The known segments of the id."""
    return [*filter(None, each.declared.segments)]


def _names(scheme: str, segments: Sequence[str]) -> Iterator[str]:
    """The names by which an ExternalSecret may refer to the secret."""
    if scheme in _NAMES:
        yield "/".join(segments[_NAMES[scheme] :])
    if scheme == "vault":
        mount = "".join(segments[2:3]).replace("%2F", "/")
        yield "/".join([mount, *segments[3:]])
        yield "/".join([mount, "data", *segments[3:]])


def _unmanaged(judged: JudgedSecret) -> JudgedSecret:
    """Replace the condition "not configured" with "unmanaged", which says more."""
    text = "it is not declared in keywatch.yaml, configs/secrets or any manifest"
    return judged._replace(
        conditions=tuple(
            seen._replace(condition=Condition.UNMANAGED, detail=text)
            if seen.condition == Condition.NOT_CONFIGURED
            else seen
            for seen in judged.conditions
        )
    )
