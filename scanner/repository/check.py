"""Check keywatch.yaml, configs/secrets and the repository's own files against each other."""

from __future__ import annotations

import os
from datetime import datetime

from scanner import globs
from scanner.configuration import repository
from scanner.fingerprints import identify
from scanner.inputs.git import commands
from scanner.inputs.interface import CONTROL_LIMIT
from scanner.masking import masked, masked_finding, masked_gap, masked_note
from scanner.model import NOWHERE, Finding, Note, NoteKind, Outcome
from scanner.policy.exceptions import accepted_gaps
from scanner.policy.judge_input import Scope, in_order
from scanner.policy.repository import contradictions, guard_rails, rotation_check
from scanner.policy.repository.guard_rails import Hook
from scanner.repository import rotation_sources
from scanner.repository.policy_files import PolicyFiles
from scanner.repository.rotation_sources import RotationSources
from scanner.repository.tree import Tree

_HEAD = 4096  # bytes of a hook that say who wrote it


def check(tree: Tree, policy: PolicyFiles, now: datetime) -> Outcome:
    """Findings about the policy itself, the rotation of its secrets, hooks and CI jobs."""
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
    gaps, accepted = accepted_gaps.accept(sorted(tree.gaps), settings.accept_gaps, scope)
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
    text = f"there is no {repository.NAME}, so no secret has a class; keywatch init writes one"
    return Note(kind=NoteKind.NO_POLICY, path="", text=text)


def _guard_rails(tree: Tree, seen: RotationSources) -> list[Finding]:
    hook = guard_rails.hook(seen.hooks.pop(guard_rails.PRE_COMMIT, None), seen.hooks.values())
    if isinstance(hook, Finding) and _hook_is_installed(tree):
        hook = Hook(NOWHERE, "")
    found = [hook if isinstance(hook, Finding) else _baseline(tree, hook)]
    found.append(guard_rails.ci(seen.jobs, seen.run))
    return [one for one in found if one]


def _hook_is_installed(tree: Tree) -> bool:
    """Whether `keywatch hook install` wrote this clone's pre-commit hook."""
    if not os.path.isdir(os.path.join(tree.root, ".git")):
        return False
    folder = os.path.join(tree.root, commands.hooks_folder(tree.root))
    for name in ("pre-commit", os.path.join("pre-commit.d", "keywatch")):
        try:
            with open(os.path.join(folder, name), "rb") as file:
                if b"keywatch hook" in file.read(_HEAD):
                    return True
        except OSError:
            continue
    return False


def _baseline(tree: Tree, hook: Hook) -> Finding | None:
    if not hook.baseline:
        return None
    path = os.path.normpath(hook.baseline).replace(os.sep, "/")
    data = tree.data(path, CONTROL_LIMIT) if path in tree.paths else None
    if isinstance(data, bytes):
        return guard_rails.broken_baseline(hook, data)
    return guard_rails.missing_baseline(hook, tree.paths)
