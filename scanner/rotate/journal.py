"""The write-ahead journal of rotations: JSON Lines, one file, no values.

Each step is written down before it is done and again with its outcome, and each line is on disk
before the next thing happens. A line that a crash cut off is dropped: what it would have said is
read back from the store.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from scanner.errors import ConfigError, KeywatchError, OutputError, UsageError
from scanner.files import PRIVATE
from scanner.rotate.model import (
    ENDED,
    Outcome,
    Policy,
    Progress,
    Rotation,
    State,
    StepEntry,
)

VERSION = 1
_SKEW = timedelta(minutes=1)
_BEFORE_ATTEMPTS = 0
"""The attempt number of steps that are done once, whatever the number of attempts."""


class Journal:
    """The rotations of one file, open for this process only.

    ConfigError if the file is damaged or has another version; UsageError if another process of
    this machine uses it.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = _opened(path)
        try:
            lines = self._lines()
            self.holder = _holder(lines, path) if lines else self._begin_file()
            self._rotations = _replayed(lines[1:], path)
        except BaseException:
            os.close(self._file)
            raise

    def close(self) -> None:
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def rotations(self) -> tuple[Progress, ...]:
        return tuple(self._rotations.values())

    @property
    def unfinished(self) -> tuple[Progress, ...]:
        return tuple(each for each in self.rotations if each.state not in ENDED)

    def progress(self, rotation: str) -> Progress:
        return self._rotations[rotation]

    def check_clock(self, now: datetime) -> None:
        """UsageError if the clock was moved back: then no date in the journal can be trusted."""
        last = max((each.last for each in self.rotations), default=now)
        if last - now > _SKEW:
            raise UsageError(
                f"the clock says {now:%Y-%m-%d %H:%M:%S} UTC, and the journal already has an entry"
                f" of {last:%Y-%m-%d %H:%M:%S} UTC",
                why="the clock was moved; keywatch cannot tell when an overlap ends",
                todo="set the clock right, then run keywatch rotate resume",
            )

    def begin(self, rotation: Rotation) -> None:
        said = rotation._asdict() | {"began": rotation.began.isoformat()}
        said |= {"policy": rotation.policy._asdict(), "consumers": list(rotation.consumers)}
        self._add({"event": "began", **said, "rotation": said.pop("id")}, rotation.began)

    def intent(self, rotation: str, step: str, attempt: int, now: datetime) -> None:
        self._add({"event": "intent", "rotation": rotation, "step": step, "attempt": attempt}, now)

    def done(self, rotation: str, entry: StepEntry) -> None:
        outcome: dict[str, Any] = {"facts": dict(entry.outcome.facts)}
        outcome |= {"proofs": list(entry.outcome.proofs), "notes": list(entry.outcome.notes)}
        said = {"event": "done", "rotation": rotation, "step": entry.step, **outcome}
        self._add({**said, "attempt": entry.attempt, "how": entry.how}, entry.at)

    def lost(self, rotation: str, attempt: int, note: str, now: datetime) -> None:
        """The credential of this attempt was lost and revoked; the next attempt makes a new one."""
        self._add({"event": "lost", "rotation": rotation, "attempt": attempt, "note": note}, now)

    def state(  # noqa: PLR0913 - what `status` prints
        self,
        rotation: str,
        state: State,
        now: datetime,
        *,
        step: str = "",
        reason: str = "",
        todo: str = "",
        until: datetime | None = None,
    ) -> None:
        said = {"event": "state", "rotation": rotation, "state": state, "step": step}
        said |= {"reason": reason, "todo": todo, "until": until.isoformat() if until else ""}
        self._add(said, now)

    def _begin_file(self) -> str:
        holder = f"{os.uname().nodename}-{os.urandom(4).hex()}"
        self._write({"journal": VERSION, "holder": holder})
        return holder

    def _add(self, said: Mapping[str, Any], now: datetime) -> None:
        line = {"at": now.isoformat(), **said}
        self._write(line)
        _replay(self._rotations, line)

    def _write(self, line: Mapping[str, Any]) -> None:
        """OutputError if the line is not on disk. Nothing of it is left in the file then."""
        data = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        end = os.lseek(self._file, 0, os.SEEK_END)
        try:
            write_line(self._file, data)
        except OSError as error:
            os.ftruncate(self._file, end)
            raise OutputError(
                f"the journal {self.path} could not be written",
                why=error.strerror or str(error),
                todo="make room; then keywatch rotate resume settles what was under way",
            ) from None

    def _lines(self) -> list[dict[str, Any]]:
        """All complete lines. The rest of a line that a crash cut off is removed."""
        with open(self._file, "rb", closefd=False) as file:
            data = file.read()
        whole = data.rfind(b"\n") + 1
        if whole != len(data):
            os.ftruncate(self._file, whole)
        return [_parsed(line, number, self.path) for number, line in _numbered(data[:whole])]


def read(path: str) -> tuple[Progress, ...]:
    """The rotations of a journal, for reading only. () if there is no journal yet."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise UsageError(f"the journal {path} cannot be read", why=error.strerror or "") from None
    whole = data[: data.rfind(b"\n") + 1]
    lines = [_parsed(line, number, path) for number, line in _numbered(whole)]
    if not lines:
        return ()
    _holder(lines, path)
    return tuple(_replayed(lines[1:], path).values())


def write_line(file: int, data: bytes) -> None:
    """Append a whole line and wait until it is on disk. OSError if that fails."""
    if os.write(file, data) != len(data):
        raise OSError(0, "the disk is full")
    os.fsync(file)


def _numbered(data: bytes) -> Iterator[tuple[int, bytes]]:
    return enumerate(data.splitlines(), start=1)


def _opened(path: str) -> int:
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, PRIVATE)
    except OSError as error:
        raise UsageError(
            f"the journal {path} cannot be opened",
            why=error.strerror or "",
            todo="name a file that this user can write as `journal` of the operator config",
        ) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise UsageError(
            f"another keywatch rotate uses the journal {path}",
            todo="wait until it has ended",
        ) from None
    return file


def _parsed(line: bytes, number: int, path: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise _damaged(path, number)
    return found


def _holder(lines: list[dict[str, Any]], path: str) -> str:
    version = lines[0].get("journal")
    if version != VERSION:
        raise ConfigError(
            f"the journal {path} has version {version!r}, and this keywatch writes {VERSION}",
            todo="finish its rotations with the keywatch that began them: keywatch rotate resume",
        )
    return str(lines[0].get("holder"))


def _replayed(lines: list[dict[str, Any]], path: str) -> dict[str, Progress]:
    rotations: dict[str, Progress] = {}
    for number, line in enumerate(lines, start=2):
        try:
            _replay(rotations, line)
        except (KeyError, TypeError, ValueError):
            raise _damaged(path, number) from None
    return rotations


def _damaged(path: str, line: int) -> KeywatchError:
    return ConfigError(
        "the journal has a line that keywatch did not write",
        where=f"{path}:{line}",
        todo="restore the file; do not delete it while a rotation is unfinished",
    )


def _replay(rotations: dict[str, Progress], line: Mapping[str, Any]) -> None:
    at = datetime.fromisoformat(line["at"]).astimezone(UTC)
    name = line["rotation"]
    if line["event"] == "began":
        rotation = _rotation(line)
        rotations[name] = Progress(rotation, State.INTERRUPTED, 1, (), frozenset(), at)
        return
    before = rotations[name]._replace(last=at)
    match line["event"]:
        case "intent":
            begun = before.begun | {line["step"]}
            after = before._replace(begun=begun, state=State.INTERRUPTED, step=line["step"])
            after = after._replace(reason="", todo="", wait_until=None)
        case "done":
            entry = StepEntry(line["step"], line["attempt"], at, line["how"], _outcome(line))
            after = before._replace(
                done=(*before.done, entry),
                begun=before.begun - {line["step"]},
                state=State.INTERRUPTED,
                reason="",
                todo="",
                wait_until=None,
            )
        case "lost":
            after = before._replace(
                attempt=line["attempt"] + 1, begun=frozenset(), notes=(*before.notes, line["note"])
            )
        case "state":
            until = line["until"]
            after = before._replace(
                state=State(line["state"]),
                step=line["step"],
                reason=line["reason"],
                todo=line["todo"],
                wait_until=datetime.fromisoformat(until) if until else None,
            )
        case _:
            raise ValueError
    rotations[name] = after


def _rotation(line: Mapping[str, Any]) -> Rotation:
    return Rotation(
        id=line["rotation"],
        secret=line["secret"],
        kind=line["kind"],
        policy=Policy(**line["policy"]),
        reason=line["reason"],
        who=line["who"],
        began=datetime.fromisoformat(line["began"]),
        emergency=line["emergency"],
        consumers=tuple(line["consumers"]),
    )


def _outcome(line: Mapping[str, Any]) -> Outcome:
    return Outcome(line["facts"], tuple(line["proofs"]), tuple(line["notes"]))
