"""Review which service can read which secret, and what each really needs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from scanner import files as written_files
from scanner.access import live, records
from scanner.access.repository import Sources, sources
from scanner.access.request import ReviewRequest
from scanner.audit import operator_config
from scanner.console import Console, show_error
from scanner.errors import KeywatchError, UsageError
from scanner.fingerprints import identify
from scanner.masking import masked, masked_finding, masked_gap, masked_id, masked_note
from scanner.model import FailOn, Finding, Gap, GapKind, Note, Outcome, Severity
from scanner.policy.access import rules, usage
from scanner.policy.access.review import Review, Reviewed, Used
from scanner.policy.exceptions import accepted_gaps
from scanner.policy.judge_input import Scope, in_order
from scanner.policy.live import last_used
from scanner.records import AccessMatrix, AccessRow, Proposal
from scanner.report.interface import ReportContext
from scanner.repository import policy_files
from scanner.repository.check import no_policy
from scanner.repository.policy_files import PolicyFiles
from scanner.repository.tree import Tree

_UNSAFE = frozenset("/\\\0")
_FIRST_BYTES = 100
_IS_LAST_USED = re.compile(rb'\s*{\s*"schema_version"')
_UNKNOWN_USE = Gap(
    kind=GapKind.NOT_KNOWABLE,
    path="--trail",
    reason="keywatch trail could not read all logs, so grants that they do not show may be in use",
)


class FinishedReview(NamedTuple):
    """A judged review."""

    outcome: Outcome
    fail_on: FailOn
    now: datetime
    tree: Tree

    def report_context(self, console: Console, fail_on: Severity | None) -> ReportContext:
        infos = {rule.id: rule for rule in rules.RULES}
        failing = self.fail_on.at(fail_on)
        context = console.report_context(infos, self.now, self.tree.root, failing, "access-review")
        return context._replace(open_from=self.tree.open_from)


class Extra(NamedTuple):
    """What live stores add to a review."""

    findings: tuple[Finding, ...] = ()
    gaps: tuple[Gap, ...] = ()
    notes: tuple[Note, ...] = ()


def review(request: ReviewRequest, console: Console, now: datetime) -> FinishedReview | None:
    """Review the repository, and the live stores if an operator config is given. None if a policy
    file is invalid; each fault is printed. UsageError, ConfigError: the request is wrong.
    OutputError: a proposed policy or the record could not be written."""
    tree = Tree(request.path, console, use_git=request.use_git)
    files = policy_files.load(tree, console)
    if files is None:
        return None
    found, faults = sources(tree, files)
    for fault in faults:
        show_error(fault, console)
    if faults:
        return None
    earlier = records.read(request.compare, console) if request.compare else None
    extra = Extra()
    if request.operator is not None or console.environ.get(operator_config.VARIABLE):
        seen = live.collected(request, console, tree, found, now)
        found = seen.sources
        extra = Extra(tuple(seen.findings), tuple(seen.gaps), tuple(seen.notes))
    used = _used(request, console, found)
    if used and not used.complete:
        extra = extra._replace(gaps=(*extra.gaps, _UNKNOWN_USE))
    judged = judge(found, now, used)
    outcome = _outcome(tree, files, found, judged, extra, now)
    matrix = outcome.access or AccessMatrix()
    if earlier is not None:
        changes = records.compared(earlier, matrix.rows)
        outcome = outcome._replace(access=matrix._replace(changes=changes, since=request.compare))
    if request.write_policy:
        _write_policies(request.write_policy, console, judged.proposals)
    if request.record:
        name = f"{now:%Y-%m-%d}.md"
        path = os.path.join(console.cwd, request.record, name)
        if os.path.lexists(path):
            raise UsageError(
                f"{name} exists in {request.record} already",
                why="a reviewer may have signed it",
                todo="move it away, or name another folder",
            )
        _write(path, records.text(outcome, now, os.path.basename(tree.root)))
    return FinishedReview(outcome, files.config.failing, now, tree)


def judge(found: Sources, now: datetime, used: Used | None) -> Reviewed:
    """The review of what was read. Pure."""
    made = Review(found.policies, found.secrets, now.timestamp(), used)
    return made.run(found.subjects, own=found.own)


def policy_findings(
    tree: Tree, files: PolicyFiles, now: datetime
) -> tuple[list[Finding], list[Note], list[KeywatchError]]:
    """The offline part, for `policy check`: findings, notes, and faults of invalid policies."""
    found, faults = sources(tree, files)
    if not found.policies:
        return [], [], faults
    missing_ok = [subject._replace(unknown=()) for subject in found.subjects if subject.unknown]
    known = [subject for subject in found.subjects if not subject.unknown]
    # A policy that is kept in another repository is not a finding here: its text is not known.
    judged = judge(found._replace(subjects=(*known, *missing_ok)), now, None)
    names = {subject.name for subject in missing_ok}
    kept = [
        one
        for one in judged.findings
        if not (one.rule == rules.MISSING and one.context.partition(" ")[0] in names)
    ]
    return kept, [*found.notes], faults


def _used(request: ReviewRequest, console: Console, found: Sources) -> Used | None:
    """Read the audit logs, and files of `keywatch trail --last-used`. None if there are none."""
    if not request.trail:
        return None
    reader = usage.Usage(found.subjects, found.secrets)
    for name in request.trail:
        try:
            with open(os.path.join(console.cwd, name), "rb") as file:
                if _IS_LAST_USED.match(file.peek(_FIRST_BYTES)):
                    reader.add_last_used(last_used.parse(file.read(), name))
                else:
                    reader.add(file)
        except OSError as error:
            raise UsageError(f"{name} cannot be read", why=error.strerror or "") from None
    return reader.used


def _outcome(  # noqa: PLR0913, PLR0917 - all parts of one result
    tree: Tree,
    files: PolicyFiles,
    found: Sources,
    judged: Reviewed,
    extra: Extra,
    now: datetime,
) -> Outcome:
    scope = Scope(whole_tree=False, today=now.date())
    gaps, accepted = accepted_gaps.accept(
        sorted([*tree.gaps, *extra.gaps]), files.config.accept_gaps, scope
    )
    notes = [*found.notes, *extra.notes, *accepted.notes]
    notes += [] if files.exists else [no_policy()]
    findings = map(masked_finding, sorted([*judged.findings, *extra.findings], key=in_order))
    return Outcome(
        findings=tuple(sorted(identify(findings), key=in_order)),
        notes=tuple(map(masked_note, sorted(notes))),
        gaps=tuple(map(masked_gap, gaps)),
        skips=tuple(skip._replace(path=masked(skip.path)) for skip in sorted(tree.skips)),
        coverage=tree.coverage,
        access=AccessMatrix(
            rows=tuple(_masked_row(row) for row in judged.rows),
            proposals=tuple(map(_masked_proposal, judged.proposals)),
        ),
    )


def _masked_row(row: AccessRow) -> AccessRow:
    return row._replace(
        secret=masked_id(row.secret), rule=masked(row.rule), service=masked(row.service)
    )


def _masked_proposal(proposal: Proposal) -> Proposal:
    lines = (masked(line) for line in proposal.text.splitlines(keepends=True))
    return Proposal(masked(proposal.service), "".join(lines))


def _write_policies(folder: str, console: Console, proposals: Iterable[Proposal]) -> None:
    """One file for each service. A name that is not a file name is refused, never followed."""
    for proposal in proposals:
        if _UNSAFE & {*proposal.service} or proposal.service.startswith("."):
            raise UsageError(
                f"the service {proposal.service!r} has no name for a file",
                todo="rename it in keywatch.yaml",
            )
        path = os.path.join(console.cwd, folder, f"{proposal.service}.hcl")
        _write(path, proposal.text)


def _write(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    written_files.write_pieces(path, [text.encode(errors="backslashreplace")])
