"""One audit log as events: entries are decoded and joined; what cannot be read is a Gap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from scanner.model import Gap, GapKind
from scanner.trail.event import Event
from scanner.trail.formats.interface import UNDECODED, Format
from scanner.trail.formats.table import FORMATS
from scanner.trail.reading.lines import MOST_LINE, Lines
from scanner.trail.reading.streams import DamagedError, Position, Stream

LATE = 600.0
"""Seconds that an event may be older than one before it in the same log."""


class _Known(NamedTuple):
    """A format, its reader for this log, and the decoder of whole documents."""

    form: Format
    reader: Any
    document: Callable[[bytes], Any] | None


class Log:
    """One log. It is read by iterating; afterwards `gaps` says what was not read."""

    def __init__(self, stream: Stream, backend: str, latest: float) -> None:
        self.name = stream.name
        self.stream = stream
        self.lines = Lines(stream, stream.skipped, stream.lines)
        self._batches: Iterator[tuple[int, list[bytes]]] = iter(())
        self._known = [_known(form, backend) for form in FORMATS]
        self._used = self._known[0]
        self._latest = latest
        self._corrupt: list[int] = []
        self._unknown: list[int] = []
        self._future: list[int] = []
        self._late: list[int] = []
        self._newest = 0.0
        self._broken = ""
        self.unanswered = 0

    def events(self, *, to_end: bool = True) -> Iterator[Event]:
        """The events in the order of the log. `to_end`: no more lines follow."""
        read = self._used.reader.read
        self._batches = self.lines.batches()
        try:
            for first, batch in self._batches:
                for number, line in enumerate(batch, first):
                    try:
                        event = read(line)
                    except UNDECODED:
                        yield from self._other(line, number, batch)
                        read = self._used.reader.read
                        continue
                    if event is not None:
                        event.line = number
                        if self._newest <= event.time <= self._latest:
                            self._newest = event.time
                        else:
                            self._disordered(event)
                        yield event
        except DamagedError as error:
            self._broken = str(error)
        if to_end:
            yield from self._last()
            self.stream.close()

    def position(self) -> Position | None:
        """How far the log was read, for a later run. None if it cannot be found again."""
        if self.stream.is_empty or self._broken:
            return None
        return self.stream.position(self.lines.offset, self.lines.number)

    @property
    def size(self) -> int:
        return self.lines.offset - self.stream.skipped

    def _last(self) -> Iterator[Event]:
        """A last line without an end, and the calls without a response."""
        lines = self.lines
        if lines.rest:
            before = len(self._corrupt)
            events = [*self._other(lines.rest, lines.number + 1, [])]
            if len(self._corrupt) == before:
                lines.offset += len(lines.rest)
                lines.number += 1
                lines.rest = b""
                yield from events
        for each in self._known:
            for event in each.reader.unanswered():
                self.unanswered += 1
                event.line = lines.number
                yield event

    def _disordered(self, event: Event) -> None:
        """Count an event that is late or from the future."""
        if event.time > self._latest:
            self._future.append(event.line)
        elif event.time < self._newest - LATE:
            self._late.append(event.line)

    def _other(self, line: bytes, number: int, batch: list[bytes]) -> Iterator[Event]:
        """A line that is not of the format of the line before it."""
        start = line.find(b"{")
        if start < 0:
            if line.strip(b" \t\r\x00"):
                self._corrupt.append(number)
            return
        line = line[start:]
        if number == 1 and line.strip() == b"{":
            line = self._whole_document(batch)
        for each in self._known:
            if all(mark in line for mark in each.form.marks):
                try:
                    events = _decoded(each, line)
                except UNDECODED:
                    continue
                self._used = each
                for event in events:
                    event.line = number
                    if self._newest <= event.time <= self._latest:
                        self._newest = event.time
                    else:
                        self._disordered(event)
                    yield event
                return
        (self._unknown if _is_json(line) else self._corrupt).append(number)

    def _whole_document(self, batch: list[bytes]) -> bytes:
        """A log that is one document over many lines, as some tools write it. Empties the batch."""
        parts = [*batch]
        batch.clear()
        size = 0
        for _, more in self._batches:
            parts += more
            size += sum(map(len, more))
            if size > MOST_LINE:
                break
        parts.append(self.lines.rest)
        self.lines.offset += len(self.lines.rest)
        self.lines.rest = b""
        return b"\n".join(parts)

    def gaps(self) -> Iterator[Gap]:
        """What was not read, or not in order, each kind once."""
        yield from self._gap(GapKind.CORRUPT_LINES, self._corrupt, "not a whole JSON object")
        yield from self._gap(
            GapKind.UNKNOWN_FORMAT, self._unknown, "in no known format of audit logs"
        )
        yield from self._gap(
            GapKind.CLOCK_JUMP, self._future, "from a time after the run: a clock was wrong"
        )
        yield from self._gap(
            GapKind.CLOCK_JUMP,
            self._late,
            f"over {LATE / 60:.0f} minutes older than one before: a clock was set back, or the log"
            " was put together; windows of time may have missed something",
        )
        if broken := sum(each.reader.broken for each in self._known):
            reason = f"{broken:,} requests are not whole JSON objects"
            yield Gap(kind=GapKind.CORRUPT_LINES, path=self.name, reason=reason)
        if too_long := self.lines.too_long + self.lines.is_cut:
            limit = MOST_LINE >> 20
            reason = f"lines over {limit} MiB, which were passed over: {too_long:,}"
            yield Gap(kind=GapKind.TOO_LARGE, path=self.name, reason=reason)
        if self._broken:
            yield Gap(kind=GapKind.ARCHIVE_DAMAGED, path=self.name, reason=self._broken)

    def _gap(self, kind: GapKind, lines: list[int], what: str) -> Iterator[Gap]:
        if lines:
            count = f"{len(lines):,} lines are" if len(lines) > 1 else "1 line is"
            reason = f"{count} {what} (line {lines[0]:,})"
            yield Gap(kind=kind, path=self.name, reason=reason)


def _known(form: Format, backend: str) -> _Known:
    document = msgspec.json.Decoder(form.document).decode if form.document else None
    return _Known(form=form, reader=form.reader(backend), document=document)


def _decoded(known: _Known, line: bytes) -> list[Event]:
    """The events of one entry, or of a document of entries."""
    try:
        events = [known.reader.read(line)]
    except UNDECODED:
        if known.document is None:
            raise
        entries = getattr(known.document(line), known.form.items)
        events = [known.reader.event(entry) for entry in entries]
    return [event for event in events if event is not None]


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    except UNDECODED:
        return False
    return True
