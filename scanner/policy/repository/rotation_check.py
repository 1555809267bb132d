"""Policy: find declared secrets that nothing rotates, and rotation scripts without effect."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from scanner.model import Finding, Location, Note, NoteKind
from scanner.policy.declarations import class_guess, secret_ids
from scanner.policy.declarations.model import DeclaredSecret, SecretEntry
from scanner.policy.declarations.secrets_files import by_secret, is_issued
from scanner.policy.repository.contradictions import Matched, has_runbook, holding
from scanner.policy.repository.manifests import SyncedSecret
from scanner.policy.repository.rotating_commands import RotationAction, SuspectWrite
from scanner.policy.repository.rules import NO_EFFECT, UNROTATED, finding

_MOST = 500  # of the actions whose names contain a wildcard
_DATABASE = "db-credential"
_WORD = re.compile(r"[a-z0-9]+")
# Words that do not tell one database secret from another.
_COMMON = set(
    "db database databases credential credentials creds cred password secret role static postgres "
    "postgresql pg mysql mariadb mongo mongodb oracle mssql sql".split()
)


class RotationEvidence(NamedTuple):
    """The rotation actions of a repository. `words` are those of the files that contain them."""

    actions: frozenset[RotationAction]
    synced: frozenset[SyncedSecret]
    suspect_writes: tuple[SuspectWrite, ...]
    words: frozenset[str]


class RotationLookup:
    """Answers whether the repository rotates a given secret."""

    def __init__(self, evidence: RotationEvidence) -> None:
        self._exact = {action for action in evidence.actions if "*" not in action.name}
        self._open = sorted(action for action in evidence.actions if _is_open(action.name))[:_MOST]
        self._words = evidence.words
        self._roles = sorted(
            action.name for action in evidence.actions if action.kind == "database"
        )

    def directly(self, one: DeclaredSecret) -> bool:
        """Whether an action writes a new value to the secret itself."""
        if any((kind, name) in self._exact for kind, name in _names(one)):
            return True
        actions = self._open
        if None in one.name:  # part of the name is unknown: a full name may match it
            actions = [
                *actions,
                *sorted(action for action in self._exact if action.kind == one.scheme)[:_MOST],
            ]
        return any(self._may_be(action, one) for action in actions)

    def _may_be(self, action: RotationAction, one: DeclaredSecret) -> bool:
        """Whether an action whose name has wildcards may mean the secret.

        If the action's name ends in `*`, one of the files must contain the secret's last part.
        """
        last = one.name[-1]
        is_named = last is None or last in self._words or not action.name.endswith("*")
        return (
            is_named
            and action.kind in (one.scheme, "any")
            and secret_ids.fits(_glob(action), one.name)
        )

    def by_role(self, one: DeclaredSecret, secret_class: str) -> str:
        """The role of a database engine that rotates this password, or "".

        The engine does not know where copies of the password are stored, so names are compared.
        """
        if secret_class != _DATABASE or one.scheme != "vault":
            return ""
        own = _words_of(one.written)
        return next((role for role in self._roles if _is_about(_words_of(role), own)), "")


def check(
    secrets: Sequence[DeclaredSecret],
    evidence: RotationEvidence,
    found: Matched,
    paths: Collection[str],
) -> tuple[list[Finding], list[Note]]:
    """Findings about secrets that nothing rotates and about scripts without effect.

    The notes are about passwords that a database engine rotates while a declared copy is stale.
    """
    findings, notes = list(_without_effect(secrets, evidence)), []
    for one, role in unwritten(secrets, evidence, found, paths).items():
        if role:
            notes.append(_elsewhere(one, role))
        else:
            claimed = _claims(one, evidence)
            detail = f"nothing here writes a new value for {one.written}{claimed}"
            findings.append(finding(UNROTATED, one.location, detail, one.id))
    return findings, notes


def unwritten(
    secrets: Sequence[DeclaredSecret],
    evidence: RotationEvidence,
    found: Matched,
    paths: Collection[str],
) -> dict[DeclaredSecret, str]:
    """The first declaration of each secret that nothing writes.

    It maps to the role of a database engine that rotates the password, or "".
    """
    rotated, held = RotationLookup(evidence), holding(found)
    by_hand = {one for one, entry in held.items() if has_runbook(entry, paths)}
    fresh = {one for one in secrets if is_issued(one) or one in by_hand or rotated.directly(one)}
    fresh |= _followers(secrets, fresh, evidence.synced)
    return {
        group[0]: rotated.by_role(group[0], _class_of(group[0], held))
        for group in by_secret(secrets)
        if fresh.isdisjoint(group)
    }


def _class_of(one: DeclaredSecret, held: Mapping[DeclaredSecret, SecretEntry]) -> str:
    return held[one].secret_class if one in held else class_guess.secret_class(one)


def _without_effect(
    secrets: Sequence[DeclaredSecret], evidence: RotationEvidence
) -> Iterator[Finding]:
    """Findings about writes to `…/rotate` that only create a key-value entry.

    An entry that is declared under that name is intended, and is not reported.
    """
    names = {name for one in secrets for kind, name in _names(one) if kind == "vault"}
    reported: set[tuple[Location, str]] = set()
    for suspect in sorted(evidence.suspect_writes):
        if f"{suspect.name}/rotate" in names or not (suspect.certain or suspect.name in names):
            continue
        if (suspect.location, suspect.path) not in reported:
            reported.add((suspect.location, suspect.path))
            detail = (
                f"this writes a KV entry called rotate, {suspect.path}; "
                f"{suspect.name} keeps its value"
            )
            yield finding(NO_EFFECT, suspect.location, detail, suspect.path)


def _claims(one: DeclaredSecret, evidence: RotationEvidence) -> str:
    """Text that names the first command that only seems to rotate the secret, or ""."""
    names = {name for kind, name in _names(one) if kind == one.scheme}
    places = sorted(
        suspect.location for suspect in evidence.suspect_writes if suspect.name in names
    )
    return f"; {places[0]} only seems to" if places else ""


def _followers(
    secrets: Sequence[DeclaredSecret],
    fresh: Collection[DeclaredSecret],
    synced: Iterable[SyncedSecret],
) -> set[DeclaredSecret]:
    """The Kubernetes Secrets that External Secrets copies from a rotated secret."""
    names = {name for one in fresh for _, name in _names(one)}
    follow = {each.secret for each in synced if each.source in names or _kv(each.source) in names}
    return {one for one in secrets if one.scheme == "k8s" and one.written in follow}


def _kv(source: str) -> str:
    first, _, rest = source.partition("/data/")
    return f"{first}/{rest}" if rest else source


def _names(one: DeclaredSecret) -> Iterator[tuple[str, str]]:
    """The (kind, name) pairs by which commands and programs may address the secret.

    Vault clients often take the mount as a separate argument, so the name without it counts too.
    """
    if None in one.name:
        return
    name = "/".join(part or "" for part in one.name)
    yield one.scheme, name
    yield "any", name
    yield "any", one.written
    if one.scheme == "vault":
        yield "any", name.partition("/")[2]


def _is_open(name: str) -> bool:
    """Whether the name contains a `*` and also some fixed text."""
    return "*" in name and any(part.strip("*") for part in name.split("/"))


@functools.cache
def _glob(action: RotationAction) -> secret_ids.Glob:
    """The glob for an action's name. A part that is only `*` matches any number of parts, because
    a variable may contain slashes."""
    parts = action.name.strip("/").split("/")
    return secret_ids.compile_glob(secret_ids.DEEP if part == "*" else part for part in parts)


def _words_of(name: str) -> frozenset[str]:
    return frozenset(_WORD.findall(name.lower()))


def _is_about(role: frozenset[str], secret: frozenset[str]) -> bool:
    telling = role - _COMMON
    return not telling or bool(telling & secret)


def _elsewhere(one: DeclaredSecret, role: str) -> Note:
    location = one.location
    text = (
        f"rotating the role {role} changes the password in the database, but nothing here updates "
        f"the copy at {one.written}: read database/static-creds/{role} instead"
    )
    return Note(kind=NoteKind.ROTATION_ELSEWHERE, path=location.path, line=location.line, text=text)
