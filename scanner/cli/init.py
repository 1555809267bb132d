"""Write a keywatch.yaml from what is in the repository, with comments.

  keywatch init [PATH]

It takes names and paths from configs/secrets, from policies and roles of Vault and from manifests,
never a value. A keywatch.yaml that is there is left as it is.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Iterator

from scanner import files
from scanner.cli.policy import declarations
from scanner.configuration import repository
from scanner.configuration.repository import Config
from scanner.console import Io, plain
from scanner.errors import ExitCode, KeywatchError, UsageError
from scanner.masking import masked
from scanner.model import Finding
from scanner.policy.declarations.model import Declared
from scanner.policy.repository import file_roles, guard_rails, new_policy, vault_hints
from scanner.policy.repository.new_policy import Sights
from scanner.policy.repository.vault_hints import Hint, Policy, Workload
from scanner.report.text import count
from scanner.repository import rotation_sources
from scanner.repository.tree import Tree
from scanner.scan import baselines, sources

_LONGEST = 200
_NEXT = {
    "policy": ("keywatch policy check", "is it whole?"),
    "hook": (
        "keywatch hook install",
        "check each commit; or the hook for pre-commit of the README",
    ),
    "baseline": ("keywatch baseline create", "record what is there today, to look at it later"),
    "ci": ("keywatch scan --report sarif=keywatch.sarif --require-complete", "in a CI job"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    sources.add_folder(parser)


def run(args: argparse.Namespace, io: Io) -> int:
    tree = Tree(args.path, io)
    target = os.path.join(tree.root, repository.NAME)
    shown = os.path.relpath(target, os.path.realpath(io.cwd))
    if os.path.lexists(target):
        raise UsageError(
            f"{shown} is there already",
            why="it is never overwritten",
            todo="keywatch policy check says what is wrong with it; to begin anew, move it away",
        )
    secrets, faults = declarations(tree)
    hints = _Hints(tree)
    seen = Sights(
        classes=tuple(Config({}).classes.values()),
        secrets=[one for one in secrets if _is_safe(one.id)],
        services=[one for one in hints.services(secrets) if _may_stand(one)],
        exclude=[glob for glob in new_policy.third_party(tree.paths) if _is_safe(glob)],
        detect_secrets=baselines.SECRETS_BASELINE in tree.paths,
    )
    data = new_policy.text(seen).encode()
    repository.load(data, repository.NAME, None)  # what is written is valid
    files.write_file(target, data)
    lines = [f"{shown} is written", *_saw(tree, seen, faults), "next", *_next(tree)]
    io.write("".join(plain(line) + "\n" for line in lines))
    return ExitCode.CLEAN


def _is_safe(name: str) -> bool:
    """A name that can stand in a file for people: it prints, and no secret is in it."""
    return name.isprintable() and len(name) <= _LONGEST and masked(name) == name


def _may_stand(hint: Hint) -> bool:
    return all(map(_is_safe, (hint.name, hint.vault_role, hint.path, *hint.policies)))


class _Hints:
    """What the files of a tree say about services."""

    def __init__(self, tree: Tree) -> None:
        self.policies: list[Policy] = []
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

    def services(self, secrets: list[Declared]) -> list[Hint]:
        return vault_hints.services(self.policies, self.roles, self.workloads, secrets)


def _saw(tree: Tree, seen: Sights, faults: Iterable[KeywatchError]) -> Iterator[str]:
    """What the file was made from, a line each."""
    languages = ", ".join(new_policy.languages(tree.paths)[:6])
    yield f"  saw   {count(len(tree.paths), 'file')}" + (f": {languages}" if languages else "")
    if seen.secrets:
        files = sorted({one.where.rpartition(":")[0] for one in seen.secrets})
        yield f"  saw   {count(len(seen.secrets), 'declared secret')} in {', '.join(files[:3])}"
    if seen.services:
        yield f"  saw   {count(len(seen.services), 'service')} in policies, roles and manifests"
    if seen.exclude:
        yield f"  saw   other people's code, excluded: {', '.join(seen.exclude[:3])}"
    if seen.detect_secrets:
        yield f"  saw   {baselines.SECRETS_BASELINE}: what detect-secrets finds is found, too"
    for fault in faults:
        yield f"  left out {fault.where}: {fault.what}"


def _next(tree: Tree) -> Iterator[str]:
    """What is still to be done, in its order."""
    seen = rotation_sources.gather(tree, lambda _path: False)
    hook = guard_rails.hook(seen.hooks.pop(guard_rails.PRE_COMMIT, None), seen.hooks.values())
    needed = {
        "policy": True,
        "hook": isinstance(hook, Finding),
        "baseline": not tree.paths & {baselines.OWN, baselines.SECRETS_BASELINE},
        "ci": guard_rails.ci(seen.jobs, seen.run) is not None,
    }
    width = max(len(command) for command, _ in _NEXT.values())
    for step, (command, why) in _NEXT.items():
        if needed[step]:
            yield f"  {command:<{width}}  {why}"
