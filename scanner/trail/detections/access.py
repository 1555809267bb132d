"""Who reads which secret, held against `services` of keywatch.yaml; and when each was last used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from scanner.policy.declarations.matching import SecretEntries
from scanner.policy.declarations.model import Match, Service
from scanner.records import Record
from scanner.trail.detections import rules
from scanner.trail.detections.interface import Report, by
from scanner.trail.event import Action, Actor, Event

MOST_PAIRS = 200_000
"""Pairs of an identity and a secret. Over it, the half that is unused the longest is forgotten."""
_ALL = "*"


class Use:
    """How one identity uses one secret. `fault` is the rule that each read breaks, or "".

    `is_needed`: the identity is a service that needs the secret.
    """

    __slots__ = ("detail", "fault", "is_needed", "read", "subject", "written")

    def __init__(self) -> None:
        self.read = 0.0
        self.written = 0.0
        self.fault = ""
        self.is_needed = False
        self.detail = ""
        self.subject = ""


class Services:
    """The services of keywatch.yaml, by the names under which logs know them."""

    def __init__(self, services: Iterable[Service]) -> None:
        self._services = [*services]
        self._by_name = {each.name: each for each in self._services}
        self._by_name |= {each.vault_role: each for each in self._services if each.vault_role}

    def __bool__(self) -> bool:
        return bool(self._services)

    def of(self, actor: Actor) -> Service | None:
        """The service that the actor is: by role or name, else by policies that only one has."""
        for name in (actor.role, actor.name):
            if name in self._by_name:
                return self._by_name[name]
        held = set(actor.policies)
        fitting = [
            each for each in self._services if each.policies and held.issuperset(each.policies)
        ]
        return fitting[0] if len(fitting) == 1 else None


class Access:
    """Keeps one Use for each pair of identity and secret."""

    def __init__(
        self, services: Services, entries: SecretEntries, report: Report, forgot: Callable[[], None]
    ) -> None:
        self._services = services
        self._entries = entries
        self._report = report
        self.uses: dict[tuple[str, str], Use] = {}
        self._before: dict[tuple[str, str], tuple[float, float]] = {}
        self.rotated: dict[str, float] = {}
        self._forgot = forgot
        self.forgot = False

    def use(self, event: Event) -> Use | None:
        """How the caller uses the secret; None if the call neither reads nor writes it."""
        call = event.call
        action = call.target.action
        if not (call.ok and call.target.is_secret) or action in (Action.OTHER, Action.LOGIN):
            return None
        key = (call.actor.name, call.target.id)
        return self.uses.get(key) or self._made(key, event)

    def is_first(self, use: Use) -> bool:
        """Does nothing say that the identity needs the secret, which it never read before?

        False if an earlier read may have been forgotten.
        """
        if use.read or use.fault or use.is_needed:
            return False
        return len(self.uses) + len(self._before) < MOST_PAIRS // 2

    def wrote(self, use: Use, event: Event) -> None:
        """A call wrote or rotated the secret."""
        use.written = max(use.written, event.time)
        target = event.call.target
        if target.action is Action.ROTATE or event.version:
            self.rotated[target.id] = max(self.rotated.get(target.id, 0.0), event.time)

    def restore(self, uses: Iterable[Sequence[Any]], rotated: Mapping[str, float]) -> None:
        """Times of earlier runs. Each pair is judged anew when it is seen."""
        for actor, name, read, written in uses:
            self._before[str(actor), str(name)] = (float(read), float(written))
        self.rotated = {str(name): float(time) for name, time in rotated.items()}

    def pairs(self) -> Iterator[tuple[str, str, float, float]]:
        """Identity, secret, when it was last read and last written; 0 if it was not."""
        for key, (read, written) in self._before.items():
            yield (*key, read, written)
        for key, use in self.uses.items():
            yield (*key, use.read, use.written)

    def _made(self, key: tuple[str, str], event: Event) -> Use:
        if len(self.uses) >= MOST_PAIRS:
            self._make_room()
        use = self.uses[key] = Use()
        use.read, use.written = self._before.pop(key, (0.0, 0.0))
        if self._services:
            use.subject = by(event.target, event.actor)
            use.fault, use.detail = self._judged(event)
            use.is_needed = self._is_needed(event)
        return use

    def _is_needed(self, event: Event) -> bool:
        service, match = self._services.of(event.actor), self.match(event.target.id)
        if service is None:
            return False
        name = match.secret_class.name if match and match.secret_class else ""
        return name in service.needs or _ALL in service.needs

    def _judged(self, event: Event) -> tuple[str, str]:  # noqa: PLR0911 - one for each reason
        """The rule that a read breaks, and why. A secret without a class is nobody's need."""
        actor, target = event.actor, event.target
        service, match = self._services.of(actor), self.match(target.id)
        is_vault = target.id.startswith("vault:")
        if service is None:
            if not match or not is_vault or "root" in actor.policies:
                return "", ""
            return rules.UNKNOWN_IDENTITY, "it is not one of the services in keywatch.yaml"
        if _ALL in service.needs:
            return "", ""
        said = f"the service {service.name} needs {_some(service.needs)};"
        if match is None or match.secret_class is None:
            if not is_vault:  # its names of services are only guesses
                return "", ""
            return rules.OUTSIDE_MAPPING, f"{said} the secret has no class in keywatch.yaml"
        if match.secret_class.name in service.needs:
            return "", ""
        return rules.OUTSIDE_MAPPING, f"{said} this is a secret of class {match.secret_class.name}"

    def match(self, name: str) -> Match | None:
        """The entry of keywatch.yaml for a secret."""
        return self._entries.match(Record(id=name, kind=""))

    def _make_room(self) -> None:
        self.forgot = True
        self._forgot()
        order = sorted(self.uses, key=lambda key: max(self.uses[key].read, self.uses[key].written))
        for key in order[: MOST_PAIRS // 2]:
            del self.uses[key]


def _some(needs: Sequence[str]) -> str:
    return ", ".join(needs) or "no secrets"
