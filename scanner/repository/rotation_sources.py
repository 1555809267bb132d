"""The command line: the files of a tree that run something, read once, and what they do.

Joins inputs and policy by passing texts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from scanner.policy.declarations.model import Declared
from scanner.policy.repository import (
    file_roles,
    guard_rails,
    manifests,
    rotating_commands,
    terraform,
)
from scanner.policy.repository.manifests import Synced
from scanner.policy.repository.rotating_commands import Seen as Acted
from scanner.policy.repository.rotation_check import Evidence
from scanner.repository.tree import Tree


class Seen(NamedTuple):
    """The evidence of rotation; the Secrets that manifests declare; the texts of hooks and CI files
    by path; and those of the files that a CI job runs."""

    evidence: Evidence
    made: tuple[Declared, ...]
    hooks: dict[str, str]
    jobs: dict[str, str]
    run: list[str]


class _Gathering:
    """What the files read so far do."""

    def __init__(self) -> None:
        self.acts: set[rotating_commands.Act] = set()
        self.synced: set[Synced] = set()
        self.made: list[Declared] = []
        self.claims: list[rotating_commands.Claim] = []
        self.words: set[str] = set()

    def add(self, seen: Acted, *, runs: bool) -> None:
        """`runs`: is this a file by which secrets are rotated, or any script?"""
        self.acts |= seen.by_itself
        self.claims += seen.claims
        if runs:
            self.acts |= seen.acts
            self.words |= seen.words

    def add_manifest(self, text: str, path: str) -> None:
        parts = manifests.parts(text)
        for part in parts:
            if part.is_of("CronJob"):
                self.add(rotating_commands.look(part.text, path, first_line=part.line), runs=True)
        self.made += manifests.declared(parts, path)
        for one in manifests.external(parts):
            if isinstance(one, Synced):
                self.synced.add(one)
            else:
                self.acts.add(one)


def gather(tree: Tree, excluded: Callable[[str], bool]) -> Seen:
    """Read what may rotate a secret or guard the repository, in the order of the paths."""
    found = _Gathering()
    jobs = {path: text for path in _those(tree, file_roles.is_ci) if (text := tree.text(path))}
    hooks = {path: text for path in _those(tree, _is_hook) if (text := tree.text(path))}
    for path, text in jobs.items():
        found.add(rotating_commands.look(text, path), runs=True)
    called = sorted(file_roles.run_by(frozenset(found.words), tree.paths) - jobs.keys())
    run = {path: text for path in called if (text := tree.text(path))}
    for path, text in run.items():
        found.add(rotating_commands.look(text, path), runs=True)
    resources = []
    for path in sorted(tree.paths - jobs.keys() - run.keys()):
        if not excluded(path):
            resources += _one(tree, path, found)
    found.acts |= terraform.acts(resources)
    evidence = Evidence(
        acts=frozenset(found.acts),
        synced=frozenset(found.synced),
        claims=tuple(found.claims),
        words=frozenset(found.words),
    )
    return Seen(evidence, tuple(found.made), hooks, jobs, list(run.values()))


def _those(tree: Tree, wanted: Callable[[str], bool]) -> list[str]:
    return sorted(filter(wanted, tree.paths))


def _is_hook(path: str) -> bool:
    return path == guard_rails.PRE_COMMIT or file_roles.is_hook(path)


def _one(tree: Tree, path: str, found: _Gathering) -> list[str]:
    """Take in one file that no job runs; its text where it is Terraform's."""
    named = file_roles.rotates_by_name(path)
    is_terraform, is_manifest = file_roles.is_terraform(path), file_roles.is_manifest(path)
    if not (named or is_terraform or is_manifest or file_roles.is_script(path)):
        return []
    text = tree.text(path) or ""
    if is_terraform:
        return [text] if any(word in text for word in terraform.MENTIONS) else []
    if named or not is_manifest:
        found.add(rotating_commands.look(text, path), runs=named)
    if is_manifest and any(word in text for word in manifests.KINDS):
        found.add_manifest(text, path)
    return []
