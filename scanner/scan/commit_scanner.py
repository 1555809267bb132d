"""Scan what commits add. This is what each worker process of a history scan runs.

Most changed files contain no candidate; the prefilter tells that in one pass over their text. Any
other file is scanned as a whole, as the commit has it, and only new findings are kept.

The benchmark `commits` is why a file is compared with its earlier version before it is scanned: the
prefilter's candidates of both (its marks) tell that a change added none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from scanner.detect.detector import NO_MARKS, NO_NAME_RESULT, Mark, NameResult
from scanner.detect.structure.file_kinds import file_kind
from scanner.file_types import scope_of
from scanner.inputs import text_encoding
from scanner.inputs.git.blob_reader import Content, Contents
from scanner.inputs.git.packs import Packs
from scanner.inputs.git.stored import Entry, Stored
from scanner.inputs.git.versions import NEAR, Lines, Version, Versions, added, around, differing
from scanner.model import AllowComment, Appearance, Finding, Gap, Observation, Skip, SkipKind
from scanner.policy import new_findings
from scanner.scan.result import ScanResult
from scanner.scan.worker import WorkerConfig

_NAMES = 20_000  # paths whose findings are cached
_AT_ONCE = 1 << 16  # versions that are sorted by path and read together
_MARKS = 50_000  # cached versions and their marks, together
Past = tuple[str, str, Finding]
"""A finding that a commit added: the commit, the path (unmasked), the finding."""
Moved = tuple[str, str, str]
"""A renamed file: the commit, the old path, the new path."""


class CommitResult:
    """What was found. `total` holds the results of the changes as a whole, `past` the findings of
    single commits, `done` the number of scanned items. `skips` and `gaps` name the item that they
    are from; for a skip, it is the first one that was read."""

    def __init__(self) -> None:
        self.done = 0
        self.total = ScanResult()
        self.skips: dict[Skip, str] = {}
        self.gaps: list[tuple[str, Gap]] = []
        self.past: list[Past] = []
        self.moved: list[Moved] = []

    def keep(self, item: str, path: str, seen: Observation) -> None:
        """Add what was found in a file.

        Of a single commit only the findings count: newer commits may have changed the rest.
        """
        if " " in item:
            marked = (each._replace(since=Appearance(item)) for each in seen.findings)
            self.total.observations.append(seen._replace(findings=tuple(marked)))
        else:
            self.past += ((item, path, finding) for finding in seen.findings)
            self.gaps += ((item, gap) for gap in seen.gaps)

    def count(self, files: int, size: int) -> None:
        self.total.files += files
        self.total.size += size

    def add(self, other: CommitResult) -> None:
        self.total.add(other.total)
        self.skips = other.skips | self.skips
        self.gaps += other.gaps
        self.past += other.past
        self.moved += other.moved


class CommitWorkerConfig(NamedTuple):
    """What a worker process needs. `packed`: there are so many commits that libgit2 reads packs."""

    root: str
    workers: WorkerConfig
    is_own: bool
    packed: bool

    def task(self) -> Callable[[Sequence[str]], CommitResult]:
        return _CommitScanner(self).look

    def scan(self, items: Sequence[str]) -> CommitResult:
        """Scan these items in this process, and end git's processes."""
        scanner = _CommitScanner(self)
        try:
            return scanner.look(items)
        finally:
            scanner.close()


class _CommitScanner:
    """Scans what commits change."""

    def __init__(self, given: CommitWorkerConfig) -> None:
        self._given = given
        self._versions = Versions(given.root)
        self._contents = Contents(given.root, Packs.opened(given.root) if given.packed else None)
        self._file = Stored(given.root, {}, contents=self._contents)
        self._files = given.workers._replace(source=self._file, alone=True).file_scanner()
        self._last = ("", ""), b"", b""  # path and id, text, bytes as stored
        self._names: dict[str, NameResult] = {}
        self._marked: dict[tuple[str, str], Counter[Mark] | None] = {}
        self._room = _MARKS

    def close(self) -> None:
        self._versions.close()
        self._contents.close()

    def look(self, items: Sequence[str]) -> CommitResult:
        result = CommitResult()
        result.done = len(items)
        changed = self._changed(items, result)
        while found := [*islice(changed, _AT_ONCE)]:
            found.sort(key=_path)  # git packs the versions of a file together
            contents = self._contents.each(
                [version.oid for _, version in found], self._files.max_size
            )
            for (item, version), data in zip(found, contents, strict=True):
                self._look_at(item, version, data, result)
        return result

    def _look_at(self, item: str, version: Version, data: Content, result: CommitResult) -> None:
        """Scan a version if it has a candidate that the file did not have before."""
        if isinstance(data, bytes) and not self._is_wanted(item, version.path):
            text = text_encoding.text(data, version.path)
            if text is not None and not self._has_new(version, text, data):
                result.count(1, len(text))
                return
        self._contents.keep(version.oid, data)
        self._scan(item, version, result)

    def _changed(self, items: Sequence[str], result: CommitResult) -> Iterator[tuple[str, Version]]:
        """The versions that must be read. Gaps are added to the result."""
        for item, got in self._all(items):
            if isinstance(got, Gap):
                result.gaps.append((item, got))
            elif self._is_to_read(item, got, result):
                yield item, got

    def _all(self, items: Sequence[str]) -> Iterator[tuple[str, Version | Gap]]:
        """What each item changes. A change as a whole is compared with all its merge bases."""
        several = [item for item in items if item.count(" ") > 1]
        others = [item for item in items if item.count(" ") < 2]
        yield from self._versions.of(others)
        for item in several:
            yield from self._versions.since_all(item)

    def _is_to_read(self, item: str, version: Version, result: CommitResult) -> bool:
        path = version.path
        if version.before and version.is_moved:
            result.moved.append((item, version.before[0][0], path))
        if (path, version.oid) in version.before:
            return False  # only its mode has changed
        if self._files.excluded(path):
            shown = self._named(path).observation
            skip = Skip(kind=SkipKind.EXCLUDED, path=shown.path if shown else path)
            result.skips.setdefault(skip, item)
            return False
        return True

    def _has_new(self, version: Version, text: bytes, data: bytes) -> bool:
        """May the version have a finding that the file did not have before?"""
        new = self._differs(version, text, data)
        if new is None:
            self._contents.keep(version.oid, data)
            new = self._are_new(self._marks(version.path, version.oid, text), version)
        if new is None:
            new = self._adds(version, text)
        return new or self._files.detector.has_long_candidate(version.path, text)

    def _differs(self, version: Version, text: bytes, data: bytes) -> bool | None:
        """Answer `_has_new` with one pass of the prefilter; None if that is not enough.

        If the version before is a parent's, only the lines that differ are compared. In a
        structured file that is not possible: any line may change what another one means.
        """
        path, oid, before = version.path, version.oid, version.before
        marks = self._files.detector.marks
        beside, last, last_data = self._last
        self._last = (path, oid), text, data
        if beside[0] != path or beside not in before or _is_structured(path):
            return None if self._files.detector.has_candidate(path, text) else False
        found = marks(path, differing(text, last), NEAR)
        if found is not None and not found:
            return False
        self._contents.keep(beside[1], last_data)
        known = marks(path, differing(last, text), NEAR)
        if found is None or known is None:
            return None
        if found <= known:
            return False
        return True if len(before) == 1 else None  # another parent may have it

    def _are_new(self, marks: Counter[Mark] | None, version: Version) -> bool | None:
        """Are some of the marks new? None if the marks cannot tell.

        In a structured file any line may change what another one means.
        """
        if marks is not None and not marks:
            return False
        if version.is_moved or file_kind(version.path).reader:
            return True
        if marks is None:
            return None
        known: Counter[Mark] = Counter()
        for oid in version.old_oids:
            before = self._marks(version.path, oid)
            if before is None:
                return None
            known |= before
        return not marks <= known

    def _marks(self, path: str, oid: str, text: bytes | None = None) -> Counter[Mark] | None:
        """The marks of a version, from the cache if possible. Binary files have none."""
        key = path, oid
        if key not in self._marked:
            text = self._text(oid) if text is None else text
            marks = NO_MARKS if text is None else self._files.detector.marks(path, text, NEAR)
            self._room -= 1 + len(marks or ())
            if self._room < 0:
                self._marked.clear()
                self._room = _MARKS
            self._marked[key] = marks
        return self._marked[key]

    def _adds(self, version: Version, text: bytes) -> bool:
        """Is there a candidate in the lines that no parent has, or near them?"""
        near = around(text, added(text, [*self._before(version)]))
        return self._files.detector.has_candidate(version.path, near)

    def _is_wanted(self, item: str, path: str) -> bool:
        """Must the file be scanned, whatever it contains?

        Yes if its name is a finding, or if it is a structured file in a change as a whole: any
        line may change what another one means.
        """
        return self._named(path) != NO_NAME_RESULT or bool(" " in item and file_kind(path).reader)

    def _before(self, version: Version) -> Iterator[bytes]:
        """The file's texts in the parents."""
        texts = map(self._text, version.old_oids)
        return (text for text in texts if text is not None)

    def _text(self, oid: str) -> bytes | None:
        """The content of a file as text; None if it is binary."""
        return self._contents.text(oid, self._files.max_size)

    def _named(self, path: str) -> NameResult:
        if path not in self._names:
            if len(self._names) >= _NAMES:
                self._names.clear()
            self._names[path] = self._files.detector.names((path,)).get(path, NO_NAME_RESULT)
        return self._names[path]

    def _scan(self, item: str, version: Version, result: CommitResult) -> None:
        """Scan the whole file and keep what is new in it."""
        got = self._seen(version.path, version.mode, version.oid)
        name = self._named(version.path).observation
        lines = self._lines(version) if got.observations or got.secret_files else ()
        for each in got.observations:
            if each != name:
                result.keep(item, version.path, self._new(each, lines, version))
            elif version.is_moved:
                result.keep(item, version.path, self._new(each, (), version))
        for skip in got.skips:
            result.skips.setdefault(skip, item)
        result.gaps += ((item, gap) for gap in got.gaps)
        result.count(got.files, got.size)
        if " " in item:
            result.total.secret_files += (
                each for each in got.secret_files if new_findings.touches(each.location, lines)
            )

    def _lines(self, version: Version) -> Lines | None:
        """The new lines; None if the file is binary, so that all of it is new."""
        text = self._text(version.oid)
        return None if text is None else added(text, [*self._before(version)])

    def _new(self, seen: Observation, lines: new_findings.Lines, version: Version) -> Observation:
        """Reduce what was found in a file to what the change adds."""
        old: list[Finding] = []
        if not all(new_findings.touches(each.location, lines) for each in seen.findings):
            for path, oid in version.before:
                for each in self._seen(path, version.mode, oid).observations:
                    old += each.findings
        comments, loosened = new_findings.comments(
            seen.comments, () if self._given.is_own else lines
        )
        return seen._replace(
            findings=(
                *new_findings.new_findings(seen.findings, lines, new_findings.known(old)),
                *(_weakened(loosened) if loosened else ()),
            ),
            comments=comments,
            notes=new_findings.notes(seen.notes, lines),
        )

    def _seen(self, path: str, mode: str, oid: str) -> ScanResult:
        """Scan one version of a file."""
        self._file.entries = {path: Entry(mode, oid)}
        return self._files.scan((path,))


def _is_structured(path: str) -> bool:
    """Is it a file that a structured reader parses? The scope answers faster for most files."""
    return scope_of(path) != "code" and bool(file_kind(path).reader)


def _path(found: tuple[str, Version]) -> str:
    return found[1].path


def _weakened(loosened: Sequence[AllowComment]) -> Sequence[Finding]:
    from scanner.fingerprints import identify
    from scanner.masking import masked_finding
    from scanner.policy.exceptions.weakening import of_comment

    return identify(map(masked_finding, map(of_comment, loosened)))
