"""Policy: what services can do with the declared secrets, compared with what they need.

The work grows with what policies grant, not with services times secrets: the paths of all secrets
are in one trie, and each rule is matched against it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from scanner.model import Finding, Location
from scanner.policy.access import policy_check
from scanner.policy.access import rules as ids
from scanner.policy.access.acl import Acl, Grant
from scanner.policy.access.model import Identity, Policy, Rule
from scanner.policy.access.patterns import Paths
from scanner.policy.access.rules import finding
from scanner.policy.access.secrets import DELETE, READ, WRITE, Actions, Secret
from scanner.records import AccessRow, Proposal

EVERYTHING = "*"
ROOT = "root"
BUILT_IN = frozenset(("default", ROOT, "response-wrapping", "control-group"))
_SHOWN = 4
_ALL = ("read", "use", "write", "delete")
_NOTHING: Mapping[str, Grant] = {}


class Subject(NamedTuple):
    """A service as the review sees it. `policies` are those of its role, identity and the default;
    `unknown` are those of which no text is known. `identity` fills templates in."""

    name: str
    role: str
    policies: tuple[str, ...]
    needs: tuple[str, ...]
    location: Location
    needs_locations: tuple[Location, ...]
    unknown: tuple[str, ...] = ()
    identity: Identity | None = None


Granted = Mapping[int, Mapping[str, Grant]]
"""By number of the secret and by action, what grants it first."""


class Used(NamedTuple):
    """By service and secret id, the day of the last use (ISO 8601).

    `complete`: what is missing in `days` was not used. Otherwise its use is not known.
    """

    days: Mapping[tuple[str, str], str]
    complete: bool = True

    def day(self, service: str, secret: str) -> str:
        return self.days.get((service, secret), "never" if self.complete else "")


class Reviewed(NamedTuple):
    """The result of a review."""

    findings: tuple[Finding, ...]
    rows: tuple[AccessRow, ...]
    proposals: tuple[Proposal, ...]


class Review:
    """Compares subjects with secrets. Every set of policies is evaluated once."""

    def __init__(
        self,
        policies: Mapping[str, Policy],
        secrets: Sequence[Secret],
        now: float,
        used: Used | None = None,
    ) -> None:
        self._policies = policies
        self._secrets = secrets
        self._now = now
        self._used = used
        self._paths = Paths(
            (path, (number, actions))
            for number, secret in enumerate(secrets)
            for path, actions in secret.endpoints
        )
        self._mounts = {secret.mount for secret in secrets if secret.kind == "kv-v2"}
        self._by_class: dict[str, set[int]] = defaultdict(set)
        for number, secret in enumerate(secrets):
            self._by_class[secret.secret_class].add(number)
        self._known: dict[tuple[tuple[str, ...], Identity | None], Granted] = {}
        self._acls: dict[tuple[tuple[str, ...], Identity | None], Acl] = {}

    def run(self, subjects: Sequence[Subject], *, own: Iterable[str]) -> Reviewed:
        """Findings of the subjects, and of the policies whose names are in `own`."""
        findings: list[Finding] = []
        rows: list[AccessRow] = []
        proposals: list[Proposal] = []
        own = list(own)
        for name in own:
            policy = self._policies[name]
            findings += policy_check.check(policy, self._paths, self._mounts, self._now)
        for subject in subjects:
            found, some = self._subject(subject)
            findings += found
            rows += some
            if any(one.rule in (ids.EXCESS, ids.EXCESS_WRITE) for one in found):
                proposals.append(Proposal(subject.name, self.narrower(subject)))
        if subjects:
            findings += self._unused_policies(subjects, own)
        findings += self._shared(subjects, own)
        alone = {one.location for one in findings if one.rule == ids.IDLE_DENY}
        findings += self._denies_of_sets(subjects, alone)
        return Reviewed(tuple(findings), tuple(rows), tuple(proposals))

    def acl(self, subject: Subject) -> Acl:
        names = tuple(dict.fromkeys(subject.policies))
        key = (names, subject.identity)
        if key not in self._acls:
            known = (self._policies[name] for name in names if name in self._policies)
            rules = [rule for policy in known for rule in policy.rules]
            self._acls[key] = Acl(
                rules, identity=subject.identity, now=self._now, root=ROOT in names
            )
        return self._acls[key]

    def needed(self, subject: Subject) -> set[int]:
        if EVERYTHING in subject.needs:
            return set(range(len(self._secrets)))
        return {number for need in subject.needs for number in self._by_class.get(need, ())}

    def granted(self, subject: Subject) -> Granted:
        key = (tuple(dict.fromkeys(subject.policies)), subject.identity)
        if key not in self._known:
            self._known[key] = self._granted(self.acl(subject), root=ROOT in key[0])
        return self._known[key]

    def _granted(self, acl: Acl, *, root: bool) -> Granted:
        found: dict[int, dict[str, Grant]] = {}
        if root:
            for path, (number, actions) in self._paths.matching("*"):
                _take(found, number, actions, acl.lookup(path))
            return found
        # The paths that each pattern matches, those of the lowest priority first: later ones win.
        winners: dict[str, tuple[int, Actions, Grant]] = {}
        for pattern in sorted(acl.patterns, key=acl.priorities.__getitem__):
            grant = acl.patterns[pattern]
            for path, (number, actions) in self._paths.matching(pattern):
                winners[path] = (number, actions, grant)
        for number, actions, grant in winners.values():
            if grant.capabilities and "deny" not in grant.capabilities:
                _take(found, number, actions, grant)
        return found

    def _subject(self, subject: Subject) -> tuple[list[Finding], list[AccessRow]]:
        granted, needed = self.granted(subject), self.needed(subject)
        findings: list[Finding] = []
        excess: dict[tuple[str, str], list[int]] = defaultdict(list)
        by_rule: dict[tuple[str, str], Grant] = {}
        rows = []
        for number in sorted(needed | granted.keys()):
            given, is_needed = granted.get(number, _NOTHING), number in needed
            kind = _excess(given, is_needed=is_needed) if given else ""
            rows.append(self._row(subject, number, given, kind, is_needed=is_needed))
            if kind:
                first = _first(given, beyond_read=kind == ids.EXCESS_WRITE)
                rule = f"{first.pattern} {_policy(first)}"
                excess[kind, rule].append(number)
                by_rule.setdefault((kind, rule), first)
        for (kind, rule), numbers in excess.items():
            findings.append(self._too_much(subject, kind, by_rule[kind, rule], numbers, granted))
        findings += self._missing(subject, needed, granted)
        findings += self._unneeded(subject, rows)
        findings += self._wide(subject, granted, needed, {rule for _, rule in excess})
        for name in subject.unknown:
            detail = f"{subject.name} has the policy {name}, which does not exist"
            findings.append(
                finding(ids.ABSENT_POLICY, subject.location, detail, f"{subject.name} {name}")
            )
        if ROOT in subject.policies:
            detail = f"{subject.name} has the policy root, which grants everything"
            findings.append(
                finding(ids.ESCALATION, subject.location, detail, f"{subject.name} root")
            )
        return findings, rows

    def _row(
        self,
        subject: Subject,
        number: int,
        given: Mapping[str, Grant],
        kind: str,
        *,
        is_needed: bool,
    ) -> AccessRow:
        """The row of a secret, of whose grants `kind` is the rule that they break, or ""."""
        secret = self._secrets[number]
        verdict = "excess" if kind else "ok"
        if not kind and is_needed and "read" not in given and "use" not in given:
            verdict = "missing"
        used = ""
        if self._used is not None:
            used = self._used.day(subject.name, secret.id)
            if verdict == "ok" and used == "never":
                verdict = "unused"
        first = _first(given) if given else None
        rule = first.rules[0] if first and first.rules else None
        name = f"{rule.policy}: {rule.pattern}" if rule else ROOT if first else ""
        return AccessRow(
            service=subject.name,
            role=subject.role,
            secret=secret.id,
            secret_class=secret.secret_class,
            needed=is_needed,
            granted=tuple([action for action in _ALL if action in given]) if given else (),
            used=used,
            rule=name,
            where=str(rule.location) if rule else "",
            verdict=verdict,
        )

    def _too_much(
        self,
        subject: Subject,
        kind: str,
        given: Grant,
        numbers: Sequence[int],
        granted: Granted,
    ) -> Finding:
        names = [self._secrets[number].name for number in numbers]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        actions = {action for number in numbers for action in granted[number]}
        if kind == ids.EXCESS_WRITE:
            actions -= {"read", "use"}
        verbs = " and ".join(action for action in _ALL if action in actions)
        needs = ", ".join(subject.needs) or "nothing"
        by = f'path "{given.pattern}" of the policy {_policy(given)}'
        if not given.rules:
            by = "the policy root"
        detail = (
            f"{subject.name} can {verbs} {', '.join(names[:_SHOWN])}{more} by {by}, and needs "
            f"only {needs}" + (" to read" if kind == ids.EXCESS_WRITE else "")
        )
        location = given.rules[0].location if given.rules else subject.location
        context = f"{subject.name} {_policy(given)} {given.pattern}"
        return finding(kind, location, detail, context)

    def _missing(self, subject: Subject, needed: set[int], granted: Granted) -> Iterator[Finding]:
        """Nothing is missing for certain if the text of one of its policies is not known."""
        if subject.unknown or not subject.policies:
            return
        lacking: dict[str, list[str]] = defaultdict(list)
        for number in sorted(needed):
            given = granted.get(number, _NOTHING)
            if "read" not in given and "use" not in given:
                secret = self._secrets[number]
                need = EVERYTHING if EVERYTHING in subject.needs else secret.secret_class
                lacking[need].append(secret.name)
        for need, names in lacking.items():
            location = subject.needs_locations[subject.needs.index(need)]
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            wants = "all secrets" if need == EVERYTHING else need
            detail = (
                f"{subject.name} needs {wants}, and no policy of it grants "
                f"{', '.join(names[:_SHOWN])}{more}"
            )
            yield finding(ids.MISSING, location, detail, f"{subject.name} {need}")

    def _unneeded(self, subject: Subject, rows: Iterable[AccessRow]) -> Iterator[Finding]:
        for row in rows if self._used is not None else ():
            if row.verdict == "unused" and row.where:
                detail = (
                    f"{subject.name} may {' and '.join(row.granted)} {row.secret}, by {row.rule}"
                )
                yield finding(
                    ids.UNUSED, Location.parse(row.where), detail, f"{subject.name} {row.secret}"
                )

    def _wide(
        self, subject: Subject, granted: Granted, needed: set[int], reported: set[str]
    ) -> Iterator[Finding]:
        """Wildcards that grant only needed secrets today. Who needs all secrets may have them."""
        if EVERYTHING in subject.needs:
            return
        seen: dict[str, Rule] = {}
        for number in needed & granted.keys():
            for grant in granted[number].values():
                pattern = grant.pattern
                if grant.rules and (pattern.endswith("*") or "+" in pattern):
                    seen.setdefault(f"{pattern} {_policy(grant)}", grant.rules[0])
        for name, rule in sorted(seen.items()):
            if name not in reported:
                detail = (
                    f'path "{rule.pattern}" of the policy {rule.policy} grants {subject.name} '
                    "only what it needs today, and every secret that is created there later"
                )
                yield finding(ids.WILDCARD, rule.location, detail, f"{subject.name} {name}")

    def _unused_policies(
        self, subjects: Iterable[Subject], own: Iterable[str]
    ) -> Iterator[Finding]:
        used = {name for subject in subjects for name in subject.policies} | BUILT_IN
        for name in sorted(set(own) - used):
            detail = f"no service lists the policy {name}"
            yield finding(ids.UNUSED_POLICY, self._policies[name].location, detail, name)

    def _shared(self, subjects: Iterable[Subject], own: Iterable[str]) -> Iterator[Finding]:
        users: dict[str, list[Subject]] = defaultdict(list)
        for subject in subjects:
            for name in dict.fromkeys(subject.policies):
                users[name].append(subject)
        for name in sorted(set(own) - BUILT_IN):
            some = users.get(name, [])
            if len({frozenset(one.needs) for one in some}) > 1:
                text = "; ".join(
                    f"{one.name} needs {', '.join(one.needs)}" for one in some[:_SHOWN]
                )
                detail = f"the policy {name} is shared: {text}"
                yield finding(ids.SHARED, self._policies[name].location, detail, name)

    def _denies_of_sets(
        self, subjects: Iterable[Subject], alone: Collection[Location]
    ) -> Iterator[Finding]:
        """Denies that a rule of another policy of the same service overrides. Those at the places
        `alone` have no effect in their own policy already."""
        seen: set[tuple[str, ...]] = set()
        for subject in subjects:
            names = tuple(dict.fromkeys(subject.policies))
            if len(names) < 2 or names in seen:
                continue
            seen.add(names)
            acl = self.acl(subject)
            denies = [
                rule for grant in acl.patterns.values() for rule in grant.rules if rule.is_deny
            ]
            for found in policy_check.idle_denies(acl, self._paths, denies):
                if found.location not in alone:
                    yield found._replace(context=f"{subject.name} {found.context}")

    def narrower(self, subject: Subject) -> str:
        """A policy that grants exactly what the service needs: the value of each needed secret,
        by exact paths."""
        acl = self.acl(subject)
        lines: dict[str, set[str]] = {}
        undecided = []
        for number in sorted(self.needed(subject)):
            secret = self._secrets[number]
            needed = secret.needed
            if len(needed) > 1:  # the uses of a key: those that the service has today
                needed = tuple(one for one in needed if acl.lookup(one[0]).allows(one[1]))
            if not needed:
                undecided.append(secret.name)
            for path, capability in needed:
                lines.setdefault(path, set()).add(capability)
        needs = ", ".join(map(json.dumps, subject.needs))
        text = [f"# The service {json.dumps(subject.name)}: exactly what it needs ({needs}).\n"]
        text += [f"# Add the operations that it uses of {json.dumps(one)}.\n" for one in undecided]
        text += [_block(path, tuple(sorted(lines[path]))) for path in sorted(lines)]
        return "".join(text)


@lru_cache(100_000)
def _block(path: str, capabilities: Sequence[str]) -> str:
    allowed = ", ".join(f'"{one}"' for one in capabilities)
    quoted = json.dumps(path, ensure_ascii=False)
    return f"\npath {quoted} {{\n  capabilities = [{allowed}]\n}}\n"


def _take(found: dict[int, dict[str, Grant]], number: int, actions: Actions, winner: Grant) -> None:
    everything = ROOT in winner.capabilities
    for capability, action in actions.items():
        if everything or capability in winner.capabilities:
            found.setdefault(number, {}).setdefault(action, winner)


def _excess(given: Mapping[str, object], *, is_needed: bool) -> str:
    if not given:
        return ""
    if not is_needed:
        return ids.EXCESS
    return ids.EXCESS_WRITE if WRITE in given or DELETE in given else ""


def _first(given: Mapping[str, Grant], *, beyond_read: bool = False) -> Grant:
    if not beyond_read and READ in given:
        return given[READ]
    order = (WRITE, DELETE, READ, "use") if beyond_read else _ALL
    return next(given[action] for action in order if action in given)


def _policy(grant: Grant) -> str:
    return grant.rules[0].policy if grant.rules else ROOT
