"""A JSON line for each rotation that ended: who, what, when, by which policy, steps, proofs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from scanner.errors import OutputError
from scanner.files import PRIVATE
from scanner.rotate.journal import write_line
from scanner.rotate.model import Progress, State

FORMAT = "keywatch-rotation/1"


def record(progress: Progress, result: State, ended: str) -> Mapping[str, Any]:
    """The record. It contains no value: nothing that it is made from does."""
    rotation = progress.rotation
    outcomes = [entry.outcome for entry in progress.done]
    stored = progress.facts.get("stored_at", "")
    return {
        "format": FORMAT,
        "id": rotation.id,
        "secret": rotation.secret,
        "kind": rotation.kind,
        "result": result,
        "who": rotation.who,
        "began": rotation.began.isoformat(),
        "ended": ended,
        "policy": rotation.policy._asdict(),
        "reason": rotation.reason,
        "emergency": rotation.emergency,
        "new_value_since": stored,
        "attempts": progress.attempt,
        "consumers": list(rotation.consumers),
        "steps": [
            {"step": each.step, "at": each.at.isoformat(), "how": each.how, "attempt": each.attempt}
            for each in progress.done
        ],
        "proofs": [proof for each in outcomes for proof in each.proofs],
        "notes": [*progress.notes, *(note for each in outcomes for note in each.notes)],
        "why_it_stopped": progress.reason if result is not State.FINISHED else "",
    }


def append(path: str, entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Add a record, or return the one that the file already has of this rotation.

    OutputError if it cannot be written.
    """
    line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, PRIVATE)
        try:
            end = _whole(file)
            if written := _written(file, str(entry["id"])):
                return written
            try:
                write_line(file, line)
            except OSError:
                os.ftruncate(file, end)
                raise
        finally:
            os.close(file)
    except OSError as error:
        raise OutputError(
            f"the record of {entry['secret']} could not be written to {path}",
            why=error.strerror or str(error),
            todo="make room, then run keywatch rotate resume",
        ) from None
    return entry


def _whole(file: int) -> int:
    """Remove the rest of a line that a crash cut off. The size of the file then."""
    with open(file, "rb", closefd=False) as reader:
        reader.seek(0)
        data = reader.read()
    end = data.rfind(b"\n") + 1
    if end != len(data):
        os.ftruncate(file, end)
    return end


def _written(file: int, rotation: str) -> Mapping[str, Any] | None:
    """The record of this rotation, if a run before a crash wrote it."""
    with open(file, "rb", closefd=False) as reader:
        reader.seek(0)
        lines = (line for line in reader if f'"id":"{rotation}"'.encode() in line)
        return next(map(json.loads, lines), None)
