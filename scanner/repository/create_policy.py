"""Write a first keywatch.yaml from what is in the repository."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from scanner import files
from scanner.configuration import repository
from scanner.configuration.repository import KEYWATCH_BASELINE, SECRETS_BASELINE, Config
from scanner.console import Console
from scanner.errors import KeywatchError, UsageError
from scanner.masking import masked
from scanner.model import Finding
from scanner.policy.declarations.model import DeclaredSecret
from scanner.policy.repository import file_roles, guard_rails, new_policy, vault_hints
from scanner.policy.repository.new_policy import PolicyInput
from scanner.policy.repository.vault_hints import ServiceSuggestion, VaultPolicy, Workload
from scanner.report.text import count
from scanner.repository import rotation_sources
from scanner.repository.policy_files import declarations
from scanner.repository.tree import Tree

_LONGEST = 200
_NEXT = {
    "policy": ("keywatch policy check", "check the new file"),
    "hook": (
        "keywatch hook install",
        "check each commit, or use the pre-commit hook of the README",
    ),
    "baseline": ("keywatch baseline create", "accept the current findings, to review them later"),
    "ci": ("keywatch scan --report sarif=keywatch.sarif --require-complete", "in a CI job"),
}


def create(path: str, console: Console) -> list[str]:
    """Write keywatch.yaml. Returns lines that say what it was made from and what to do next.

    UsageError if there already is one.
    """
    tree = Tree(path, console)
    target = os.path.join(tree.root, repository.NAME)
    shown = os.path.relpath(target, os.path.realpath(console.cwd))
    if os.path.lexists(target):
        raise UsageError(
            f"{shown} exists already",
            why="it is never overwritten",
            todo="check it with keywatch policy check, or move it away to start again",
        )
    secrets, faults = declarations(tree)
    hints = _Hints(tree)
    seen = PolicyInput(
        classes=tuple(Config({}).classes.values()),
        secrets=[one for one in secrets if _is_safe(one.id)],
        services=[one for one in hints.services(secrets) if _may_stand(one)],
        exclude=[glob for glob in new_policy.third_party(tree.paths) if _is_safe(glob)],
        detect_secrets=SECRETS_BASELINE in tree.paths,
    )
    data = new_policy.text(seen).encode()
    repository.load(data, repository.NAME, None)  # what is written must be valid
    files.write_file(target, data)
    return [f"wrote {shown}", *_found(tree, seen, faults), "next steps", *_next(tree)]


def _is_safe(name: str) -> bool:
    """A printable name without a secret in it."""
    return name.isprintable() and len(name) <= _LONGEST and masked(name) == name


def _may_stand(hint: ServiceSuggestion) -> bool:
    return all(map(_is_safe, (hint.name, hint.vault_role, hint.path, *hint.policies)))


class _Hints:
    """What policies, roles and manifests say about services."""

    def __init__(self, tree: Tree) -> None:
        self.policies: list[VaultPolicy] = []
        self.workloads: list[Workload] = []
        self.roles: dict[str, tuple[str, ...]] = {}
        for path in sorted(tree.paths):
            if path.endswith(".hcl"):
                found = vault_hints.policy(tree.text(path) or "", path)
                self.policies += [found] if found else []
            elif file_roles.is_script(path):
                self.roles.update(vault_hints.roles(tree.text(path) or ""))
            elif file_roles.is_manifest(path):
                self.workloads += vault_hints.workloads(tree.text(path) or "", path)

    def services(self, secrets: list[DeclaredSecret]) -> list[ServiceSuggestion]:
        return vault_hints.services(self.policies, self.roles, self.workloads, secrets)


def _found(tree: Tree, seen: PolicyInput, faults: Iterable[KeywatchError]) -> Iterator[str]:
    """What the file was made from, one line each."""
    languages = ", ".join(new_policy.languages(tree.paths)[:6])
    yield f"  found {count(len(tree.paths), 'file')}" + (f": {languages}" if languages else "")
    if seen.secrets:
        files = sorted({one.location.path for one in seen.secrets})
        yield f"  found {count(len(seen.secrets), 'declared secret')} in {', '.join(files[:3])}"
    if seen.services:
        yield f"  found {count(len(seen.services), 'service')} in policies, roles and manifests"
    if seen.exclude:
        yield f"  found third-party code, excluded: {', '.join(seen.exclude[:3])}"
    if seen.detect_secrets:
        yield f"  found {SECRETS_BASELINE}: findings of detect-secrets are reported, too"
    for fault in faults:
        yield f"  left out {fault.where}: {fault.what}"


def _next(tree: Tree) -> Iterator[str]:
    """The next steps, in order."""
    seen = rotation_sources.gather(tree, lambda _path: False)
    hook = guard_rails.hook(seen.hooks.pop(guard_rails.PRE_COMMIT, None), seen.hooks.values())
    needed = {
        "policy": True,
        "hook": isinstance(hook, Finding),
        "baseline": not tree.paths & {KEYWATCH_BASELINE, SECRETS_BASELINE},
        "ci": guard_rails.ci(seen.jobs, seen.run) is not None,
    }
    width = max(len(command) for command, _ in _NEXT.values())
    for step, (command, why) in _NEXT.items():
        if needed[step]:
            yield f"  {command:<{width}}  {why}"
