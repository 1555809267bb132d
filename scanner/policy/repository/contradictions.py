"""Policy: find contradictions within and between keywatch.yaml and configs/secrets."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Protocol

from scanner.model import Finding, Note, NoteKind
from scanner.policy.declarations import secret_ids
from scanner.policy.declarations.matching import specificity
from scanner.policy.declarations.model import (
    Audit,
    DeclaredSecret,
    SecretClass,
    SecretEntry,
    Service,
    period,
)
from scanner.policy.declarations.secrets_files import by_secret
from scanner.policy.repository.rules import (
    CONFLICT,
    DUPLICATE,
    IDLE_MATCH,
    NO_RUNBOOK,
    UNKNOWN_CLASS,
    UNMET,
    finding,
    nearest,
)

Matched = Mapping[SecretEntry, Sequence[DeclaredSecret]]


class RepositoryPolicy(Protocol):
    """The part of keywatch.yaml that is about secrets."""

    @property
    def classes(self) -> Mapping[str, SecretClass]: ...
    @property
    def secrets(self) -> Sequence[SecretEntry]: ...
    @property
    def services(self) -> Sequence[Service]: ...


def matched(entries: Sequence[SecretEntry], secrets: Sequence[DeclaredSecret]) -> Matched:
    """The declared secrets that each entry matches. Tags are ignored: declarations have none."""
    patterns = {entry: secret_ids.pattern(entry.match) for entry in entries if entry.match}
    return {
        entry: [one for one in secrets if not entry.match or patterns[entry].fits(one)]
        for entry in entries
    }


def holding(found: Matched) -> dict[DeclaredSecret, SecretEntry]:
    """The most specific entry without tags for each declared secret."""
    held: dict[DeclaredSecret, SecretEntry] = {}
    for entry in sorted(_by_id(found), key=specificity, reverse=True):
        for one in found[entry]:
            held.setdefault(one, entry)
    return held


def _by_id(found: Matched) -> list[SecretEntry]:
    return [entry for entry in found if not entry.tags]


def check(
    policy: RepositoryPolicy,
    found: Matched,
    secrets: Sequence[DeclaredSecret],
    paths: Collection[str],
) -> list[Finding]:
    """All contradictions, in no particular order."""
    entries, services, classes = policy.secrets, policy.services, policy.classes.keys()
    return [
        *_unknown_classes(entries, services, classes),
        *_duplicates(secrets),
        *_idle_matches(found, secrets),
        *_class_conflicts(found),
        *_unmet_needs(services, found, secrets, classes),
        *_missing_runbooks(entries, paths),
    ]


def _unknown_classes(
    entries: Sequence[SecretEntry], services: Sequence[Service], classes: Collection[str]
) -> Iterator[Finding]:
    named = [(entry.secret_class, entry.class_location, entry.description) for entry in entries]
    for service in services:
        needs = zip(service.needs, service.needs_locations, strict=True)
        named += ((need, location, service.name) for need, location in needs if need != "*")
    for name, location, by in named:
        if name not in classes:
            detail = f"unknown class {name}{nearest(name, classes)}"
            yield finding(UNKNOWN_CLASS, location, detail, f"{by} {name}")


def _duplicates(secrets: Sequence[DeclaredSecret]) -> Iterator[Finding]:
    """Findings about keys that are declared twice for one secret in one store."""
    seen: dict[tuple[str, str, str], DeclaredSecret] = {}
    for one in secrets:
        first = seen.setdefault((one.store, one.id, one.key), one)
        if first is not one:
            detail = f"{name_with_key(one)} is already declared at {first.location}"
            yield finding(DUPLICATE, one.location, detail, f"{one.id}#{one.key}")


def _idle_matches(found: Matched, secrets: Sequence[DeclaredSecret]) -> Iterator[Finding]:
    """Findings about entries that match no declared secret.

    Without any declarations there are none: an entry may match a secret that only a store knows.
    """
    ids = {one.id for one in secrets}
    for entry, fitting in found.items():
        if secrets and not fitting:
            near = nearest(entry.match, ids)
            detail = f"{entry.match} matches no secret that configs/secrets declares{near}"
            yield finding(IDLE_MATCH, entry.location, detail, entry.description)


def _class_conflicts(found: Matched) -> Iterator[Finding]:
    """Findings about equally specific entries that give one secret different classes."""
    held = holding(found)
    for entry in _by_id(found):
        for one in found[entry]:
            other = held[one]
            is_tie = specificity(entry) == specificity(other)
            if is_tie and other.secret_class != entry.secret_class:
                detail = (
                    f"{one.id} has class {entry.secret_class} here and class "
                    f"{other.secret_class} at {other.location}"
                )
                yield finding(CONFLICT, entry.location, detail, entry.description)
                break


def _unmet_needs(
    services: Sequence[Service],
    found: Matched,
    secrets: Sequence[DeclaredSecret],
    classes: Collection[str],
) -> Iterator[Finding]:
    """Findings about services that need a class that no declared secret has.

    Without any declarations, the classes of the entries count.
    """
    provided = {entry.secret_class for entry, fitting in found.items() if fitting or not secrets}
    for service in services:
        for need, location in zip(service.needs, service.needs_locations, strict=True):
            if need in classes and need not in provided:
                names = ", ".join(sorted(provided))
                has = f"declared secrets have: {names}" if provided else "none has a class"
                detail = f"{service.name} needs {need}, but no declared secret has it ({has})"
                yield finding(UNMET, location, detail, f"{service.name} {need}")


def _missing_runbooks(entries: Sequence[SecretEntry], paths: Collection[str]) -> Iterator[Finding]:
    for entry in entries:
        if entry.runbook and not has_runbook(entry, paths):
            near = nearest(entry.runbook, _texts(paths))
            detail = f"the file {entry.runbook} does not exist{near}"
            yield finding(NO_RUNBOOK, entry.runbook_location, detail, entry.description)


def has_runbook(entry: SecretEntry, paths: Collection[str]) -> bool:
    path = entry.runbook.partition("#")[0].removeprefix("./")
    return entry.runbook.startswith("https://") or path in paths


def _texts(paths: Collection[str]) -> list[str]:
    """The text files that may be runbooks: those with a telling name, or else all."""
    texts = [path for path in paths if path.endswith((".md", ".rst", ".adoc", ".txt"))]
    return [path for path in texts if "run" in path.lower() or "rotat" in path.lower()] or texts


def unclassified(found: Matched, secrets: Sequence[DeclaredSecret]) -> Iterator[Note]:
    """One note for each declared secret that no entry matches, so that it has no class."""
    known = {one.id for fitting in found.values() for one in fitting}
    for first, *_ in by_secret(secrets):
        if first.id not in known:
            location = first.location
            text = (
                f"{first.written} has no class: no entry of `secrets` in keywatch.yaml matches it"
            )
            yield Note(
                kind=NoteKind.UNCLASSIFIED, path=location.path, line=location.line, text=text
            )


def short_graces(
    entries: Sequence[SecretEntry], classes: Mapping[str, SecretClass], audit: Audit
) -> Iterator[Note]:
    """Notes about classes whose grace period may end before a second audit sees the secret."""
    location = audit.location
    for name in sorted({entry.secret_class for entry in entries} & classes.keys()):
        if classes[name].grace < 2 * audit.every:
            text = (
                f"the grace period of {name}, {period(classes[name].grace)}, is shorter than two "
                f"audit intervals of {period(audit.every)}: an audit may first report such a "
                "secret when it is already overdue. To be warned in time, alert on the due "
                "timestamp in the Prometheus report"
            )
            yield Note(kind=NoteKind.SHORT_GRACE, path=location.path, line=location.line, text=text)


def name_with_key(one: DeclaredSecret) -> str:
    return f"{one.written}#{one.key}" if one.key else one.written
