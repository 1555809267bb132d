"""The types that the parts of a rotation share. None of them holds a value of a secret."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

Facts = Mapping[str, Any]
"""What a step found out, as JSON. It is written to the journal, so it never contains a value."""


class State(enum.StrEnum):
    """What `keywatch rotate status` prints. docs/rotate.md says how to recover from each."""

    INTERRUPTED = "interrupted"
    """The process ended before the rotation did."""
    WAITING = "waiting"
    """The new credential is in use. The old one still works until the overlap ends."""
    FAILED = "failed"
    """A step was refused, and it changed nothing."""
    UNKNOWN = "unknown"
    """A step may have had an effect, and the store could not be asked."""
    CONSUMERS_NOT_READY = "consumers-not-ready"
    """The new credential is stored, and a consumer does not run with it. The old one is kept."""
    NEEDS_OPERATOR = "needs-operator"
    """Only a person can decide how to go on."""
    CONFLICT = "conflict"
    """Someone else changed the secret meanwhile. The rotation has ended."""
    ABANDONED = "abandoned"
    """The operator ended it with `resume --abandon`."""
    FINISHED = "finished"


ENDED = frozenset({State.CONFLICT, State.ABANDONED, State.FINISHED})


class StepError(Exception):
    """A step that did not succeed: the state that it leaves, why, and what to do next.

    `code` is the store's own code of the error, if it has one.
    """

    state = State.FAILED
    code = ""

    def __init__(self, reason: str, todo: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.todo = todo


class RefusedError(StepError):
    """The store refused the step, so nothing was changed by it."""


class UnknownError(StepError):
    """There was no answer, so the step may have had its effect."""

    state = State.UNKNOWN


class ConflictError(StepError):
    """Someone else changed the secret since the rotation began."""

    state = State.CONFLICT


class NotReadyError(StepError):
    """A consumer does not run with the new credential."""

    state = State.CONSUMERS_NOT_READY


class OperatorError(StepError):
    """It cannot be decided here how to go on."""

    state = State.NEEDS_OPERATOR


class WaitError(Exception):
    """The next step is not to be done before `until`."""

    def __init__(self, until: datetime) -> None:
        super().__init__()
        self.until = until


class Outcome(NamedTuple):
    """What a step did. `proofs` and `notes` are sentences for the record."""

    facts: Facts = MappingProxyType({})
    proofs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Policy(NamedTuple):
    """The limits by which a secret is rotated, in seconds, and the `file:line` that sets them."""

    secret_class: str
    rotate_every: int
    overlap: int
    where: str = ""


class Rotation(NamedTuple):
    """One rotation as it began.

    `secret` is the canonical id. `reason` is why it is rotated; `emergency` skips the overlap.
    `who` is the user and machine. `consumers` are the ids of the workloads to restart.
    """

    id: str
    secret: str
    kind: str
    policy: Policy
    reason: str
    who: str
    began: datetime
    emergency: bool = False
    consumers: tuple[str, ...] = ()


class StepEntry(NamedTuple):
    """A finished step.

    `how` is `did`, `read back` (after a crash or a lost answer) or `repeated`.
    """

    step: str
    attempt: int
    at: datetime
    how: str
    outcome: Outcome


class Progress(NamedTuple):
    """A rotation and how far it is, as the journal has it.

    `begun` are the steps of the attempt that have an intent and no outcome. `wait_until` is set
    while it waits for the end of the overlap.
    """

    rotation: Rotation
    state: State
    attempt: int
    done: tuple[StepEntry, ...]
    begun: frozenset[str]
    last: datetime
    step: str = ""
    reason: str = ""
    todo: str = ""
    wait_until: datetime | None = None
    notes: tuple[str, ...] = ()

    @property
    def facts(self) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for entry in self.done:
            merged |= entry.outcome.facts
        return merged

    @property
    def finished_steps(self) -> frozenset[str]:
        return frozenset(entry.step for entry in self.done if entry.attempt in (0, self.attempt))
