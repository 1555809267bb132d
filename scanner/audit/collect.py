"""Read all backends at the same time, each one in its own thread."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from typing import Protocol

from scanner.console import Progress
from scanner.fingerprints import identify
from scanner.inventory.interface import Backend, Settings
from scanner.masking import masked_finding, masked_gap, masked_id, masked_note
from scanner.model import Finding, Gap, Note, NoteKind
from scanner.policy.live.unread import Unread
from scanner.records import Record, Status, ValueMark

_SLACK = 5
_SHOWN_EVERY = 0.1  # seconds between two updates of the progress
"""Seconds after its timeout in which a backend can still report what it did not read."""
_SECONDS_TO_CLOSE = 5
_NO_SECRETS = "it returned no secrets: check the permissions and the address"

Item = Record | Gap | Note


class Judge(Protocol):
    """Turns a record into the status of the secret and its findings."""

    def __call__(self, record: Record, backend: str) -> tuple[Status, Sequence[Finding]]: ...


class BackendResult:
    """What one backend has returned so far. Its thread fills it; after `close` it does not change.

    `store` is the beginning of its canonical IDs. Each record is judged immediately and then
    dropped. `keep`: records are kept until the backend was read completely, for `--resume`.
    `classes`: only secrets of these classes are kept, all if it is empty.
    """

    def __init__(
        self,
        settings: Settings,
        store: str,
        judge: Judge,
        *,
        keep: bool,
        classes: Collection[str] = (),
    ) -> None:
        self.settings = settings
        self.store = store
        self.secrets: dict[str, Status] = {}
        self.findings: list[Finding] = []
        self.records: dict[str, Record] = {}
        self.value_marks: dict[str, ValueMark] = {}
        self.gaps: list[Gap] = []
        self.notes: list[Note] = []
        self.ended = False
        self._judge = judge
        self._keep = keep
        self._classes = classes
        self._other_classes: set[str] = set()
        self._closed = False
        self._lock = threading.Lock()

    @property
    def complete(self) -> bool:
        return self.ended and not self.gaps

    def hides(self, name: str) -> bool:
        """Could this secret exist although the backend did not return it?

        `name` is its canonical ID, with `#key` for one of its keys.
        """
        name, has_key, _ = name.partition("#")
        if name in self._other_classes:
            return True
        if name in self.secrets and not has_key:
            return False
        if "*" in name:  # a part of the ID is unknown
            return not self.complete
        return not self.ended or self._unread.hides(name)

    def leaves_open(self, name: str, rule: str) -> bool:
        """Could an earlier finding of this rule about the secret still be true?"""
        if self.hides(name):
            return True
        status = self.secrets.get(name)
        return status is not None and self._unread.leaves_open(name, rule, status.verdict)

    @cached_property
    def _unread(self) -> Unread:
        return Unread(gap.path for gap in self.gaps)

    def mask(self) -> None:
        """Mask names and texts, because they come from the store and may contain a secret.

        Call it from one thread: masking is not thread-safe.
        """
        for name in [name for name in self.secrets if masked_id(name) != name]:
            shown = masked_id(name)
            self.secrets[shown] = self.secrets.pop(name)._replace(id=shown)
            self.records.pop(name, None)  # a masked name cannot be found again
            self.value_marks.pop(name, None)
        self.findings = [*identify(map(masked_finding, self.findings))]
        self.gaps = [*map(masked_gap, self.gaps)]
        self.notes = [*map(masked_note, self.notes)]

    def fill(self, backend: Backend) -> None:
        """Read the backend to the end. An exception, which should not happen, becomes a Gap."""
        try:
            for item in self._items(backend):
                if not self._take(item):
                    return
        except Exception as error:  # noqa: BLE001 - the other backends are still read
            self._take(self._gap("internal-error", _place(error)))
        finally:
            backend.close()
        self.ended = True
        if self.complete:
            self.records.clear()

    def close(self, why: str = "") -> None:
        """Accept nothing more. With `why`, add a Gap that gives this reason."""
        with self._lock:
            self._closed = True
            if why:
                self.gaps.append(self._gap("timeout", why))

    def _items(self, backend: Backend) -> Iterator[Item]:
        yield from backend.read()
        if not (self.secrets or self._other_classes or self.gaps):
            yield self._gap("no-secrets", _NO_SECRETS)
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
            if self._classes and status.secret_class not in self._classes:
                self._other_classes.add(item.id)
                return
            self.secrets[item.id] = status
            self.findings += findings
            if self._keep:
                self._remember(item)

    def _remember(self, record: Record) -> None:
        self.records[record.id] = record
        if record.value_mark:
            self.value_marks[record.id] = record.value_mark


def _place(error: Exception) -> str:
    """The type of the error and its place in the source. Its text may contain a token."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    file = os.path.basename(trace.tb_frame.f_code.co_filename) if trace else ""
    line = trace.tb_lineno if trace else 0
    return f"{type(error).__name__} at {file}:{line}: a defect in keywatch, please report it"


def read_backends(
    results: Sequence[BackendResult], backends: Sequence[Backend], progress: Progress
) -> None:
    """Read all backends at the same time, until each one has ended or timed out.

    A thread that hangs, for example in name resolution, delays nothing: it ends with the process.
    """
    begun = time.monotonic()
    threads = [
        threading.Thread(target=result.fill, args=(backend,), daemon=True)
        for result, backend in zip(results, backends, strict=True)
    ]
    for thread in threads:
        thread.start()
    try:
        for result, thread in zip(results, threads, strict=True):
            timeout = result.settings.timeout
            end = begun + timeout + _SLACK
            while thread.is_alive() and time.monotonic() < end:
                thread.join(min(_SHOWN_EVERY, end - time.monotonic()))
                progress.at(sum(len(each.secrets) for each in results))
            if thread.is_alive():
                result.close(f"it did not end within {timeout:g} seconds")
    finally:
        progress.clear()
        for result in results:
            result.close()
            result.mask()
        # Not `is_alive`: after an interrupted join, Python counts a thread as ended.
        ended = [each.ended for each in results]
        _log_out([each for each, done in zip(backends, ended, strict=True) if not done])


def _log_out(backends: Sequence[Backend]) -> None:
    """End the logins of backends that are still being read: after a time limit or an interrupt.

    Each one in a thread, because a server that does not answer must not delay the others.
    """
    threads = [threading.Thread(target=backend.close, daemon=True) for backend in backends]
    for thread in threads:
        thread.start()
    end = time.monotonic() + _SECONDS_TO_CLOSE
    for thread in threads:
        thread.join(max(0, end - time.monotonic()))
