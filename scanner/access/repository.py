"""What a repository says about access: its Vault policies, services and declared secrets."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from scanner import globs
from scanner.errors import KeywatchError
from scanner.model import Gap, GapKind, Note, NoteKind, Skip
from scanner.policy.access import hcl, policy_files
from scanner.policy.access.model import Policy
from scanner.policy.access.review import BUILT_IN, Subject
from scanner.policy.access.secrets import Secret, secrets
from scanner.policy.declarations.model import Service
from scanner.policy.declarations.secrets_files import by_secret
from scanner.policy.repository import contradictions
from scanner.repository.policy_files import PolicyFiles
from scanner.repository.tree import Tree


class Sources(NamedTuple):
    """Policies by name, the subjects to review, and the secrets. `own` names the policies that
    are files of the repository."""

    policies: Mapping[str, Policy]
    own: tuple[str, ...]
    subjects: tuple[Subject, ...]
    secrets: tuple[Secret, ...]
    notes: tuple[Note, ...]


def sources(tree: Tree, files: PolicyFiles) -> tuple[Sources, list[KeywatchError]]:
    """All that the review compares, and what is wrong with invalid policies. What could not be
    read is added to the tree's gaps."""
    named = {name for service in files.config.services for name in service.policies}
    policies, notes, faults = policies_of(tree, files.config.exclude, named)
    found = contradictions.matched(files.config.secrets, files.secrets)
    declared = secrets(by_secret(files.secrets), contradictions.holding(found))
    return (
        Sources(
            policies=policies,
            own=tuple(policies),
            subjects=tuple(subjects(files.config.services, policies)),
            secrets=tuple(declared),
            notes=tuple(notes),
        ),
        faults,
    )


def policies_of(
    tree: Tree, exclude: Iterable[str], named: Collection[str]
) -> tuple[dict[str, Policy], list[Note], list[KeywatchError]]:
    """The policies by name. Of two files of one name, the second is known by its path. A file whose
    name is in `named` is a policy even if it has no path block."""
    policies: dict[str, Policy] = {}
    notes: list[Note] = []
    faults: list[KeywatchError] = []
    excluded = globs.matcher([*exclude])
    for path in sorted(filter(policy_files.may_be_policy, tree.paths)):
        if excluded(path):
            continue
        data = tree.data(path, policy_files.MOST)
        if isinstance(data, Gap):
            tree.gaps.append(data)
        elif isinstance(data, Skip):
            if data.kind == "too-large":
                reason = f"a policy of over {policy_files.MOST:,} bytes is not read"
                tree.gaps.append(Gap(kind=GapKind.TOO_LARGE, path=path, reason=reason))
            else:
                tree.skips.append(data)
        elif (name := policy_files.name_of(path)) in named or policy_files.is_policy(path, data):
            if name in policies:
                text = f"{policies[name].location} has the same name; this one is known by its path"
                notes.append(Note(kind=NoteKind.DUPLICATE_POLICY, path=path, line=1, text=text))
                name = path.rpartition(".")[0]
            try:
                policies[name] = hcl.parse(data, name, path)
            except KeywatchError as error:
                faults.append(error)
    return policies, notes, faults


def subjects(services: Sequence[Service], policies: Mapping[str, Policy]) -> Iterable[Subject]:
    """The services as keywatch.yaml declares them. Every token also has the policy `default`."""
    for service in services:
        names = [*service.policies]
        if "default" in policies and names:
            names.append("default")
        yield Subject(
            name=service.name,
            role=service.vault_role,
            policies=tuple(dict.fromkeys(names)),
            needs=service.needs,
            location=service.location,
            needs_locations=service.needs_locations,
            unknown=tuple(
                name for name in service.policies if name not in policies and name not in BUILT_IN
            ),
        )
