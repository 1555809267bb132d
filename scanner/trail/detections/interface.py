"""What detections in Python are given, and how they report."""

from __future__ import annotations

from typing import Protocol

from scanner.trail.event import Actor, Event, Target, quoted


class Report(Protocol):
    """Report that an event breaks a rule. `subject` is what the finding is about, as an id."""

    def __call__(self, rule: str, subject: str, event: Event, detail: str) -> None: ...


def by(target: Target, actor: Actor) -> str:
    """The subject "this actor at this secret or path"."""
    return f"{target.id}?by={quoted(actor.name)}" if actor.name else target.id


def store_of(target: Target) -> str:
    """`vault://prod` of any id in it."""
    scheme, _, rest = target.id.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


def actor_of(event: Event) -> str:
    """The subject "this actor"."""
    return f"{store_of(event.target)}?by={quoted(event.actor.name or '*')}"


def address_of(event: Event) -> str:
    """The subject "this address"."""
    return f"{store_of(event.target)}?from={quoted(event.address or '*')}"
