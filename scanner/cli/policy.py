"""Hold the policy together: keywatch.yaml, configs/secrets/*.yaml and the repository's guard rails.

  keywatch policy check [PATH]
  keywatch policy explain ID [--tag NAME=VALUE]

Exit code of a check: 2 where one of the files is invalid, each is named with its line. 1 where they
contradict themselves or each other, where nothing rotates a declared secret, or where a hook, its
baseline or a CI job is missing. `explain` says which entry of `secrets` a live secret falls under.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import scanner
from scanner import cache, globs
from scanner.cli import output
from scanner.configuration import repository as config
from scanner.configuration.repository import Config
from scanner.console import Io, moment, show_error
from scanner.errors import ConfigError, ExitCode, KeywatchError
from scanner.fingerprints import identify
from scanner.inputs.interface import CONTROL_LIMIT
from scanner.masking import masked, masked_finding, masked_gap, masked_note
from scanner.model import Finding, Gap, Note, Outcome, Severity
from scanner.policy.declarations.model import Declared
from scanner.policy.exceptions import accepted_gaps as gap_policy
from scanner.policy.judge_input import Scope, in_order
from scanner.policy.repository import contradictions, file_roles, guard_rails, rotation_check
from scanner.policy.repository import rules as check_rules
from scanner.policy.repository.guard_rails import Hook
from scanner.report.interface import ReportContext
from scanner.repository import explain_entry, rotation_sources
from scanner.repository.tree import Tree
from scanner.scan import sources

_MOST_SECRETS = 2000
Found = tuple[list[Finding], list[Note]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="check|explain")
    words = "say which entry of `secrets` a live secret falls under, and why"
    explain_entry.add_arguments(actions.add_parser("explain", help=words, description=words))
    words = "validate the policy's files together"
    check = actions.add_parser("check", help=words, description=words)
    sources.add_folder(check)
    check.add_argument(
        "--no-git", action="store_true", help="every file there is, ignored ones and all"
    )
    group = check.add_argument_group("how to judge and report")
    group.add_argument(
        "--fail-on",
        choices=[level.label for level in Severity],
        help="least severity for exit code 1; default: fail_on of keywatch.yaml, else low",
    )
    output.add_arguments(group)
    group.add_argument("--now", metavar="TIME", help="judge as of this time (ISO 8601)")


class Policy(NamedTuple):
    """The valid files of the policy."""

    config: Config
    exists: bool
    secrets: Sequence[Declared]


def run(args: argparse.Namespace, io: Io) -> int:
    if args.action == "explain":
        return explain_entry.run(args, io)
    output.targets(args.report)
    now = moment(args.now)
    tree = Tree(args.path, io, use_git=not args.no_git)
    policy = read(tree, io)
    if policy is None:
        return ExitCode.USAGE
    outcome = _judged(tree, policy, now)
    fail_on = Severity[args.fail_on.upper()] if args.fail_on else policy.config.fail_on
    written = True
    if args.report or not args.quiet:
        written = output.deliver(args, io, outcome, _context(io, tree, now, fail_on))
    return output.exit_code(outcome, fail_on, written=written, require_complete=False)


def read(tree: Tree, io: Io) -> Policy | None:
    """The policy; None where a file of it is invalid: each is shown."""
    policy, faults = examined(tree)
    for fault in faults:
        show_error(fault, io)
    return None if faults else policy


def examined(tree: Tree) -> tuple[Policy, list[KeywatchError]]:
    """What is valid of the policy's files, and what is wrong with the others."""
    faults: list[KeywatchError] = []
    settings, data = Config({}), None
    try:
        data = tree.control(config.NAME)
        settings = config.load(data, config.NAME, None)
        _check_rules(settings, data)
    except KeywatchError as error:
        faults.append(error)
    secrets, more = declarations(tree)
    faults += more
    if len(secrets) > _MOST_SECRETS:
        faults.append(
            ConfigError(f"configs/secrets declares over {_MOST_SECRETS:,} secrets", todo="split it")
        )
    return Policy(settings, data is not None, secrets), faults


def _check_rules(settings: Config, data: bytes | None) -> None:
    """ConfigError for a rule of one's own that is none, and for an unknown one that is disabled."""
    if data and (settings.has_rules or settings.disable_rules):
        from scanner.detect.rules import model, rulebook

        own = [model.RuleFile(config.NAME, data, part=True)] if settings.has_rules else []
        disabled, folder = settings.disable_rules, cache.folder()
        _ = rulebook.load(own, disabled=disabled, cache_folder=folder).own_rules


def declarations(tree: Tree) -> tuple[list[Declared], list[KeywatchError]]:
    """What the files of configs/secrets declare, and what is wrong with those that are invalid.

    One that could not be read is a gap of the tree."""
    secrets: list[Declared] = []
    faults: list[KeywatchError] = []
    for path in sorted(filter(file_roles.is_declaration, tree.paths)):
        data = tree.data(path)
        if isinstance(data, bytes):
            try:
                secrets += config.declared_secrets(data, path)
            except ConfigError as error:
                faults.append(error)
        elif isinstance(data, Gap):
            tree.gaps.append(data)
        elif data.kind != "absent":
            why = f"it is skipped as {data.kind}; links are not followed"
            faults.append(ConfigError(f"{path} cannot be read", why=why, where=f"{path}:1"))
    return secrets, faults


def _judged(tree: Tree, policy: Policy, now: datetime) -> Outcome:
    settings, secrets = policy.config, policy.secrets
    seen = rotation_sources.gather(tree, globs.matcher(settings.exclude))
    found = contradictions.matched(settings.secrets, secrets)
    findings, notes = rotation_check.check(secrets, seen.evidence, found, tree.paths)
    findings += contradictions.check(settings, found, secrets, tree.paths)
    findings += _guard_rails(tree, seen)
    notes += contradictions.unclassified(found, secrets) if policy.exists else [no_policy()]
    if settings.audit:
        notes += contradictions.short_graces(settings.secrets, settings.classes, settings.audit)
    scope = Scope(whole_tree=False, today=now.date())
    gaps, accepted = gap_policy.accept(sorted(tree.gaps), settings.accept_gaps, scope)
    notes += accepted.notes
    return Outcome(
        findings=tuple(
            sorted(identify(map(masked_finding, sorted(findings, key=in_order))), key=in_order)
        ),
        notes=tuple(map(masked_note, sorted(notes))),
        gaps=tuple(map(masked_gap, gaps)),
        skips=tuple(skip._replace(path=masked(skip.path)) for skip in sorted(tree.skips)),
        coverage=tree.coverage,
    )


def no_policy() -> Note:
    text = f"there is no {config.NAME}, so no secret has a class: keywatch init writes one"
    return Note(kind="no-policy", path="", text=text)


def _guard_rails(tree: Tree, seen: rotation_sources.Seen) -> list[Finding]:
    hook = guard_rails.hook(seen.hooks.pop(guard_rails.PRE_COMMIT, None), seen.hooks.values())
    found = [hook if isinstance(hook, Finding) else _baseline(tree, hook)]
    found.append(guard_rails.ci(seen.jobs, seen.run))
    return [one for one in found if one]


def _baseline(tree: Tree, hook: Hook) -> Finding | None:
    if not hook.baseline:
        return None
    path = os.path.normpath(hook.baseline).replace(os.sep, "/")
    data = tree.data(path, CONTROL_LIMIT) if path in tree.paths else None
    if isinstance(data, bytes):
        return guard_rails.broken_baseline(hook, data)
    return guard_rails.missing_baseline(hook, tree.paths)


def _context(io: Io, tree: Tree, now: datetime, fail_on: Severity) -> ReportContext:
    return ReportContext(
        rules={rule.id: rule for rule in check_rules.RULES},
        now=now,
        version=scanner.__version__,
        root=os.path.basename(tree.root),
        command=masked(shlex.join(["keywatch", *sys.argv[1:]])),
        fail_on=fail_on,
        open_from=tree.open_from,
        color=io.color,
        width=io.width,
        analysis="policy-check",
    )
