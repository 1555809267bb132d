"""The command line: a repository's policy and declarations, against which live secrets are held."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from scanner import globs
from scanner.audit import stores
from scanner.configuration import repository
from scanner.configuration.operator import Operator
from scanner.masking import masked
from scanner.model import Finding, Gap, Location, Note, NoteKind
from scanner.policy.declarations.matching import Entries
from scanner.policy.declarations.model import SecretEntry
from scanner.policy.live import findings, minimum_policy, rotation_age
from scanner.policy.live.comparison import Comparison, Repository
from scanner.policy.live.last_used import LastUsed
from scanner.policy.repository import contradictions, rotation_check
from scanner.records import Record, Resource, Status
from scanner.repository import rotation_sources
from scanner.repository.policy_files import PolicyFiles
from scanner.repository.tree import Tree


class AuditJudge:
    """Judges one record after the other, from several threads; and, when all have passed, what the
    repository says and no store has."""

    def __init__(  # noqa: PLR0913, PLR0917 - all that a verdict depends on
        self,
        tree: Tree,
        files: PolicyFiles,
        operator: Operator,
        environ: Mapping[str, str],
        now: datetime,
        last_used: LastUsed = LastUsed(),  # noqa: B008 - immutable: logs that tell nothing
    ) -> None:
        settings = files.config
        everywhere = [stores.store(each) for each in operator.backends]
        self._comparison = Comparison(_repository(tree, files), everywhere, environ)
        entries = [
            each._replace(owner=masked(each.owner), runbook=masked(each.runbook))
            for each in settings.secrets
        ]
        self._entries = Entries(entries, minimum_policy.raised(settings.classes, operator.floor))
        self._demanded = Entries(operator.secrets, operator.floor)
        self._weakened = dict.fromkeys(
            minimum_policy.weakened(settings.own_classes, operator.floor)
        )
        self._unmet = {each.where: each for each in entries if _may_be_here(each, operator)}
        self._first = _first(files)
        self._now = now
        self._last_used = last_used

    def __call__(self, record: Record, backend: str) -> tuple[Status, list[Finding]]:
        record = self._last_used.dated(record)
        match, demanded = self._entries.match(record), self._demanded.match(record)
        if match:
            self._unmet.pop(match.entry.where, None)
        if weaker := minimum_policy.misnamed(match, demanded):
            self._weakened.setdefault(weaker)
        judged = rotation_age.judge(record, minimum_policy.held(match, demanded), self._now)
        placed = self._comparison.placed(judged, match)
        place = _location(placed.where or self._first)
        found = [*findings.findings(placed.judged, place)]
        if why := self._last_used.unused(record.id, self._now):
            found.append(findings.unused(placed.judged, place, why))
        return findings.status(placed.judged, backend), found

    def differences(self, gaps: Sequence[Gap]) -> Iterator[Finding]:
        """What is missing, unless a gap may hide it, and what else is not as it is said."""
        yield from self._weakened
        yield from map(self._whose, self._comparison.findings(gaps))

    def notes(self, *, whole: bool) -> Iterator[Note]:
        """`whole`: all stores were read to the end, so that what met nothing will meet nothing."""
        yield from self._comparison.notes()
        for entry in self._unmet.values() if whole else ():
            path, _, line = entry.where.rpartition(":")
            text = f"no live secret falls under {entry.said}"
            yield Note(kind=NoteKind.IDLE_ENTRY, path=path, line=int(line), text=text)

    def _whose(self, finding: Finding) -> Finding:
        """With the live secret that it is about, where it is about one."""
        name = finding.context
        if name.partition("://")[0] not in stores.SCHEMES.values():
            return finding
        match = self._entries.match(Record(id=name.partition("#")[0], kind=""))
        owner, runbook = (match.entry.owner, match.entry.runbook) if match else ("", "")
        return finding._replace(resource=Resource(id=name, owner=owner, runbook=runbook))


def _may_be_here(entry: SecretEntry, operator: Operator) -> bool:
    """Is it about a kind of store that the operator names?"""
    kinds = {stores.SCHEMES[each.kind] for each in operator.backends}
    return not entry.match or entry.match.partition("://")[0] in kinds


def _repository(tree: Tree, files: PolicyFiles) -> Repository:
    secrets = files.secrets
    seen = rotation_sources.gather(tree, globs.matcher(files.config.exclude))
    found = contradictions.matched(files.config.secrets, secrets)
    unwritten = rotation_check.unwritten(secrets, seen.evidence, found, tree.paths)
    return Repository(
        declared=secrets,
        made=seen.made,
        synced=seen.evidence.synced,
        copies={one: role for one, role in unwritten.items() if role},
    )


def _first(files: PolicyFiles) -> str:
    """The place of what the repository does not speak of: the first line of its inventory."""
    declared = [one.where.rpartition(":")[0] for one in files.secrets]
    path = declared[0] if declared and not files.exists else repository.NAME
    return f"{path}:1"


@functools.cache
def _location(where: str) -> Location:
    path, _, line = where.rpartition(":")
    return Location(path=path, line=int(line), end_line=int(line))
