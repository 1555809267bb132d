"""Policy: which declared secrets something rotates, and which scripts only say so."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from scanner.model import Finding, Note, NoteKind
from scanner.policy.declarations import class_guess, secret_ids
from scanner.policy.declarations.model import Declared, SecretEntry
from scanner.policy.declarations.secrets_files import by_secret, is_issued
from scanner.policy.repository.contradictions import Matched, has_runbook, holding
from scanner.policy.repository.manifests import Synced
from scanner.policy.repository.rotating_commands import Act, Claim
from scanner.policy.repository.rules import NO_EFFECT, UNROTATED, finding

_MOST = 500  # acts with an open name
_DATABASE = "db-credential"
_WORD = re.compile(r"[a-z0-9]+")
# What any database secret may be called, whichever it is.
_COMMON = set(
    "db database databases credential credentials creds cred password secret role static postgres "
    "postgresql pg mysql mariadb mongo mongodb oracle mssql sql".split()
)


class Evidence(NamedTuple):
    """All that the repository does to secrets. `words` are those of the files that do it."""

    acts: frozenset[Act]
    synced: frozenset[Synced]
    claims: tuple[Claim, ...]
    words: frozenset[str]


class Rotated:
    """Asks the evidence about one secret after another."""

    def __init__(self, evidence: Evidence) -> None:
        self._exact = {act for act in evidence.acts if "*" not in act.name}
        self._open = sorted(act for act in evidence.acts if _is_open(act.name))[:_MOST]
        self._words = evidence.words
        self._roles = sorted(act.name for act in evidence.acts if act.kind == "database")

    def directly(self, one: Declared) -> bool:
        """Is a new value written to the secret itself?"""
        if any((kind, name) in self._exact for kind, name in _names(one)):
            return True
        acts = self._open
        if None in one.name:  # its own name is open: an act that names it in full may be about it
            acts = [*acts, *sorted(act for act in self._exact if act.kind == one.scheme)[:_MOST]]
        return any(self._may_be(act, one) for act in acts)

    def _may_be(self, act: Act, one: Declared) -> bool:
        """May the act's name stand for the secret's, which some file that acts says at its end?"""
        last = one.name[-1]
        said = last is None or last in self._words or not act.name.endswith("*")
        return said and act.kind in (one.scheme, "any") and secret_ids.fits(_glob(act), one.name)

    def by_role(self, one: Declared, secret_class: str) -> str:
        """The role of a database engine whose rotation is this secret's, "" where there is none.

        The engine does not know where a copy of the password lies, so the names must tell.
        """
        if secret_class != _DATABASE or one.scheme != "vault":
            return ""
        own = _words_of(one.said)
        return next((role for role in self._roles if _is_about(_words_of(role), own)), "")


def check(
    secrets: Sequence[Declared],
    evidence: Evidence,
    found: Matched,
    paths: Collection[str],
) -> tuple[list[Finding], list[Note]]:
    """The secrets that nothing rotates and the scripts without effect; and what is rotated where
    the declared copy is not."""
    findings, notes = list(_without_effect(secrets, evidence)), []
    for one, role in unwritten(secrets, evidence, found, paths).items():
        if role:
            notes.append(_elsewhere(one, role))
        else:
            claimed = _claims(one, evidence)
            detail = f"nothing here writes a new value for {one.said}{claimed}"
            findings.append(finding(UNROTATED, one.where, detail, one.id))
    return findings, notes


def unwritten(
    secrets: Sequence[Declared],
    evidence: Evidence,
    found: Matched,
    paths: Collection[str],
) -> dict[Declared, str]:
    """The first declaration of each secret that nothing writes, and the role of a database engine
    whose rotation is the secret's, "" where there is none."""
    rotated, held = Rotated(evidence), holding(found)
    by_hand = {one for one, entry in held.items() if has_runbook(entry, paths)}
    fresh = {one for one in secrets if is_issued(one) or one in by_hand or rotated.directly(one)}
    fresh |= _followers(secrets, fresh, evidence.synced)
    return {
        group[0]: rotated.by_role(group[0], _class_of(group[0], held))
        for group in by_secret(secrets)
        if fresh.isdisjoint(group)
    }


def _class_of(one: Declared, held: Mapping[Declared, SecretEntry]) -> str:
    return held[one].secret_class if one in held else class_guess.secret_class(one)


def _without_effect(secrets: Sequence[Declared], evidence: Evidence) -> Iterator[Finding]:
    """Each claim whose path can only be a key-value entry; one that is declared is what it says."""
    names = {name for one in secrets for kind, name in _names(one) if kind == "vault"}
    said: set[tuple[str, str]] = set()
    for claim in sorted(evidence.claims):
        if f"{claim.name}/rotate" in names or not (claim.certain or claim.name in names):
            continue
        if (claim.where, claim.path) not in said:
            said.add((claim.where, claim.path))
            detail = (
                f"this writes a KV entry called rotate, {claim.path}; {claim.name} keeps its value"
            )
            yield finding(NO_EFFECT, claim.where, detail, claim.path)


def _claims(one: Declared, evidence: Evidence) -> str:
    """The place that only seems to rotate it, "" where there is none."""
    names = {name for kind, name in _names(one) if kind == one.scheme}
    places = sorted(claim.where for claim in evidence.claims if claim.name in names)
    return f"; {places[0]} only seems to" if places else ""


def _followers(
    secrets: Sequence[Declared], fresh: Collection[Declared], synced: Iterable[Synced]
) -> set[Declared]:
    """Secrets of a cluster that External Secrets copies from one which is rotated."""
    names = {name for one in fresh for _, name in _names(one)}
    follow = {each.secret for each in synced if each.source in names or _kv(each.source) in names}
    return {one for one in secrets if one.scheme == "k8s" and one.said in follow}


def _kv(source: str) -> str:
    first, _, rest = source.partition("/data/")
    return f"{first}/{rest}" if rest else source


def _names(one: Declared) -> Iterator[tuple[str, str]]:
    """What commands and programs call the secret. Clients of Vault often take the mount apart."""
    if None in one.name:
        return
    name = "/".join(part or "" for part in one.name)
    yield one.scheme, name
    yield "any", name
    yield "any", one.said
    if one.scheme == "vault":
        yield "any", name.partition("/")[2]


def _is_open(name: str) -> bool:
    """Has it a `*`, and beside it something that tells which secrets it may mean?"""
    return "*" in name and any(part.strip("*") for part in name.split("/"))


@functools.cache
def _glob(act: Act) -> secret_ids.Glob:
    """A variable may hold a slash: alone in its place it stands for any number of parts."""
    parts = act.name.strip("/").split("/")
    return secret_ids.runs(secret_ids.DEEP if part == "*" else part for part in parts)


def _words_of(name: str) -> frozenset[str]:
    return frozenset(_WORD.findall(name.lower()))


def _is_about(role: frozenset[str], secret: frozenset[str]) -> bool:
    telling = role - _COMMON
    return not telling or bool(telling & secret)


def _elsewhere(one: Declared, role: str) -> Note:
    path, _, line = one.where.rpartition(":")
    text = (
        f"rotating the role {role} changes the password in the database; the copy at {one.said} is "
        f"written by nothing here: read database/static-creds/{role} instead"
    )
    return Note(kind=NoteKind.ROTATION_ELSEWHERE, path=path, line=int(line), text=text)
