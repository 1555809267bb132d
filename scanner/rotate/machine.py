"""Run the steps of a rotation, one after the other, so that a crash between any two can be resumed.

The journal gets the intent of a step before it is done and the outcome after it. A step that has
an intent and no outcome is settled by reading the store back before anything else is done. A value
that is shown only once and was lost with its process is revoked and made anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from scanner.rotate.journal import Journal
from scanner.rotate.model import (
    ConflictError,
    OperatorError,
    Outcome,
    Progress,
    Rotation,
    State,
    StepEntry,
    StepError,
    UnknownError,
    WaitError,
)

T = TypeVar("T")
Hook = Callable[[str], None]
"""Called between any two actions, with a name for the moment. Tests end the process in it."""
_ONCE = 0
_MOST_ATTEMPTS = 20


class Work:
    """One rotation under way in this process.

    `facts` are those of all finished steps. `values` are the credentials in memory, by name; they
    are in no other place, and lost if the process ends.
    """

    def __init__(self, progress: Progress, now: Callable[[], datetime]) -> None:
        self.rotation: Rotation = progress.rotation
        self.attempt = progress.attempt
        self.facts: dict[str, Any] = progress.facts
        self.values: dict[str, str] = {}
        self.old: dict[str, str] = {}
        self.now = now

    @property
    def mark(self) -> str:
        """Names what this attempt makes in a store."""
        return f"{self.rotation.id}-{self.attempt}"


class Step(NamedTuple):
    """One step. `do` performs it. `seen` says, by reading the store, whether it has happened.

    `seen` returns the outcome; None if it has not happened; and it raises StepError if it cannot
    tell. Without `seen`, the step is done again after a crash: it only reads, or is idempotent.
    `shown_once`: it creates a credential whose value the store does not show again. `needs_value`:
    it needs that value. `say_repeated`: a second run has an effect of its own, so it is noted.
    `once`: it is not done again if the credential has to be made anew.
    """

    name: str
    do: Callable[[Work], Outcome]
    seen: Callable[[Work], Outcome | None] | None = None
    shown_once: bool = False
    needs_value: bool = False
    say_repeated: str = ""
    once: bool = False


class Program(NamedTuple):
    """The steps of a rotation. `discard` revokes what an attempt may have made and lost.

    `discard` is idempotent and returns what to say of it.
    """

    steps: Sequence[Step]
    discard: Callable[[Work], str] | None = None


class Machine:
    """Runs programs under one journal."""

    def __init__(self, journal: Journal, now: Callable[[], datetime], hook: Hook) -> None:
        self._journal = journal
        self._now = now
        self._hook = hook

    def run(self, rotation: str, program: Program, keep_lock: Callable[[], None]) -> State:
        """Run the rotation as far as it goes now; return its state.

        FINISHED: no step is left. The caller notes the end.
        """
        work = Work(self._journal.progress(rotation), self._now)
        try:
            while step := self._next(rotation, program.steps):
                keep_lock()
                self._step(work, step, program)
        except WaitError as wait:
            return self._say(work, State.WAITING, until=wait.until)
        except StepError as error:
            return self._failed(work, program, error)
        return State.FINISHED

    def _next(self, rotation: str, steps: Iterable[Step]) -> Step | None:
        done = self._journal.progress(rotation).finished_steps
        return next((step for step in steps if step.name not in done), None)

    def _step(self, work: Work, step: Step, program: Program) -> None:
        progress = self._journal.progress(work.rotation.id)
        begun = step.name in progress.begun
        if begun and step.seen:
            outcome = _called(step.seen, work)
            if outcome is not None:
                self._done(work, step, outcome, "read back")
                return
        if (begun and step.shown_once) or (step.needs_value and not work.values):
            self._anew(work, program)
            return
        self._do(work, step, begun=begun)

    def _do(self, work: Work, step: Step, *, begun: bool) -> None:
        self._hook(f"before {step.name}")
        attempt = _ONCE if step.once else work.attempt
        self._journal.intent(work.rotation.id, step.name, attempt, self._now())
        self._hook(f"intent {step.name}")
        how = "did"
        try:
            outcome = _called(step.do, work) or Outcome()
        except UnknownError:
            if step.seen is None or step.shown_once:
                raise
            settled = _called(step.seen, work)
            if settled is None:
                raise
            outcome, how = settled, "read back"
        self._hook(f"did {step.name}")
        if begun and step.say_repeated:
            outcome = outcome._replace(notes=(*outcome.notes, step.say_repeated))
            how = "repeated"
        self._done(work, step, outcome, how)

    def _done(self, work: Work, step: Step, outcome: Outcome, how: str) -> None:
        attempt = _ONCE if step.once else work.attempt
        entry = StepEntry(step.name, attempt, self._now(), how, outcome)
        self._journal.done(work.rotation.id, entry)
        work.facts |= outcome.facts
        self._hook(f"done {step.name}")

    def _anew(self, work: Work, program: Program) -> None:
        """Revoke what this attempt made, and let the next attempt begin."""
        if work.attempt >= _MOST_ATTEMPTS:
            raise OperatorError(
                f"{work.attempt} attempts lost their credential",
                "find out what ends the process, then abandon this rotation and begin a new one",
            )
        if program.discard is None:
            raise OperatorError("the value was lost and cannot be revoked")
        self._hook("before discard")
        said = _called(program.discard, work)
        self._hook("did discard")
        note = f"attempt {work.attempt} ended before its value was stored: {said}; made anew"
        self._journal.lost(work.rotation.id, work.attempt, note, self._now())
        self._hook("done discard")
        work.attempt += 1
        work.values.clear()
        work.facts = self._journal.progress(work.rotation.id).facts

    def _failed(self, work: Work, program: Program, error: StepError) -> State:
        """Note why it stopped. A credential that was created and not stored is revoked at once."""
        step = self._journal.progress(work.rotation.id).step
        reason = error.reason
        if program.discard and work.values and not self._is_stored(work, program):
            try:
                said = _called(program.discard, work)
                note = f"attempt {work.attempt} failed ({error.reason}): {said}"
                self._journal.lost(work.rotation.id, work.attempt, note, self._now())
            except StepError as second:
                if isinstance(error, ConflictError):
                    # The rotation must not end while its credential works.
                    reason = f"{error.reason}; its own credential is not revoked: {second.reason}"
                    error = OperatorError(reason, "revoke it by hand, or run resume")
        work.values.clear()
        return self._say(work, error.state, step=step, reason=reason, todo=error.todo)

    def _is_stored(self, work: Work, program: Program) -> bool:
        """Is no step left that needs the value, or may the last one have had its effect?"""
        progress = self._journal.progress(work.rotation.id)
        left = [each for each in program.steps if each.needs_value]
        left = [each for each in left if each.name not in progress.finished_steps]
        return not left or (left[-1].name in progress.begun and not _is_known(left[-1], work))

    def _say(self, work: Work, state: State, **said: Any) -> State:
        self._journal.state(work.rotation.id, state, self._now(), **said)
        return state


def _is_known(step: Step, work: Work) -> bool:
    """Does the store say that the step has not happened?"""
    try:
        return step.seen is not None and _called(step.seen, work) is None
    except ConflictError:
        return True
    except StepError:
        return False


def _called(function: Callable[[Work], T], work: Work) -> T:
    """The result. UnknownError if a store's answer does not have the documented form."""
    try:
        return function(work)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise UnknownError(
            f"an answer does not have the documented form ({type(error).__name__})",
            "find out what answers at the store's address, then run keywatch rotate resume",
        ) from None
