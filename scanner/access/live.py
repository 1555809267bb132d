"""What live stores add to an access review: the policies and roles in force, drift, and who else
can read secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from scanner.access.repository import Sources
from scanner.access.request import ReviewRequest
from scanner.audit import backends, environment, operator_config
from scanner.configuration.repository import NAME
from scanner.console import Console
from scanner.errors import KeywatchError
from scanner.inventory.interface import Settings
from scanner.model import Finding, Gap, GapKind, Location, Note, NoteKind
from scanner.policy.access import aws, azure, drift, hcl, kubernetes
from scanner.policy.access import rules as ids
from scanner.policy.access.acl import spoken
from scanner.policy.access.model import Alias, Group, Identity, Policy
from scanner.policy.access.review import BUILT_IN, Review, Subject
from scanner.policy.access.rules import finding
from scanner.repository.tree import Tree

if TYPE_CHECKING:
    from scanner.inventory.vault.review.access import Access, Entity, Reader, Role

_ANCHOR = Location.at(NAME, 1)
_CHECKED = 2_000  # paths of one service that are compared with sys/capabilities


class Collected:
    """What the stores gave so far, of which the review is made."""

    def __init__(self, found: Sources) -> None:
        self.sources = found
        self.findings: list[Finding] = []
        self.gaps: list[Gap] = []
        self.notes: list[Note] = []
        self.service_accounts: dict[str, list[str]] = {}
        """By `namespace/name`, the Vault roles that it can log in with."""


def collected(
    request: ReviewRequest, console: Console, tree: Tree, found: Sources, now: datetime
) -> Collected:
    """Read the chosen backends, Vaults first: their roles say which service accounts matter.
    UsageError, ConfigError: the operator config is wrong."""
    modules = backends.BACKENDS
    operator = operator_config.read(request.operator, console, tree.root, backends.options(modules))
    chosen = backends.chosen(operator.backends, request.backends)
    environment.clear(console.environ, backends.variables(modules))
    result = Collected(found)
    vaults = [each for each in chosen if each.kind == "vault"]
    for number, entry in enumerate(sorted(chosen, key=lambda each: each.kind != "vault")):
        settings = backends.settings(entry, timeout=request.timeout, environ=console.environ)
        backends.connected(settings, modules, now)  # UsageError if its library is not installed
        if entry.kind == "vault" and number:
            reason = f"only one Vault is reviewed at a time; use --backend {entry.name} for it"
            result.gaps.append(Gap(GapKind.SELECTION, f"vault://{entry.name}", reason))
        else:
            try:
                _READ[entry.kind](result, settings, request, now)
            except ImportError as error:
                raise backends.not_installed(settings, error) from None
    if not vaults:
        result.notes.append(
            Note(NoteKind.NOT_AUDITED, NAME, "no Vault was read: policies are the repository's")
        )
    return result


# --- Vault


def _vault(result: Collected, settings: Settings, request: ReviewRequest, now: datetime) -> None:
    from scanner.inventory.vault.review import access

    reader = access.Reader(settings)
    try:
        _review_vault(result, reader, request, now)
    finally:
        reader.close()


def _review_vault(result: Collected, reader: Reader, request: ReviewRequest, now: datetime) -> None:
    seen = reader.read()
    own = {name: result.sources.policies[name] for name in result.sources.own}
    live, unread = _parsed(seen, own, result)
    if seen.lists_policies:
        result.findings += drift.drift(own, live, seen.backend, _ANCHOR, unread)
    for role in seen.roles:
        for account in role.service_accounts:
            result.service_accounts.setdefault(account, []).append(f"{role.mount}/{role.name}")
    subjects = [*_subjects(result, seen, live)] if seen.lists_policies else result.sources.subjects
    policies = {**(own if not seen.lists_policies else {}), **live}
    result.sources = result.sources._replace(
        policies=policies, own=tuple(live) or result.sources.own, subjects=tuple(subjects)
    )
    result.findings += _unmapped(seen, result)
    if request.cross_check and seen.lists_policies:
        result.gaps += _cross_checked(reader, result.sources, now)
    result.gaps += [*dict.fromkeys((*seen.gaps, *reader.gaps))]


def _parsed(
    seen: Access, own: Mapping[str, Policy], result: Collected
) -> tuple[dict[str, Policy], set[str]]:
    """The live policies, each rule at its place in the repository if it has one there; and the
    names of those that could not be parsed."""
    live: dict[str, Policy] = {}
    unread: set[str] = set()
    for policy in seen.policies:
        place = own[policy.name].location if policy.name in own else _ANCHOR
        known = (
            {rule.pattern: rule.location for rule in own[policy.name].rules}
            if policy.name in own
            else {}
        )
        try:
            read = hcl.parse(policy.text.encode(errors="replace"), policy.name, policy.name)
        except KeywatchError as error:
            unread.add(policy.name)
            path = f"vault://{seen.backend}/-/sys/policies/acl/{policy.name}"
            result.gaps.append(Gap(GapKind.UNREADABLE, path, f"it does not parse: {error.what}"))
            continue
        rules = (rule._replace(location=known.get(rule.pattern, place)) for rule in read.rules)
        live[policy.name] = read._replace(rules=tuple(rules), location=place)
    return live, unread


def _subjects(result: Collected, seen: Access, live: Mapping[str, Policy]) -> Iterator[Subject]:
    """The services with the policies that their roles, entities and groups have."""
    for subject in result.sources.subjects:
        roles = [role for role in seen.roles if subject.role and role.name == subject.role]
        if not roles:
            if subject.role:
                detail = (
                    f"{subject.name} names the role {subject.role}, which {seen.backend} has not"
                )
                context = f"{seen.backend} {subject.name} {subject.role}"
                result.findings.append(finding(ids.ABSENT_ROLE, subject.location, detail, context))
            yield subject._replace(unknown=_unknown(subject.policies, live))
            continue
        policies = [name for role in roles for name in role.policies]
        entities = [one for one in seen.entities if any(_is_of(one, role) for role in roles)]
        policies += [name for entity in entities for name in entity.policies]
        declared = {*subject.policies} - {"default"}
        if declared and declared != {*policies} - {"default"}:
            detail = (
                f"{subject.name} has the policies {', '.join(sorted({*policies}))} in "
                f"{seen.backend}, and {', '.join(sorted(declared))} in {NAME}"
            )
            context = f"{seen.backend} {subject.name}"
            result.findings.append(finding(ids.DRIFT, subject.location, detail, context))
        if len(entities) > 1:
            text = f"{subject.name} has {len(entities)} entities; templates use the first one"
            result.notes.append(Note(NoteKind.EXCESS_UNKNOWN, NAME, text))
        names = tuple(dict.fromkeys(policies))
        yield subject._replace(
            policies=names,
            unknown=_unknown(names, live),
            identity=_identity(entities[0]) if entities else None,
        )


def _unknown(names: Iterable[str], live: Mapping[str, Policy]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in live and name not in BUILT_IN)


def _is_of(entity: Entity, role: Role) -> bool:
    """Does the entity log in with the role? An alias is of its mount, and names the role, its
    role id, or a service account that is bound to it."""
    for alias in entity.aliases:
        if alias.accessor != role.accessor:
            continue
        metadata = alias.metadata
        account = (
            f"{metadata.get('service_account_namespace')}/{metadata.get('service_account_name')}"
        )
        if alias.name in role.marks or metadata.get("role") == role.name:
            return True
        if account in role.service_accounts:
            return True
    return False


def _identity(entity: Entity) -> Identity:
    return Identity(
        id=entity.id,
        name=entity.name,
        metadata=_Frozen(entity.metadata),
        aliases=_Frozen(
            {
                one.accessor: Alias(
                    one.id, one.name, _Frozen(one.metadata), _Frozen(one.custom_metadata)
                )
                for one in entity.aliases
            }
        ),
        groups=tuple(
            Group(number, name, _Frozen(metadata)) for number, name, metadata in entity.groups
        ),
    )


class _Frozen(dict[str, Any]):
    """A dict that is not changed, so that an identity can be a key."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted(self)))


def _unmapped(seen: Access, result: Collected) -> Iterator[Finding]:
    """Roles, and entities with policies of their own, that belong to no service."""
    mapped = {subject.role for subject in result.sources.subjects if subject.role}
    known = [role for role in seen.roles if role.name in mapped]
    for role in seen.roles:
        given = sorted({*role.policies} - {"default"})
        if role.name not in mapped and given:
            detail = (
                f"the role auth/{role.mount}/{role.name} of {seen.backend} has {', '.join(given)}"
            )
            yield finding(
                ids.UNMAPPED_ROLE, _ANCHOR, detail, f"{seen.backend} {role.mount}/{role.name}"
            )
    for entity in seen.entities:
        if entity.policies and not any(_is_of(entity, role) for role in known):
            detail = (
                f"the entity {entity.name} of {seen.backend} has {', '.join(entity.policies)}, "
                "by itself or by a group, and belongs to no service"
            )
            yield finding(ids.UNMAPPED_ROLE, _ANCHOR, detail, f"{seen.backend} entity {entity.id}")


def _cross_checked(reader: Reader, found: Sources, now: datetime) -> Iterator[Gap]:
    """A Gap for each service of which the server answers other than keywatch does."""
    made = Review(found.policies, found.secrets, now.timestamp())
    paths = [path for secret in found.secrets for path, _ in secret.endpoints if "+" not in path]
    for subject in found.subjects:
        if not subject.policies or subject.unknown:
            continue
        acl = made.acl(subject._replace(identity=None))  # the token has no entity
        answers = reader.capabilities(subject.policies, paths[:_CHECKED])
        if answers is None:
            return
        for path, answer in answers.items():
            if sorted(answer) != spoken(acl.answer(path)):
                reason = (
                    f"{subject.name}: the server answers {', '.join(sorted(answer))}, and "
                    f"keywatch {', '.join(spoken(acl.answer(path)))}: do not rely on this review"
                )
                yield Gap(GapKind.INTERNAL, path, reason)


_Read = Callable[[Collected, Settings, ReviewRequest, datetime], None]


# --- other stores


def _kubernetes(
    result: Collected,
    settings: Settings,
    request: ReviewRequest,  # noqa: ARG001 - the same arguments for every kind
    now: datetime,  # noqa: ARG001
) -> None:
    from scanner.inventory.kubernetes import access

    seen = access.read(settings)
    result.gaps += seen.gaps
    for role in seen.roles:
        if role.is_unclear:
            path = f"k8s://{settings.name}/*/clusterroles/{role.name}"
            reason = "it aggregates by matchExpressions, which are not followed"
            result.gaps.append(Gap(GapKind.SELECTION, path, reason))
    found = kubernetes.rights(seen.roles, seen.bindings)
    result.findings += kubernetes.findings(found, settings.name, _ANCHOR, result.service_accounts)
    for account, roles in sorted(result.service_accounts.items()):
        text = f"the service account {account} can log in to Vault as {', '.join(sorted(roles))}"
        result.notes.append(Note(NoteKind.ACCESS_MAPPING, f"k8s://{settings.name}", text))


def _aws(
    result: Collected,
    settings: Settings,
    request: ReviewRequest,  # noqa: ARG001 - the same arguments for every kind
    now: datetime,  # noqa: ARG001
) -> None:
    from scanner.inventory.aws import resource_policies

    allowed = []
    for item in resource_policies.read(settings):
        if isinstance(item, Gap):
            result.gaps.append(item)
        elif isinstance(item, resource_policies.Simulated):
            allowed.append(item)
        elif item.text:
            try:
                result.findings += aws.open_policy(item.id, item.account, item.text, _ANCHOR)
            except ValueError:
                result.gaps.append(Gap(GapKind.UNREADABLE, item.id, "its policy does not parse"))
    result.findings += aws.simulated(allowed, _ANCHOR)


def _azure(
    result: Collected,
    settings: Settings,
    request: ReviewRequest,  # noqa: ARG001 - the same arguments for every kind
    now: datetime,  # noqa: ARG001
) -> None:
    from scanner.inventory.azure import assignments

    held = []
    for item in assignments.read(settings):
        if isinstance(item, Gap):
            result.gaps.append(item)
        else:
            held.append(item)
    result.findings += azure.findings(held, _ANCHOR)


_READ: Mapping[str, _Read] = {
    "vault": _vault,
    "kubernetes": _kubernetes,
    "aws": _aws,
    "azure": _azure,
}
