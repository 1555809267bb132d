"""Replace literal secrets in configuration files with references."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from scanner.console import Console
from scanner.detect import fixes
from scanner.detect.fixes import FixedFile, Hunk, Unfixed, VariableNames
from scanner.errors import KeywatchError, OutputError
from scanner.fix import replace_file
from scanner.fix.text import File
from scanner.inputs.folder import Folder
from scanner.inputs.interface import Blob
from scanner.model import Finding, Outcome, RuleInfo
from scanner.scan import plan as planning
from scanner.scan import work_tree
from scanner.scan.plan import ScanPlan
from scanner.scan.request import ScanRequest
from scanner.scan.result import ScanResult
from scanner.scan.run import judge

EXAMPLE = ".env.example"
# Rules about values that say how to fix the value and not how to revoke it.
_VALUES_TOO = ("command-", "piped-", "kubernetes-secret-manifest")


class FixResult(NamedTuple):
    """The changed files, the findings that stay with the reasons, and the judged scan.

    `revokes` maps each rule to its advice on revoking the old value.
    """

    files: Sequence[File]
    left: Sequence[Unfixed]
    revokes: Mapping[str, str]
    outcome: Outcome


def fix(
    request: ScanRequest, console: Console, now: datetime, *, write: bool, covered: bool
) -> FixResult:
    """Scan, and replace each literal with a reference in its file's own syntax.

    Files change only if `write`. With `covered`, findings that an exception or a baseline covers
    are replaced, too. OutputError if .env.example cannot be written.
    """
    plan = planning.make(request, console)
    plan = plan._replace(workers=plan.workers._replace(archives=False))
    outcome = judge(plan, work_tree.scan(plan, console), now)
    found, left = _sorted_out(plan, outcome, covered=covered)
    files, stays = _fixed(plan, found)
    left += stays
    if write:
        files, failed = _written(plan.selection.source.root, files)
        left += failed
    revokes = {rule: info.revoke for rule, info in plan.workers.rulebook.infos.items()}
    return FixResult(files, left, revokes, outcome)


def _sorted_out(
    plan: ScanPlan, outcome: Outcome, *, covered: bool
) -> tuple[Mapping[str, list[Finding]], list[Unfixed]]:
    """Findings about values by file, and all other findings with their rule's advice."""
    infos = plan.workers.rulebook.infos
    hidden = [each.finding for each in outcome.suppressed] if covered else []
    found: dict[str, list[Finding]] = {}
    left = []
    for finding in (*outcome.findings, *hidden):
        info = infos.get(finding.rule)  # the judge's own rules, and whole-tree ones, have none
        if info and info.fix and _is_no_value(info):
            left.append(Unfixed(finding, info.fix))
        elif info:
            found.setdefault(finding.location.path, []).append(finding)
    return dict(sorted(found.items())), left


def _is_no_value(info: RuleInfo) -> bool:
    """Is the rule about something other than a value that can be revoked?"""
    if info.revoke or info.id.startswith(_VALUES_TOO):
        return info.id == "config-malformed-template"
    return True


def _fixed(
    plan: ScanPlan, found: Mapping[str, Sequence[Finding]]
) -> tuple[list[File], list[Unfixed]]:
    """The changed files, .env.example last, and the findings that stay."""
    root, max_size = plan.selection.source.root, plan.workers.max_size
    memory = _MemorySource(root)
    scan = plan.workers._replace(source=memory).scan_function()
    files: list[File] = []
    left: list[Unfixed] = []
    variables = VariableNames()
    for path, findings in found.items():
        data, reason = _text(root, path, max_size)
        if data is None:
            left += (Unfixed(finding, reason) for finding in findings)
            continue
        fixed = fixes.fix(path, data, findings, memory.observer(path, scan), variables)
        left += fixed.unfixed
        if fixed.replaced:
            files.append(File(path, data, fixed))
    names = {each.variable for file in files for each in file.fixed.replaced}
    example = _example(root, names | {each.variable for each in left})
    return [*files, *example], left


class _MemorySource:
    """A source with one file in memory."""

    whole_tree = False

    def __init__(self, root: str) -> None:
        self.root = root
        self._data = b""

    def paths(self) -> Sequence[str]:
        return ()

    def read(self, path: str, most: int) -> Blob:  # noqa: ARG002 - a Source's
        return Blob(path=path, size=len(self._data), chunks=(self._data,))

    def open(self, path: str, most: int) -> None:  # noqa: ARG002 - a Source's
        return None

    def control(self, path: str) -> bytes | None:  # noqa: ARG002 - a Source's
        return None

    def observer(
        self, path: str, scan: Callable[[Sequence[str]], ScanResult]
    ) -> Callable[[bytes], Sequence[Finding]]:
        """A function from bytes to the findings in `path` if it had these bytes."""

        def observe(data: bytes) -> Sequence[Finding]:
            self._data = data
            return [f for each in scan([path]).observations for f in each.findings]

        return observe


def _text(root: str, path: str, most: int) -> tuple[bytes | None, str]:
    """A file's bytes, or None and the reason why it is not changed."""
    disk = Folder(root, (), use_git=False)
    got = disk.read(path, most)
    if not isinstance(got, Blob):
        name = "the file's name contains a secret, or the file is gone; fix that first"
        return None, name if got.kind == "vanished" else f"the file is not scanned ({got.kind})"
    try:
        data, stored = b"".join(got.chunks), disk.control(path)
    except (OSError, KeywatchError):
        return None, "the file cannot be read"
    return (data, "") if data == stored else (None, "the file is not in UTF-8; fix it by hand")


def _example(root: str, names: set[str]) -> Iterator[File]:
    """.env.example with these names added, unless it has them all."""
    before = Folder(root, (), use_git=False).control(EXAMPLE)
    old = before or b""
    taken = {
        m[1].decode()
        for m in re.finditer(rb"(?m)^[ \t]*(?:export[ \t]+)?(\w+)[ \t]*(?:=|\r?$)", old)
    }
    new = sorted(names - taken - {""})
    if not new:
        return
    end = b"\r\n" if b"\r\n" in old else b"\n"
    first = end if old and not old.endswith(b"\n") else b""
    added = b"".join(f"{name}=".encode() + end for name in new)
    line = old.count(b"\n") + 1 + bool(first)
    hunk = Hunk(line=line, new_line=line, old=(), new=tuple(f"{name}=" for name in new))
    yield File(EXAMPLE, before, FixedFile(old + first + added, (hunk,), (), ()))


def _written(root: str, files: Sequence[File]) -> tuple[list[File], list[Unfixed]]:
    """Write the files. Returns those that were written, and the findings of the others."""
    done: list[File] = []
    left: list[Unfixed] = []
    for file in files:
        reason = replace_file.replace(root, file.path, file.before, file.fixed.data)
        if not reason:
            done.append(file)
        elif file.path == EXAMPLE:
            raise OutputError(f"{EXAMPLE} was not written", why=reason, todo="add the names to it")
        left += (Unfixed(each.finding, reason) for each in file.fixed.replaced if reason)
    return done, left
