"""Load keywatch.yaml and configs/secrets, and name every file that is invalid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scanner import cache
from scanner.configuration import repository
from scanner.configuration.repository import Config
from scanner.console import Console, show_error
from scanner.errors import ConfigError, KeywatchError
from scanner.fingerprints import digest
from scanner.model import Gap
from scanner.policy.declarations.model import DeclaredSecret
from scanner.policy.repository import file_roles
from scanner.repository.tree import Tree

_MAX_SECRETS = 2000


class PolicyFiles(NamedTuple):
    """The valid policy files. `exists`: the repository has a keywatch.yaml."""

    config: Config
    exists: bool
    secrets: Sequence[DeclaredSecret]


def load(tree: Tree, console: Console) -> PolicyFiles | None:
    """The policy. None if a file of it is invalid; each fault is printed."""
    policy, faults = examined(tree)
    for fault in faults:
        show_error(fault, console)
    return None if faults else policy


def digests(tree: Tree) -> dict[str, str]:
    """The SHA-256 of keywatch.yaml and of each readable file of configs/secrets, by path."""
    paths = [repository.NAME, *sorted(filter(file_roles.is_declaration, tree.paths))]
    data = {path: tree.data(path) for path in paths if path in tree.paths}
    return {path: digest(each).hex() for path, each in data.items() if isinstance(each, bytes)}


def examined(tree: Tree) -> tuple[PolicyFiles, list[KeywatchError]]:
    """The valid policy files, and what is wrong with the others."""
    faults: list[KeywatchError] = []
    settings, data = Config({}), None
    try:
        data = tree.control(repository.NAME)
        settings = repository.load(data, repository.NAME, None)
        _check_rules(settings, data)
    except KeywatchError as error:
        faults.append(error)
    secrets, more = declarations(tree)
    faults += more
    if len(secrets) > _MAX_SECRETS:
        faults.append(
            ConfigError(
                f"configs/secrets declares more than {_MAX_SECRETS:,} secrets",
                todo="split the repository's secrets over several repositories",
            )
        )
    return PolicyFiles(settings, data is not None, secrets), faults


def _check_rules(settings: Config, data: bytes | None) -> None:
    """ConfigError for an invalid rule, and for a disabled rule that does not exist."""
    if data and (settings.has_rules or settings.disable_rules):
        from scanner.detect.rules import model, rulebook

        own = [model.RuleFile(repository.NAME, data, part=True)] if settings.has_rules else []
        disabled, folder = settings.disable_rules, cache.folder()
        _ = rulebook.load(own, disabled=disabled, cache_folder=folder).own_rules


def declarations(tree: Tree) -> tuple[list[DeclaredSecret], list[KeywatchError]]:
    """The secrets that configs/secrets declares, and what is wrong with invalid files.

    A file that could not be read is added to the tree's gaps.
    """
    secrets: list[DeclaredSecret] = []
    faults: list[KeywatchError] = []
    for path in sorted(filter(file_roles.is_declaration, tree.paths)):
        data = tree.data(path)
        if isinstance(data, bytes):
            try:
                secrets += repository.declared_secrets(data, path)
            except ConfigError as error:
                faults.append(error)
        elif isinstance(data, Gap):
            tree.gaps.append(data)
        elif data.kind != "absent":
            why = f"it is skipped ({data.kind}); links are not followed"
            faults.append(ConfigError(f"{path} cannot be read", why=why, where=f"{path}:1"))
    return secrets, faults
