"""Rotate a value that one side issues and another stores: create, verify, store, revoke.

A `Source` issues the credential, a `Sink` stores it. The value exists in the memory of this process
between the two. If it is lost there, the source revokes it and issues another one.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from typing import Any, Protocol

from scanner.rotate import commands
from scanner.rotate.config import Command, Issuer
from scanner.rotate.executors.interface import Parts, Target, stored_at, tag
from scanner.rotate.machine import Step, Work
from scanner.rotate.model import ConflictError, OperatorError, Outcome, RefusedError, UnknownError

Values = Mapping[str, str]


class Source(Protocol):
    """Issues credentials. `revokes`: the old one is revoked after the overlap."""

    revokes: bool

    def look(self, work: Work) -> Mapping[str, Any]:
        """Facts about what exists before the rotation."""

    def create(self, work: Work) -> tuple[Values, Mapping[str, Any]]:
        """The new credential, and facts about it."""

    def discard(self, work: Work) -> str:
        """Revoke what this attempt may have created. Idempotent."""

    def verify(self, work: Work, values: Values) -> str:
        """Prove that the new credential works. "" if this source cannot."""

    def revoke(self, work: Work, old: Values | None) -> None:
        """Revoke the credentials from before the rotation. Idempotent."""

    def revoked(self, work: Work, old: Values | None) -> str:
        """Prove that the old credential does not work. "" if that was not asked for."""


class Sink(Protocol):
    """Stores credentials. `retires`: the old copy is disabled or destroyed after the overlap."""

    retires: bool

    def look(self, work: Work) -> Mapping[str, Any]: ...

    def put(self, work: Work, values: Values) -> None:
        """Store it, unless someone else has stored something since `look` (ConflictError)."""

    def was_put(self, work: Work) -> bool:
        """Is the credential of this attempt the current one? ConflictError: it is another's."""

    def old(self, work: Work) -> Values | None:
        """The credential from before the rotation, if the store still has it."""

    def retire(self, work: Work) -> str:
        """Disable or destroy the old copy. Idempotent. What to say of it."""


def parts(target: Target, source: Source, sink: Sink) -> Parts:
    issued = _Issued(target, source, sink)
    before = [
        Step("look", issued.look, once=True),
        Step("create", issued.create, shown_once=True),
    ]
    if target.entry.verify:
        before.append(Step("verify", issued.verify, needs_value=True))
    before.append(Step("store", issued.store, seen=issued.stored, needs_value=True))
    after = []
    if source.revokes:
        after.append(Step("revoke", issued.revoke, say_repeated="the revocation was repeated"))
        after.append(Step("prove-old", issued.prove_old))
    if sink.retires:
        after.append(Step("retire", issued.retire))
    return Parts(before, after, issued.discard, overlaps=source.revokes or sink.retires)


class _Issued:
    def __init__(self, target: Target, source: Source, sink: Sink) -> None:
        self._target = target
        self._source = source
        self._sink = sink

    def look(self, work: Work) -> Outcome:
        return Outcome({**self._sink.look(work), **self._source.look(work)})

    def create(self, work: Work) -> Outcome:
        values, facts = self._source.create(work)
        work.values = dict(values)
        salt = os.urandom(8).hex()
        return Outcome({**facts, "salt": salt, "tag": tag(self._stored_form(values), salt)})

    def verify(self, work: Work) -> Outcome:
        proof = self._source.verify(work, work.values)
        note = "the new credential was not tried: its source offers no way to"
        return Outcome(proofs=(proof,)) if proof else Outcome(notes=(note,))

    def store(self, work: Work) -> Outcome:
        self._sink.put(work, self._stored_form(work.values))
        if not self._sink.was_put(work):
            raise UnknownError("the store accepted the value, and does not show it as current")
        return self._is_current(work)

    def stored(self, work: Work) -> Outcome | None:
        return self._is_current(work) if self._sink.was_put(work) else None

    def revoke(self, work: Work) -> Outcome:
        self._guard(work)
        self._source.revoke(work, self._sink.old(work))
        return Outcome()

    def prove_old(self, work: Work) -> Outcome:
        proof = self._source.revoked(work, self._sink.old(work))
        note = "not proven that the old credential is dead: `prove_old` is not set"
        return Outcome(proofs=(proof,)) if proof else Outcome(notes=(note,))

    def retire(self, work: Work) -> Outcome:
        self._guard(work)
        return Outcome(proofs=(self._sink.retire(work),))

    def discard(self, work: Work) -> str:
        return self._source.discard(work)

    def _guard(self, work: Work) -> None:
        """The old credential is not revoked if someone has put it, or another one, back."""
        todo = "decide which credential is to stay, then keywatch rotate resume --abandon ID"
        try:
            current = self._sink.was_put(work)
        except ConflictError:
            raise OperatorError(
                "someone else changed the stored value since; the old credential is not revoked",
                todo,
            ) from None
        if not current:
            raise OperatorError(
                "the stored value is not the new one any more; the old credential is not revoked",
                todo,
            )

    def _is_current(self, work: Work) -> Outcome:
        return Outcome(stored_at(work), ("the store has the new value as its current one",))

    def _stored_form(self, values: Values) -> Values:
        """The values by the names of the fields in the store."""
        fields = self._target.entry.fields
        return {fields.get(name, name): value for name, value in values.items()}


class Generator:
    """A Source: a random value that only we choose, such as a signing key."""

    revokes = False

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer

    def look(self, _work: Work) -> Mapping[str, Any]:
        return {}

    def create(self, _work: Work) -> tuple[Values, Mapping[str, Any]]:
        alphabet = self._issuer.alphabet
        made = "".join(secrets.choice(alphabet) for _ in range(self._issuer.characters))
        return {"value": made}, {}

    def discard(self, _work: Work) -> str:
        return "the generated value was stored nowhere"

    def verify(self, _work: Work, values: Values) -> str:
        return f"a random value of {len(values['value'])} characters"

    def revoke(self, work: Work, old: Values | None) -> None: ...

    def revoked(self, _work: Work, _old: Values | None) -> str:
        return ""


class Commands:
    """A Source: commands of the operator config.

    Each gets a JSON object on its standard input: action, secret, rotation (which names this
    attempt), and value. `revoke` without a value is to revoke whatever was created for `rotation`.
    """

    def __init__(self, issuer: Issuer, target: Target) -> None:
        self._issuer = issuer
        self._target = target
        self.revokes = issuer.revoke is not None

    def look(self, _work: Work) -> Mapping[str, Any]:
        return {}

    def create(self, work: Work) -> tuple[Values, Mapping[str, Any]]:
        value = self._run(self._issuer.create, "create", work)
        if not value:
            raise OperatorError("the command that creates the value printed nothing")
        return {"value": value}, {}

    def discard(self, work: Work) -> str:
        self._run(self._issuer.revoke, "revoke", work)
        return "what the issuer created for it was revoked"

    def verify(self, work: Work, values: Values) -> str:
        if self._issuer.verify is None:
            return ""
        self._run(self._issuer.verify, "verify", work, value=values["value"])
        return "the operator's command accepts the new value"

    def revoke(self, work: Work, old: Values | None) -> None:
        if old is None:
            if work.facts.get("had_value"):
                raise OperatorError(
                    "the store does not have the old value any more, so it cannot be revoked",
                    "revoke it by hand, then keywatch rotate resume --abandon ID",
                )
            return
        self._run(self._issuer.revoke, "revoke", work, value=self._of(old))

    def revoked(self, work: Work, old: Values | None) -> str:
        if not self._target.entry.prove_old or self._issuer.verify is None or old is None:
            return ""
        try:
            self._run(self._issuer.verify, "verify", work, value=self._of(old))
        except RefusedError:
            return "the operator's command refuses the old value"
        raise RefusedError("the old value still works after it was revoked")

    def _of(self, stored: Values) -> str:
        return stored[self._target.entry.fields.get("value", "value")]

    def _run(self, command: Command | None, action: str, work: Work, **more: str) -> str:
        if command is None:
            raise OperatorError(f"the issuer {self._issuer.name} has no command to {action}")
        said = {"action": action, "secret": self._target.place.text, "rotation": work.mark, **more}
        return commands.run(command, said, self._target.environ)


def of_issuer(target: Target) -> Source:
    issuer = target.entry.issuer
    assert issuer  # noqa: S101 - `manual` has refused an entry without it
    return Generator(issuer) if issuer.characters else Commands(issuer, target)
