"""Judge live secrets by the policy and the declarations of a repository."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from scanner import globs
from scanner.configuration import repository
from scanner.configuration.operator import OperatorConfig
from scanner.masking import masked
from scanner.model import Finding, Gap, Location, Note, NoteKind
from scanner.policy.declarations import secret_ids
from scanner.policy.declarations.matching import SecretEntries
from scanner.policy.declarations.model import SecretEntry
from scanner.policy.live import findings, minimum_policy, rotation_age
from scanner.policy.live.comparison import Comparison, RepositorySecrets, Store
from scanner.policy.live.last_used import LastUsed
from scanner.policy.repository import contradictions, rotation_check
from scanner.records import Dated, Record, Resource, Status
from scanner.repository import rotation_sources
from scanner.repository.policy_files import PolicyFiles
from scanner.repository.tree import Tree


class AuditJudge:
    """Judges one record at a time, from several threads.

    After the last record, `differences` reports what the repository declares but no store contains.
    `classes` are the names of all classes that a secret can have.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - everything that a verdict depends on
        self,
        tree: Tree,
        files: PolicyFiles,
        operator: OperatorConfig,
        stores: Sequence[Store],
        environ: Mapping[str, str],
        now: datetime,
        last_used: LastUsed = LastUsed(),  # noqa: B008 - immutable: logs that tell nothing
        dates: Mapping[str, Dated] = MappingProxyType({}),
        *,
        require_exact: bool = False,
    ) -> None:
        """`dates` are those of rotations that a ledger records, by canonical ID."""
        settings = files.config
        self._comparison = Comparison(_repository(tree, files), stores, environ)
        entries = [
            each._replace(owner=masked(each.owner), runbook=masked(each.runbook))
            for each in settings.secrets
        ]
        classes = minimum_policy.raised(settings.classes, operator.classes)
        self._entries = SecretEntries(entries, classes)
        self.classes = frozenset(classes)
        self._minimum = SecretEntries(operator.secrets, operator.classes)
        self._weakened = dict.fromkeys(
            minimum_policy.weakened(settings.own_classes, operator.classes)
        )
        self._unmatched = {each.location: each for each in entries if _is_audited(each, stores)}
        self._default_place = _default_place(files)
        self._now = now
        self._require_exact = require_exact
        self._last_used = last_used
        self._dates = dates

    def __call__(self, record: Record, backend: str) -> tuple[Status, list[Finding]]:
        record = self._last_used.dated(record)
        record = self._recorded(record)
        match, minimum = self._entries.match(record), self._minimum.match(record)
        if match:
            self._unmatched.pop(match.entry.location, None)
        if weaker := minimum_policy.misnamed(match, minimum):
            self._weakened.setdefault(weaker)
        judged = rotation_age.judge(
            record,
            minimum_policy.held(match, minimum),
            self._now,
            require_exact=self._require_exact,
        )
        placed = self._comparison.locate(judged, match)
        place = placed.location if placed.location.path else self._default_place
        found = [*findings.findings(placed.judged, place)]
        if why := self._last_used.unused(record.id, self._now):
            found.append(findings.unused(placed.judged, place, why))
        return findings.status(placed.judged, backend), found

    def _recorded(self, record: Record) -> Record:
        """The record with the date of the ledger, if the store does not say when it was set.

        A store that says that it was never rotated, or that its value is older, is believed.
        """
        recorded, dated = self._dates.get(record.id), record.dated
        if recorded is None or recorded.latest is None or record.never:
            return record
        if dated and (dated.earliest or (dated.latest and dated.latest < recorded.latest)):
            return record
        return record._replace(dated=recorded, undated="")

    def differences(self, gaps: Sequence[Gap], classes: Collection[str] = ()) -> Iterator[Finding]:
        """Declared secrets that are missing, unless a gap may hide them, and other differences.

        `classes`: only those about secrets of these classes, and about no secret.
        """
        yield from self._weakened
        for finding in map(self._with_owner, self._comparison.findings(gaps)):
            resource = finding.resource
            if not classes or not resource or self._class_of(resource) in classes:
                yield finding

    def _class_of(self, resource: Resource) -> str:
        record = Record(id=resource.id.partition("#")[0], kind="")
        held = minimum_policy.held(self._entries.match(record), self._minimum.match(record))
        return held.secret_class.name if held and held.secret_class else ""

    def notes(self, *, complete: bool) -> Iterator[Note]:
        """`complete`: all stores were read completely, so unused entries are reported."""
        yield from self._comparison.notes()
        for entry in self._unmatched.values() if complete else ():
            text = f"no live secret matches {entry.description}"
            yield Note(
                kind=NoteKind.IDLE_ENTRY,
                path=entry.location.path,
                line=entry.location.line,
                text=text,
            )

    def _with_owner(self, finding: Finding) -> Finding:
        """Add the live secret and its owner to a finding about one."""
        name = finding.context
        if name.partition("://")[0] not in secret_ids.SCHEMES:
            return finding
        match = self._entries.match(Record(id=name.partition("#")[0], kind=""))
        owner, runbook = (match.entry.owner, match.entry.runbook) if match else ("", "")
        return finding._replace(resource=Resource(id=name, owner=owner, runbook=runbook))


def _is_audited(entry: SecretEntry, stores: Sequence[Store]) -> bool:
    """Can it match a secret in one of the operator's stores?"""
    schemes = {store.scheme for store in stores}
    return not entry.match or entry.match.partition("://")[0] in schemes


def _repository(tree: Tree, files: PolicyFiles) -> RepositorySecrets:
    secrets = files.secrets
    seen = rotation_sources.gather(tree, globs.matcher(files.config.exclude))
    found = contradictions.matched(files.config.secrets, secrets)
    unwritten = rotation_check.unwritten(secrets, seen.evidence, found, tree.paths)
    return RepositorySecrets(
        declared=secrets,
        made=seen.made,
        synced=seen.evidence.synced,
        copies={one: role for one, role in unwritten.items() if role},
    )


def _default_place(files: PolicyFiles) -> Location:
    """The place for findings about secrets that the repository does not declare."""
    declared = [one.location.path for one in files.secrets]
    path = declared[0] if declared and not files.exists else repository.NAME
    return Location.at(path, 1)
