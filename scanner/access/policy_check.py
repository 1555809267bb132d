"""Check the files of the policy, Vault policies included; or only what a change adds to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from scanner.access import repository
from scanner.access.review import judge, policy_findings
from scanner.configuration.repository import Config
from scanner.console import Console, show_error
from scanner.errors import UsageError
from scanner.fingerprints import identify
from scanner.inputs.git import commands
from scanner.inputs.git.revisions import of_diff
from scanner.masking import masked_finding, masked_gap, masked_note
from scanner.model import Finding, Outcome
from scanner.policy.access import widening
from scanner.policy.access.review import Subject
from scanner.policy.access.rules import RULES as ACCESS_RULES
from scanner.policy.declarations.model import Service
from scanner.policy.judge_input import in_order
from scanner.policy.repository.rules import RULES as CHECK_RULES
from scanner.repository import check as repository_check
from scanner.repository import policy_files
from scanner.repository.policy_files import PolicyFiles
from scanner.repository.tree import Tree

RULES = (*CHECK_RULES, *ACCESS_RULES)


class CheckRequest(NamedTuple):
    """`diff` is BASE or BASE..HEAD: only what the change widens, judged by the policy of the merge
    base, or of the commit `trust`. "" checks everything."""

    path: str
    use_git: bool = True
    diff: str = ""
    trust: str = ""


class Checked(NamedTuple):
    """The outcome, the tree that it is about, and the keywatch.yaml that says what fails."""

    outcome: Outcome
    tree: Tree
    config: Config


def check(request: CheckRequest, console: Console, now: datetime) -> Checked | None:
    """None if a file is invalid; each fault is printed. UsageError: the request is wrong."""
    if request.trust and not request.diff:
        raise UsageError("--trust belongs to --diff", todo="add --diff BASE, or leave out --trust")
    if request.diff:
        return _of_change(request, console, now)
    tree = Tree(request.path, console, use_git=request.use_git)
    files = policy_files.load(tree, console)
    if files is None:
        return None
    found, notes, faults = policy_findings(tree, files, now)
    for fault in faults:
        show_error(fault, console)
    if faults:
        return None
    outcome = repository_check.check(tree, files, now)
    more = identify(map(masked_finding, sorted(found, key=in_order)))
    outcome = outcome._replace(
        findings=tuple(sorted((*outcome.findings, *more), key=in_order)),
        notes=tuple(sorted((*outcome.notes, *map(masked_note, notes)))),
    )
    return Checked(outcome, tree, files.config)


def _of_change(request: CheckRequest, console: Console, now: datetime) -> Checked | None:
    root = Tree(request.path, console).root
    change = of_diff(root, request.diff)
    trust = change.base
    if request.trust:
        found = commands.objects(root).commit(request.trust)
        if found is None:
            raise UsageError(
                f"--trust {request.trust} is not a commit of this repository",
                todo="try git rev-parse",
            )
        trust = found
    head = Tree(request.path, console, commit=change.head)
    files = policy_files.load(head, console)
    if files is None:
        return None
    new, faults = repository.sources(head, files)
    for fault in faults:
        show_error(fault, console)
    if faults:
        return None
    base = Tree(request.path, console, commit=trust) if trust else None
    held, old = _held(base)
    judged = judge(_trusted(new, old, held), now, None)
    before = {_key(one) for one in judge(old, now, None).findings} if old else set()
    widened = [one for one in judged.findings if _key(one) not in before]
    widened += _weakened(new, old, held, files, now)
    findings = identify(map(masked_finding, sorted(dict.fromkeys(widened), key=in_order)))
    outcome = Outcome(
        findings=tuple(sorted(findings, key=in_order)),
        gaps=tuple(map(masked_gap, sorted({*head.gaps, *(base.gaps if base else ())}))),
        skips=tuple(sorted(head.skips)),
        coverage=head.coverage,
    )
    return Checked(outcome, head, held.config if held else files.config)


def _key(finding: Finding) -> tuple[str, str]:
    return finding.rule, finding.context


def _held(base: Tree | None) -> tuple[PolicyFiles | None, repository.Sources | None]:
    """The trusted policy. Files of it that are invalid count as absent, so nothing is trusted
    that they say."""
    if base is None:
        return None, None
    held, _ = policy_files.examined(base)
    return held, repository.sources(base, held)[0]


def _trusted(
    new: repository.Sources,
    old: repository.Sources | None,
    held: PolicyFiles | None,
) -> repository.Sources:
    """The change's policies, with the classes and needs of the trusted policy."""
    if old is None or held is None:
        return new
    classes = {secret.id: secret.secret_class for secret in old.secrets if secret.secret_class}
    secrets = tuple(
        one._replace(secret_class=classes.get(one.id, one.secret_class)) for one in new.secrets
    )
    needs = {service.name: service for service in held.config.services}
    subjects = tuple(_as_held(one, needs.get(one.name)) for one in new.subjects)
    return new._replace(secrets=secrets, subjects=subjects)


def _as_held(subject: Subject, held: Service | None) -> Subject:
    if held is None:
        return subject
    return subject._replace(needs=held.needs, needs_locations=(subject.location,) * len(held.needs))


def _weakened(
    new: repository.Sources,
    old: repository.Sources | None,
    held: PolicyFiles | None,
    files: PolicyFiles,
    now: datetime,
) -> Iterator[Finding]:
    if old is None or held is None:
        return
    paths = [path for secret in new.secrets for path, _ in secret.endpoints]
    for name in new.own:
        if name in old.policies:
            yield from widening.of_policy(
                old.policies[name], new.policies[name], paths, now.timestamp()
            )
    before: Mapping[str, Service] = {one.name: one for one in held.config.services}
    for service in files.config.services:
        yield from widening.of_service(before.get(service.name), service)
