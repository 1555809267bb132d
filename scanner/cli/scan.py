"""Find secrets in files, in git's index or on standard input, and judge them by the policy.

Without arguments it scans the repository around the current folder: what git tracks, and what it
does not ignore.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import ChainMap
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, cast

import scanner
from scanner import cache
from scanner.cli import output
from scanner.console import Io, moment
from scanner.errors import ExitCode
from scanner.model import Confidence, Coverage, Outcome, Severity, SuppressedBy, Suppression
from scanner.scan import baselines, files, sources

if TYPE_CHECKING:
    from datetime import datetime

    from scanner.model import RuleInfo
    from scanner.report.interface import ReportContext
    from scanner.scan.files import Plan, Swept

_LEVELS = [level.label for level in Severity]
_CONFIDENCES = [level.label for level in Confidence]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    sources.add_arguments(parser)
    files.add_arguments(parser)
    baselines.add_arguments(parser)
    group = parser.add_argument_group("how to judge and report")
    group.add_argument(
        "--fail-on",
        choices=_LEVELS,
        help="least severity for exit code 1; default: fail_on of keywatch.yaml, else low",
    )
    group.add_argument(
        "--min-confidence",
        choices=_CONFIDENCES,
        help="least confidence to report; default: low, and medium in keywatch hook",
    )
    group.add_argument(
        "--require-complete",
        action="store_true",
        help="exit code 3 where something could not be checked, even if there are findings",
    )
    output.add_arguments(group)
    group.add_argument("--now", metavar="TIME", help="judge as of this time (ISO 8601)")


def run(args: argparse.Namespace, io: Io) -> int:
    return scan(args, io, Confidence.LOW)


def scan(
    args: argparse.Namespace, io: Io, least: Confidence, *, silent_when_clean: bool = False
) -> int:
    """Scan, judge, report. `least` is the confidence to report where nobody names one."""
    output.targets(args.report)
    selection = sources.select(args, io, cache.folder())
    plan = files.plan(args, io, selection)
    seen = swept(plan, io, partial(_load_what_follows, args))
    if silent_when_clean and seen.is_clean and not args.report:
        return ExitCode.CLEAN  # nothing was seen, so there is nothing to judge or to say
    now = moment(args.now)
    outcome = judged(args, plan, seen, now, least)
    fail_on = _fail_on(args, plan)
    args.quiet |= silent_when_clean and not (outcome.findings or outcome.gaps or outcome.notes)
    written = True
    if args.report or not args.quiet:
        written = output.deliver(args, io, outcome, _context(io, plan, now, fail_on))
    if seen.when_delivered and written and outcome.complete:
        seen.when_delivered()
    return output.exit_code(
        outcome, fail_on, written=written, require_complete=args.require_complete
    )


def _load_what_follows(args: argparse.Namespace) -> None:
    """What judges and reports, loaded while other processes scan."""
    from scanner import masking
    from scanner.policy import judge, rules, variables  # noqa: F401
    from scanner.policy.live import rules as live_rules  # noqa: F401
    from scanner.report import table

    masking.prepare()
    for name, _ in output.targets(args.report):
        table.reporter(name)


def swept(plan: Plan, io: Io, meanwhile: Callable[[], object] = lambda: None) -> Swept:
    """What there is to see in files, or in commits."""
    if plan.selection.commits is None:
        return files.sweep(plan, io, meanwhile)
    from scanner.scan import history

    return history.sweep(plan, io, meanwhile)


def judged(
    args: argparse.Namespace,
    plan: Plan,
    seen: Swept,
    now: datetime,
    least: Confidence,
) -> Outcome:
    """What the sweep comes to under the repository's policy and baselines."""
    from scanner.masking import masked_terms
    from scanner.policy import judge
    from scanner.policy.live import rules as live_rules

    selection, owed = plan.selection, plan.owed
    settings = selection.config
    asked = Confidence[args.min_confidence.upper()] if args.min_confidence else None
    theirs = () if owed.settings else (r.id for r in plan.recipe.book.detect_secrets_rules.values())
    outcome = judge.judge(
        seen.observations,
        skips=seen.skips,
        gaps=seen.gaps,
        baseline=owed.baseline(),
        detect_secrets_baseline=owed.detect_secrets_baseline(),
        entries=[*map(masked_terms, settings.allow)],
        accepted_gaps=[*map(masked_terms, settings.accept_gaps)],
        legacy_pragmas=settings.legacy_pragmas,
        standing=[
            *(
                Suppression(by=SuppressedBy.RULE_DISABLED, where=selection.config_name, rule=rule)
                for rule in settings.disable_rules
            ),
            *owed.standing(),
        ],
        idle_rules={
            *(*settings.disable_rules, *theirs, *live_rules.BY_ID),
            *(each.kind for each in settings.accept_gaps if "://" in each.path),
        },
        whole_tree=selection.whole_tree,
        now=now,
        min_confidence=asked or settings.min_confidence or least,
    )
    skipped = outcome.coverage.skipped
    return outcome._replace(coverage=Coverage(files=seen.files, size=seen.size, skipped=skipped))


def _fail_on(args: argparse.Namespace, plan: Plan) -> Severity:
    return Severity[args.fail_on.upper()] if args.fail_on else plan.selection.config.fail_on


def _context(io: Io, plan: Plan, now: datetime, fail_on: Severity) -> ReportContext:
    import shlex

    from scanner.masking import masked
    from scanner.policy import rules, variables
    from scanner.report.interface import ReportContext

    own = {rule.id: rule for rule in (*rules.RULES, rules.WEAKENED, *variables.RULES)}
    asked = plan.selection.commits
    return ReportContext(
        rules=ChainMap(own, cast("dict[str, RuleInfo]", plan.recipe.book.infos)),
        now=now,
        version=scanner.__version__,
        root=os.path.basename(plan.selection.source.root),
        command=masked(shlex.join(["keywatch", *sys.argv[1:]])),
        fail_on=fail_on,
        open_from=plan.selection.open_from,
        color=io.color,
        width=io.width,
        analysis="history" if asked and asked.history else "scan",
    )
