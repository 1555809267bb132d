"""The command line: the operator's backends, each read in a thread of its own."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Protocol

from scanner.audit import stores
from scanner.fingerprints import identify
from scanner.inventory.interface import Backend, Settings
from scanner.masking import masked_finding, masked_gap, masked_id, masked_note
from scanner.model import Finding, Gap, Note, NoteKind
from scanner.records import Record, ValueMark, Status

_SLACK = 5
"""Seconds past its timeout in which a backend may still say itself what it did not read."""
_NOTHING = "it gave no secret at all: too few rights, or the wrong place"

Item = Record | Gap | Note


class Judge(Protocol):
    """What becomes of a record: how the secret stands, and what is wrong with it."""

    def __call__(self, record: Record, backend: str) -> tuple[Status, Sequence[Finding]]: ...


class Harvest:
    """What one backend gave so far. Its thread fills it; once closed it stays as it is.

    A record is judged as it comes, and not kept. `keep`: a state is to be written, so that it is,
    until the backend was read to the end.
    """

    def __init__(self, settings: Settings, judge: Judge, *, keep: bool) -> None:
        self.settings = settings
        self.store = stores.address(settings)
        self.secrets: dict[str, Status] = {}
        self.findings: list[Finding] = []
        self.records: dict[str, Record] = {}
        self.value_marks: dict[str, ValueMark] = {}
        self.gaps: list[Gap] = []
        self.notes: list[Note] = []
        self.ended = False
        self._judge = judge
        self._keep = keep
        self._closed = False
        self._lock = threading.Lock()

    @property
    def complete(self) -> bool:
        return self.ended and not self.gaps

    def hides(self, name: str) -> bool:
        """May the secret of this id, or the key of it that stands after a `#`, be there, though the
        backend did not give it?"""
        name, has_key, _ = name.partition("#")
        if name in self.secrets and not has_key:
            return False
        if "*" in name:  # a part of it is not known
            return not self.complete
        parts = name.split("/")
        around = ("/".join(parts[:length]) for length in range(3, len(parts) + 1))
        return not self.ended or any(place in self._unread for place in around)

    @cached_property
    def _unread(self) -> frozenset[str]:
        return frozenset(gap.path.rstrip("/") for gap in self.gaps)

    def mask(self) -> None:
        """Names and texts come from the store, and may hold a secret: once all is read, they are
        masked. One at a time: what masks is not for several threads."""
        for name in [name for name in self.secrets if masked_id(name) != name]:
            shown = masked_id(name)
            self.secrets[shown] = self.secrets.pop(name)._replace(id=shown)
            self.records.pop(name, None)  # it could not be found again by what is left of its name
            self.value_marks.pop(name, None)
        self.findings = [*identify(map(masked_finding, self.findings))]
        self.gaps = [*map(masked_gap, self.gaps)]
        self.notes = [*map(masked_note, self.notes)]

    def fill(self, backend: Backend) -> None:
        """Take all that the backend gives. What it raises, against its word, is a Gap, too."""
        try:
            for item in self._items(backend):
                if not self._take(item):
                    return
        except Exception as error:  # noqa: BLE001 - the other backends go on
            self._take(self._gap("internal-error", _place(error)))
        self.ended = True
        if self.complete:
            self.records.clear()

    def close(self, why: str = "") -> None:
        """Take no more. `why`: what did not come yet is a Gap, for this reason."""
        with self._lock:
            self._closed = True
            if why:
                self.gaps.append(self._gap("timeout", why))

    def _items(self, backend: Backend) -> Iterator[Item]:
        yield from backend.read()
        if not self.secrets and not self.gaps:
            yield self._gap("no-secrets", _NOTHING)
        for right in backend.excess():
            yield Note(kind=NoteKind.EXCESS_RIGHT, path=self.store, text=right)

    def _gap(self, kind: str, reason: str) -> Gap:
        return Gap(kind=kind, path=self.store, reason=reason)

    def _take(self, item: Item) -> bool:
        with self._lock:
            if not self._closed:
                self._add(item)
            return not self._closed

    def _add(self, item: Item) -> None:
        if isinstance(item, Gap):
            self.gaps.append(item)
        elif isinstance(item, Note):
            self.notes.append(item)
        elif item.id not in self.secrets:
            status, findings = self._judge(item, self.settings.name)
            self.secrets[item.id] = status
            self.findings += findings
            if self._keep:
                self._remember(item)

    def _remember(self, record: Record) -> None:
        self.records[record.id] = record
        if record.value_mark:
            self.value_marks[record.id] = record.value_mark


def _place(error: Exception) -> str:
    """The kind of error and its place in the source, never its text, which may hold a token."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    file = os.path.basename(trace.tb_frame.f_code.co_filename) if trace else ""
    line = trace.tb_lineno if trace else 0
    return f"{type(error).__name__} at {file}:{line}: a defect of keywatch, please report it"


def gather(harvests: Sequence[Harvest], backends: Sequence[Backend]) -> None:
    """Read all backends at once, until each has ended or its time is over.

    A thread that hangs, on a name that does not resolve for one, holds nothing up: it ends with
    the process.
    """
    begun = time.monotonic()
    threads = [
        threading.Thread(target=harvest.fill, args=(backend,), daemon=True)
        for harvest, backend in zip(harvests, backends, strict=True)
    ]
    for thread in threads:
        thread.start()
    try:
        for harvest, thread in zip(harvests, threads, strict=True):
            timeout = harvest.settings.timeout
            thread.join(max(0, begun + timeout + _SLACK - time.monotonic()))
            if thread.is_alive():
                harvest.close(f"it did not end within {timeout:g} seconds")
    finally:
        for harvest in harvests:
            harvest.close()
            harvest.mask()
