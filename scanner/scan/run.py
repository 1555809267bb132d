"""Run a scan: plan it, scan, and judge what was found."""

from __future__ import annotations

from collections import ChainMap
from typing import TYPE_CHECKING, NamedTuple, cast

from scanner.model import (
    Acceptance,
    Confidence,
    Coverage,
    Location,
    Outcome,
    SuppressedBy,
    Suppression,
)
from scanner.scan import plan as planning

if TYPE_CHECKING:
    from datetime import datetime

    from scanner.console import Console
    from scanner.model import FailOn, RuleInfo
    from scanner.policy.exceptions.allow_entries import AllowEntry
    from scanner.report.interface import ReportContext
    from scanner.scan.plan import ScanPlan
    from scanner.scan.request import ScanRequest
    from scanner.scan.result import ScanResult
    from scanner.scan.sources import Selection


class FinishedScan(NamedTuple):
    """A plan and what its scan found. Judging loads more modules, so it happens on demand."""

    plan: ScanPlan
    result: ScanResult

    def judge(self, now: datetime) -> Outcome:
        return judge(self.plan, self.result, now)


def run(
    request: ScanRequest, console: Console, *, selection: Selection | None = None
) -> FinishedScan:
    """Scan what the request means.

    UsageError, ConfigError: the request, or a file that it depends on, is wrong.
    """
    plan = planning.make(request, console, selection)
    if plan.selection.commits and plan.selection.commits.newer:
        from scanner.scan import weakening

        plan = weakening.stricter(plan, console)
    return FinishedScan(plan, scan(plan, console))


def scan(plan: ScanPlan, console: Console) -> ScanResult:
    """Find what is in the files or commits of the plan."""
    if plan.selection.commits is None:
        from scanner.scan import work_tree

        return work_tree.scan(plan, console)
    from scanner.scan import history

    return history.scan(plan, console)


def judge(plan: ScanPlan, result: ScanResult, now: datetime) -> Outcome:
    """Apply the repository's policy, exceptions and baselines to what was found."""
    from scanner.masking import masked_terms
    from scanner.policy import judge as policy_judge
    from scanner.policy.live import rules as live_rules

    selection, known, request = plan.selection, plan.baselines, plan.request
    config = selection.config
    confidence = request.min_confidence or config.min_confidence or request.default_confidence
    detect_secrets_rules = plan.workers.rulebook.detect_secrets_rules.values()
    not_run = () if known.settings else (rule.id for rule in detect_secrets_rules)
    outcome = policy_judge.judge(
        result.observations,
        skips=result.skips,
        gaps=result.gaps,
        baseline=known.baseline(),
        detect_secrets_baseline=known.detect_secrets_baseline(),
        entries=[*map(masked_terms, _entries(plan))],
        accepted_gaps=[*map(masked_terms, config.accept_gaps)],
        legacy_pragmas=config.legacy_pragmas,
        standing=[
            *(
                Suppression(
                    by=SuppressedBy.RULE_DISABLED,
                    location=Location.at(selection.config_name, 0),
                    rule=rule,
                )
                for rule in config.disable_rules
            ),
            *known.standing(),
        ],
        unused_after=config.unused_after,
        idle_rules={
            *(*config.disable_rules, *not_run, *live_rules.BY_ID),
            *(each.kind for each in config.accept_gaps if "://" in each.path),
            *(each.rule for each in config.allow if each.rule.startswith("trail-")),
        },
        whole_tree=selection.whole_tree,
        now=now,
        min_confidence=confidence or Confidence.LOW,
    )
    coverage = Coverage(files=result.files, size=result.size, skipped=outcome.coverage.skipped)
    return outcome._replace(coverage=coverage)


def _entries(plan: ScanPlan) -> list[AllowEntry]:
    """The exceptions of the policy, and those that were approved in addition."""
    held = plan.selection.config.allow
    known = {(each.rule, each.path, each.fingerprint, each.tag) for each in held}
    more = (
        each
        for each in plan.approved
        if (each.rule, each.path, each.fingerprint, each.tag) not in known
    )
    return [*held, *more]


def report_context(
    plan: ScanPlan, console: Console, now: datetime, fail_on: FailOn
) -> ReportContext:
    """What the reports of this scan need besides its outcome."""
    from scanner.policy import rules, variables

    judges = {rule.id: rule for rule in (*rules.RULES, rules.WEAKENED, *variables.RULES)}
    commits = plan.selection.commits
    acceptance = Acceptance.ALLOW
    if plan.request.stdin_name is not None:
        acceptance = Acceptance.NONE
    elif commits and commits.is_trusted:
        acceptance = Acceptance.APPROVAL
    context = console.report_context(
        ChainMap(judges, cast("dict[str, RuleInfo]", plan.workers.rulebook.infos)),
        now,
        plan.selection.source.root,
        fail_on,
        "history" if commits and commits.history else "scan",
    )
    return context._replace(open_from=plan.selection.open_from, acceptance=acceptance)
