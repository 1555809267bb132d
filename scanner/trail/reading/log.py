"""One audit log as events: entries are decoded, joined and counted; what cannot be read is a Gap."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from scanner.inputs.archives.compression import Refused
from scanner.model import Gap, GapKind
from scanner.trail.event import Event
from scanner.trail.formats.interface import Format, Reader
from scanner.trail.formats.table import FORMATS
from scanner.trail.reading.lines import MOST_LINE, Lines
from scanner.trail.reading.streams import Position, Stream

BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, Refused, ValueError)
"""What a damaged stream raises."""
_UNDECODED = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, ValueError, OverflowError)
LATE = 600.0
"""Seconds that an event may be older than one before it in the same log."""


class Placed(NamedTuple):
    """An event and the line that it was read from."""

    event: Event
    line: int


class _Known(NamedTuple):
    """A format with its decoders, and the reader of this log."""

    form: Format
    decode: Callable[[bytes], Any]
    document: Callable[[bytes], Any] | None
    reader: Reader


class Log:
    """One log. It is read by iterating; afterwards `gaps` says what was not read."""

    def __init__(self, stream: Stream, backend: str, latest: float) -> None:
        self.name = stream.name
        self.stream = stream
        self.lines = Lines(stream, stream.skipped)
        self.lines.number = stream.lines
        self._known = [_known(form, backend) for form in FORMATS]
        self._used = self._known[0]
        self._readers: dict[str, Reader] = {}
        self._latest = latest
        self._corrupt: list[int] = []
        self._unknown: list[int] = []
        self._future: list[int] = []
        self._late: list[int] = []
        self._newest = 0.0
        self._broken = ""

    def events(self, *, to_end: bool = True) -> Iterator[Placed]:
        """The events in the order of the log. `to_end`: no more lines follow."""
        lines = self.lines
        try:
            for line in lines:
                yield from self._line(line, lines.number)
        except BROKEN as error:
            self._broken = getattr(error, "reason", "") or "its compression is damaged or cut off"
        if to_end:
            yield from self._last()

    def position(self) -> Position | None:
        """How far the log was read, for a later run. None if it cannot be found again."""
        if self.stream.is_empty or self._broken:
            return None
        return self.stream.position(self.lines.offset, self.lines.number)

    @property
    def size(self) -> int:
        return self.lines.offset - self.stream.skipped

    def _last(self) -> Iterator[Placed]:
        """A last line without an end, and the calls without a response."""
        lines = self.lines
        if lines.rest:
            before = len(self._corrupt)
            placed = [*self._line(lines.rest, lines.number + 1)]
            if len(self._corrupt) == before:
                lines.offset += len(lines.rest)
                lines.number += 1
                lines.rest = b""
                yield from placed
        for each in self._known:
            for event in each.reader.unanswered():
                yield Placed(event, lines.number)

    def _line(self, line: bytes, number: int) -> Iterator[Placed]:
        used = self._used
        try:
            entry = used.decode(line)
            event = used.reader.event(entry)
        except _UNDECODED:
            yield from self._other(line, number)
            return
        if event is not None:
            yield self._placed(event, number)

    def _placed(self, event: Event, number: int) -> Placed:
        time = event.time
        if time < self._newest:
            if time < self._newest - LATE:
                self._late.append(number)
        elif time > self._latest:
            self._future.append(number)
        else:
            self._newest = time
        return Placed(event, number)

    def _other(self, line: bytes, number: int) -> Iterator[Placed]:
        """A line that is not of the format of the line before it."""
        start = line.find(b"{")
        if start < 0:
            if line.strip(b" \t\r\x00"):
                self._corrupt.append(number)
            return
        line = line[start:]
        for each in self._known:
            if all(mark in line for mark in each.form.marks):
                try:
                    events = _decoded(each, line)
                except _UNDECODED:
                    continue
                self._used = each
                for event in events:
                    yield self._placed(event, number)
                return
        (self._unknown if _is_json(line) else self._corrupt).append(number)

    def gaps(self) -> Iterator[Gap]:
        """What was not read, or not in order, each kind once."""
        yield from self._gap(GapKind.CORRUPT_LINES, self._corrupt, "not a whole JSON object")
        yield from self._gap(GapKind.UNKNOWN_FORMAT, self._unknown, "in no known format of audit logs")
        yield from self._gap(
            GapKind.CLOCK_JUMP, self._future, "from a time after the run: a clock was wrong"
        )
        yield from self._gap(
            GapKind.CLOCK_JUMP,
            self._late,
            f"over {LATE / 60:.0f} minutes older than one before: a clock was set back, or the log was"
            " put together; windows of time may have missed something",
        )
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
    return _Known(
        form=form,
        decode=msgspec.json.Decoder(form.entry).decode,
        document=document,
        reader=form.reader(backend),
    )


def _decoded(known: _Known, line: bytes) -> list[Event]:
    """The events of one entry, or of a document of entries."""
    try:
        entries = [known.decode(line)]
    except _UNDECODED:
        if known.document is None:
            raise
        entries = getattr(known.document(line), known.form.items)
    return [event for event in map(known.reader.event, entries) if event is not None]


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    except _UNDECODED:
        return False
    return True
