"""Read the files of a tree that run commands or rotate secrets, each file once."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from scanner.policy.declarations.model import DeclaredSecret
from scanner.policy.repository import (
    file_roles,
    guard_rails,
    manifests,
    rotating_commands,
    terraform,
)
from scanner.policy.repository.manifests import SyncedSecret
from scanner.policy.repository.rotating_commands import FileActions
from scanner.policy.repository.rotation_check import RotationEvidence
from scanner.repository.tree import Tree


class RotationSources(NamedTuple):
    """What was read from a repository.

    `made` are the Secrets that manifests create. `hooks` and `jobs` are texts by path. `run` are
    the texts of the files that CI jobs run.
    """

    evidence: RotationEvidence
    made: tuple[DeclaredSecret, ...]
    hooks: dict[str, str]
    jobs: dict[str, str]
    run: list[str]


class _Collector:
    """Collects the rotation actions of the files."""

    def __init__(self) -> None:
        self.actions: set[rotating_commands.RotationAction] = set()
        self.synced: set[SyncedSecret] = set()
        self.made: list[DeclaredSecret] = []
        self.suspect_writes: list[rotating_commands.SuspectWrite] = []
        self.words: set[str] = set()

    def add(self, seen: FileActions, *, runs: bool) -> None:
        """Add the actions of a file. `runs` is true if something runs the file."""
        self.actions |= seen.automatic
        self.suspect_writes += seen.suspect_writes
        if runs:
            self.actions |= seen.actions
            self.words |= seen.words

    def add_manifest(self, text: str, path: str) -> None:
        parts = manifests.split_documents(text)
        for part in parts:
            if part.is_of("CronJob"):
                self.add(
                    rotating_commands.analyze(part.text, path, first_line=part.line), runs=True
                )
        self.made += manifests.declared(parts, path)
        for one in manifests.external(parts):
            if isinstance(one, SyncedSecret):
                self.synced.add(one)
            else:
                self.actions.add(one)


def gather(tree: Tree, excluded: Callable[[str], bool]) -> RotationSources:
    """Read the files that may rotate a secret, run a hook or a CI job, in the order of paths."""
    found = _Collector()
    jobs = {path: text for path in _those(tree, file_roles.is_ci) if (text := tree.text(path))}
    hooks = {path: text for path in _those(tree, _is_hook) if (text := tree.text(path))}
    for path, text in jobs.items():
        found.add(rotating_commands.analyze(text, path), runs=True)
    called = sorted(file_roles.run_by(frozenset(found.words), tree.paths) - jobs.keys())
    run = {path: text for path in called if (text := tree.text(path))}
    for path, text in run.items():
        found.add(rotating_commands.analyze(text, path), runs=True)
    resources = []
    for path in sorted(tree.paths - jobs.keys() - run.keys()):
        if not excluded(path):
            resources += _one(tree, path, found)
    found.actions |= terraform.actions(resources)
    evidence = RotationEvidence(
        actions=frozenset(found.actions),
        synced=frozenset(found.synced),
        suspect_writes=tuple(found.suspect_writes),
        words=frozenset(found.words),
    )
    return RotationSources(evidence, tuple(found.made), hooks, jobs, list(run.values()))


def _those(tree: Tree, wanted: Callable[[str], bool]) -> list[str]:
    return sorted(filter(wanted, tree.paths))


def _is_hook(path: str) -> bool:
    return path == guard_rails.PRE_COMMIT or file_roles.is_hook(path)


def _one(tree: Tree, path: str, found: _Collector) -> list[str]:
    """Add one file that no CI job runs. Returns its text if it is a Terraform file."""
    named = file_roles.rotates_by_name(path)
    is_terraform, is_manifest = file_roles.is_terraform(path), file_roles.is_manifest(path)
    if not (named or is_terraform or is_manifest or file_roles.is_script(path)):
        return []
    text = tree.text(path) or ""
    if is_terraform:
        return [text] if any(word in text for word in terraform.MENTIONS) else []
    if named or not is_manifest:
        found.add(rotating_commands.analyze(text, path), runs=named)
    if is_manifest and any(word in text for word in manifests.KINDS):
        found.add_manifest(text, path)
    return []
