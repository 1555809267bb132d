"""Explain one line of a file: what looked at it, and what became of each value on it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from scanner import globs
from scanner.console import Console
from scanner.detect.detector import NO_NAME_RESULT
from scanner.detect.explain.explainer import Explainer
from scanner.detect.explain.model import Explanation
from scanner.document import nearest
from scanner.errors import UsageError
from scanner.explain import text
from scanner.explain.text import Answer
from scanner.inputs.interface import Blob
from scanner.masking import masked
from scanner.model import MEMBER, Confidence, Finding, Gap, Outcome, Skip
from scanner.scan import plan as planning
from scanner.scan.plan import ScanPlan
from scanner.scan.request import ScanRequest
from scanner.scan.result import ScanResult
from scanner.scan.run import judge


class Line(NamedTuple):
    """The line to explain. `column` is 0 for the whole line."""

    file: str
    line: int
    column: int = 0


def explain(line: Line, request: ScanRequest, console: Console, now: datetime) -> Answer:
    """What a scan of the request's file says about one of its lines.

    UsageError if there is no such file or line.
    """
    if not request.staged:
        _demand_file(line, console.cwd)
    plan = planning.make(request._replace(paths=(line.file,)), console)
    path = _listed(plan, line)
    reason = _excluded(plan, path)
    if reason:
        return Answer(masked(line.file), line.line, unread=reason)
    content = plan.workers.source.read(path, plan.workers.max_size)
    if isinstance(content, Blob):
        return _explained(plan, content, line, now)
    unread = _unread(content)
    return Answer(masked(line.file), line.line, unread=unread, incomplete=isinstance(content, Gap))


def _demand_file(line: Line, cwd: str) -> None:
    """UsageError if the file does not exist, with the nearest name that does."""
    path = os.path.join(cwd, line.file)
    if os.path.isdir(path):
        raise UsageError(f"{line.file} is a folder", todo="name a file in it")
    if os.path.exists(path):
        return
    folder, name = os.path.split(path)
    others = set(os.listdir(folder)) - {name} if os.path.isdir(folder) else ()
    why = "it is a broken link" if os.path.islink(path) else ""
    if MEMBER in line.file:
        why = "files inside archives cannot be explained; extract the file first"
    raise UsageError(
        f"{line.file} does not exist",
        why=why,
        todo=nearest(name, sorted(others)) or "check the path",
    )


def _listed(plan: ScanPlan, line: Line) -> str:
    """The file's path in the scanned source."""
    paths = plan.selection.source.paths()
    if len(paths) == 1:
        return paths[0]
    raise UsageError(
        f"{line.file} has no staged changes",
        why="--staged reads what the next commit would change",
        todo="leave out --staged, or git add the file",
    )


def _excluded(plan: ScanPlan, path: str) -> str:
    covers = (glob for glob in plan.selection.exclude if globs.matcher([glob])(path))
    glob = next(covers, None)
    return f"{glob!r} of scan.exclude in {plan.selection.config_name} excludes it" if glob else ""


def _unread(got: Skip | Gap) -> str:
    if isinstance(got, Gap):
        return f"it could not be read: {got.reason}"
    return text.SKIPPED.get(got.kind, got.kind)


def _explained(plan: ScanPlan, blob: Blob, line: Line, now: datetime) -> Answer:
    workers = plan.workers
    explainer = Explainer(workers.rulebook, line.line, line.column)
    detector = workers.detector(explainer)
    name = detector.names((blob.path,)).get(blob.path, NO_NAME_RESULT)
    shown = name.observation.path if name.observation else blob.path
    lines = _Lines(blob.chunks)
    seen = detector.observe(shown, lines, blob.size, name.rules)
    if line.line > lines.count:
        raise UsageError(
            f"{line.file} has no line {line.line:,}",
            why=f"its last line is {lines.count:,}" if lines.count else "it is empty",
            todo="name an existing line",
        )
    result = ScanResult()
    result.observations += [seen] if seen else []
    outcome = judge(plan, result, now)
    explained = explainer.explained(seen.findings if seen else ())
    return Answer(
        masked(line.file),
        line.line,
        column=line.column,
        path=shown,
        rules=workers.rulebook.active,
        disabled=tuple(plan.selection.config.disable_rules),
        explained=explained,
        outcome=_on_line(outcome, line, explained),
        least=plan.selection.config.min_confidence or Confidence.LOW,
    )


def _on_line(outcome: Outcome, line: Line, explained: Explanation) -> Outcome:
    """The part of an outcome that is about the line, or about the values at its column."""
    considered = {(each.line, each.column) for each in explained.values}

    def is_here(finding: Finding) -> bool:
        place = finding.location
        on_line = not line.column and place.line <= line.line <= place.end_line
        return on_line or (place.line, place.column) in considered

    return outcome._replace(
        findings=tuple(filter(is_here, outcome.findings)),
        suppressed=tuple(each for each in outcome.suppressed if is_here(each.finding)),
        notes=tuple(each for each in outcome.notes if each.line in (0, line.line)),
    )


class _Lines:
    """The chunks of a file. Counts its lines while they are read."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self.count = 0

    def __iter__(self) -> Iterator[bytes]:
        last = b"\n"
        for chunk in self._chunks:
            self.count += chunk.count(b"\n")
            last = chunk[-1:] or last
            yield chunk
        self.count += last != b"\n"
