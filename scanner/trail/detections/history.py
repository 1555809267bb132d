"""Each identity held against its own history: networks, hours of the day, calls in an hour."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Callable, Iterator
from typing import Any

from scanner.policy.declarations.model import Service
from scanner.trail.detections import rules
from scanner.trail.detections.access import Services
from scanner.trail.detections.interface import Report, actor_of, by
from scanner.trail.event import Actor, Event, quoted

MOST_PROFILES = 20_000
"""Identities with a history. Over it, the half that was quiet the longest is forgotten."""
MOST_NETWORKS = 500
"""Networks and addresses that are kept for an identity."""
_NODE = "system:node:"
_HOUR = 3_600
_DAYS = 5
_WIDEST = 16
"""An identity that is active in more hours of the day than this has no usual time."""
_TIMES = 10
_LEAST = 200


class Profile:
    """What is known of one identity. `hours` has a bit for each hour of the day, in UTC."""

    __slots__ = (
        *("addresses", "count", "day", "days", "ends", "first", "hour", "hours", "last", "limit"),
        *("most", "networks", "service"),
    )

    def __init__(self, first: float) -> None:
        self.first = first
        self.last = first
        self.hour = -1
        self.ends = 0.0
        self.hours = 0
        self.day = -1
        self.days = 0
        self.count = 0
        self.most = 0
        self.limit = 0
        self.addresses: set[str] = set()
        self.networks: dict[str, float] = {}
        self.service: Service | None = None


class History:
    """The profiles of all identities."""

    def __init__(
        self,
        learning: float,
        services: Services,
        report: Report,
        forgot: Callable[[], None],
    ) -> None:
        self._learning = learning
        self._services = services
        self._report = report
        self._profiles: dict[str, Profile] = {}
        self._forgot = forgot

    def profile(self, actor: Actor, time: float) -> Profile | None:
        """The profile of an identity; None for calls without one."""
        if not actor.id:
            return None
        return self._profiles.get(actor.id) or self._made(actor, time)

    def see(self, profile: Profile, event: Event) -> None:
        """Count a call of the identity, and hold it against its history."""
        hour = event.time // _HOUR
        if hour > profile.hour:
            self._begin_hour(profile, int(hour), event)
        profile.count += 1
        if profile.count == profile.limit:
            self.see_rate(profile, event)
        if event.address not in profile.addresses:
            self._new_address(profile, event)

    def see_first_read(self, profile: Profile, event: Event) -> None:
        """The identity reads a secret that it never read before."""
        is_node = event.actor.name.startswith(_NODE)
        if not is_node and self._has_learned(profile, event):
            self._report(rules.FIRST_READ, by(event.target, event.actor), event, "")

    def _has_learned(self, profile: Profile, event: Event) -> bool:
        return event.time - profile.first >= self._learning

    def see_rate(self, profile: Profile, event: Event) -> None:
        """The identity made more calls in this hour than it ever does."""
        detail = f"over {profile.limit - 1:,} calls in an hour; the most was {profile.most:,}"
        self._report(rules.UNUSUAL_RATE, actor_of(event), event, detail)

    def _made(self, actor: Actor, time: float) -> Profile:
        if len(self._profiles) >= MOST_PROFILES:
            self._make_room()
        profile = self._profiles[actor.id] = Profile(time)
        profile.service = self._services.of(actor)
        return profile

    def _begin_hour(self, profile: Profile, hour: int, event: Event) -> None:
        """Close the hour before, and hold the new one against the history."""
        profile.most = max(profile.most, profile.count)
        has_learned = self._has_learned(profile, event)
        here = hour % 24
        if has_learned and profile.days >= _DAYS and _is_unusual(profile.hours, here):
            said = f"at {here:02}:00 UTC; its hours so far: {_said(profile.hours)}"
            self._report(rules.UNUSUAL_TIME, actor_of(event), event, said)
        profile.limit = max(_LEAST, _TIMES * profile.most) + 1 if has_learned else 0
        profile.hour, profile.count = hour, 0
        profile.ends = (hour + 1.0) * _HOUR
        profile.hours |= 1 << here
        if hour // 24 > profile.day:
            profile.day = hour // 24
            profile.days += 1
        profile.last = event.time

    def _new_address(self, profile: Profile, event: Event) -> None:
        if len(profile.addresses) >= MOST_NETWORKS:
            profile.addresses.clear()
        allowed = profile.service.sources if profile.service else ()
        network = _network(event.address)
        if allowed and not _is_within(event.address, allowed):
            # Not remembered: each call from there counts.
            said = f"the service {profile.service.name if profile.service else ''} is at"
            detail = f"from {event.address}; {said} {', '.join(allowed)}"
            self._report(rules.OUTSIDE_SOURCES, actor_of(event), event, detail)
            return
        profile.addresses.add(event.address)
        if not network or network in profile.networks:
            return
        if not allowed and profile.networks and self._has_learned(profile, event):
            subject = f"{actor_of(event)}&from={quoted(network)}"
            detail = f"from {event.address}; known networks: {len(profile.networks):,}"
            self._report(rules.NEW_SOURCE, subject, event, detail)
        if len(profile.networks) < MOST_NETWORKS:
            profile.networks[network] = event.time

    def _make_room(self) -> None:
        self._forgot()
        order = sorted(self._profiles, key=lambda name: self._profiles[name].last)
        for name in order[: MOST_PROFILES // 2]:
            del self._profiles[name]

    def saved(self) -> Iterator[tuple[str, list[Any]]]:
        """The profiles as plain data: names of identities, networks and numbers."""
        for name, each in self._profiles.items():
            most = max(each.most, each.count)
            numbers = [each.first, each.last, each.hour, each.hours, each.day, each.days, most]
            yield name, [numbers, [*each.networks.items()]]

    def restore(self, profiles: dict[str, list[Any]]) -> None:
        for name, (numbers, networks) in profiles.items():
            profile = Profile(float(numbers[0]))
            profile.last = float(numbers[1])
            hour, profile.hours, profile.day, profile.days, most = map(int, numbers[2:])
            profile.hour, profile.most = hour - 1, most
            profile.networks = {str(network): float(time) for network, time in networks}
            profile.service = self._services.of(Actor(id=name, name=name, role=name))
            self._profiles[name] = profile


def _is_unusual(hours: int, here: int) -> bool:
    if hours.bit_count() > _WIDEST:
        return False
    return not any(hours >> (near % 24) & 1 for near in (here - 1, here, here + 1))


def _said(hours: int) -> str:
    return ", ".join(f"{hour:02}" for hour in range(24) if hours >> hour & 1)


@functools.lru_cache(maxsize=10_000)
def _network(address: str) -> str:
    """The /24 or /64 around an address; "" for a name, such as that of a cloud service."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    width = 24 if parsed.version == 4 else 64
    return str(ipaddress.ip_network(f"{parsed}/{width}", strict=False))


@functools.lru_cache(maxsize=10_000)
def _is_within(address: str, networks: tuple[str, ...]) -> bool:
    """Is it in one of them? A name counts as inside: a cloud calls itself by names."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return True
    return any(parsed in ipaddress.ip_network(each, strict=False) for each in networks)
