"""Explain one line: what looked at it, what each value was taken for, why it was kept or refused.

  keywatch explain FILE:LINE           all that there is to say of the line
  keywatch explain FILE:LINE:COLUMN    of what stands there; scan prints places so

Rules, policy and baselines are those of `keywatch scan FILE`; values are masked. What only a scan
of the whole repository tells, such as a variable that nothing declares, is not part of it.
Exit codes: 0 explained, 2 there is no such file or line, 3 the file could not be read.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from scanner import cache, globs
from scanner.cli import scan
from scanner.console import Io, moment
from scanner.detect.detector import NOTHING
from scanner.detect.explain.explainer import Explainer
from scanner.detect.explain.model import Explained
from scanner.document import nearest
from scanner.errors import ExitCode, UsageError
from scanner.explain import text
from scanner.explain.text import Answer
from scanner.inputs.interface import Blob
from scanner.masking import masked
from scanner.model import MEMBER, Confidence, Finding, Gap, Outcome, Skip, SkipKind
from scanner.scan import baselines, commits, files, sources
from scanner.scan.files import Plan, Swept

_PLACE = re.compile(r"(?s)(?P<file>.+?):(?P<line>\d{1,9})(?::(?P<column>\d{1,9}))?")


class Place(NamedTuple):
    """What is asked for. `column` is 0 where it is all of the line."""

    file: str
    line: int
    column: int = 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "place", metavar="FILE:LINE", help="as scan prints it, with or without :COLUMN"
    )
    group = parser.add_argument_group("what to read")
    group.add_argument("--staged", action="store_true", help="the file's bytes in git's index")
    group.add_argument(
        "--config",
        type=sources.given_path,
        metavar="FILE",
        help="the policy, instead of the repository's keywatch.yaml",
    )
    files.add_arguments(parser)
    baselines.add_arguments(parser)
    parser.add_argument("--now", metavar="TIME", help="judge as of this time (ISO 8601)")
    parser.set_defaults(
        stdin=False,
        stdin_name=None,
        no_git=False,
        archives=False,
        exclude=[],
        or_work_tree=False,
        min_confidence="low",
        **commits.NOT_ASKED,
    )


def run(args: argparse.Namespace, io: Io) -> int:
    place = _place(args.place, io.cwd)
    if not args.staged:
        _demand_file(place, io.cwd)
    args.paths = [place.file]
    plan = files.plan(args, io, sources.select(args, io, cache.folder()))
    path = _listed(plan, place)
    reason = _excluded(plan, path)
    got = (
        Skip(SkipKind.EXCLUDED, path) if reason else plan.recipe.source.read(path, plan.recipe.most)
    )
    if isinstance(got, Blob):
        answer = _explained(args, plan, got, place)
    else:
        answer = Answer(masked(place.file), place.line, unread=reason or _unread(got))
    io.write(text.text(answer, color=io.color, width=io.width))
    return ExitCode.INCOMPLETE if isinstance(got, Gap) else ExitCode.CLEAN


def _place(given: str, cwd: str) -> Place:
    """UsageError for what names no line. A colon may be a part of the file's name."""
    write = "write FILE:LINE, as in src/app.py:12"
    found = _PLACE.fullmatch(given)
    if not found:
        raise UsageError(f"{given} names no line of a file", todo=write)
    file, line, column = found["file"], int(found["line"]), int(found["column"] or 0)
    longer = f"{file}:{found['line']}"
    if found["column"] and os.path.lexists(os.path.join(cwd, longer)):
        file, line, column = longer, column, 0
    if not line or found["column"] == "0":
        raise UsageError(f"{given} names no line of a file", why="they count from 1", todo=write)
    return Place(file, line, column)


def _demand_file(place: Place, cwd: str) -> None:
    """UsageError where there is none, with the nearest name that there is."""
    path = os.path.join(cwd, place.file)
    if os.path.isdir(path):
        raise UsageError(f"{place.file} is a folder", todo="name a file in it")
    if os.path.exists(path):
        return
    folder, name = os.path.split(path)
    others = set(os.listdir(folder)) - {name} if os.path.isdir(folder) else ()
    why = "it is a link to nothing" if os.path.islink(path) else ""
    if MEMBER in place.file:
        why = "members of archives are not explained where they lie: take the file out"
    raise UsageError(
        f"there is no file {place.file}",
        why=why,
        todo=nearest(name, sorted(others)) or "check the path",
    )


def _listed(plan: Plan, place: Place) -> str:
    """The file's path in its input."""
    paths = plan.selection.source.paths()
    if len(paths) == 1:
        return paths[0]
    raise UsageError(
        f"nothing of {place.file} is staged",
        why="--staged reads what the next commit would change",
        todo="leave out --staged, or git add the file",
    )


def _excluded(plan: Plan, path: str) -> str:
    covers = (glob for glob in plan.selection.exclude if globs.matcher([glob])(path))
    glob = next(covers, None)
    return f"{glob!r} of scan.exclude in {plan.selection.config_name} leaves it out" if glob else ""


def _unread(got: Skip | Gap) -> str:
    if isinstance(got, Gap):
        return f"it could not be read: {got.reason}"
    return text.SKIPPED.get(got.kind, got.kind)


def _explained(args: argparse.Namespace, plan: Plan, blob: Blob, place: Place) -> Answer:
    recipe = plan.recipe
    explainer = Explainer(recipe.book, place.line, place.column)
    detector = recipe.detector(explainer)
    name = detector.names((blob.path,)).get(blob.path, NOTHING)
    shown = name.seen.path if name.seen else blob.path
    lines = _Lines(blob.chunks)
    seen = detector.observe(shown, lines, blob.size, name.called)
    if place.line > lines.count:
        raise UsageError(
            f"{place.file} has no line {place.line:,}",
            why=f"its last one is {lines.count:,}" if lines.count else "it is empty",
            todo="name a line that it has",
        )
    swept = Swept()
    swept.observations += [seen] if seen else []
    outcome = scan.judged(args, plan, swept, moment(args.now), Confidence.LOW)
    explained = explainer.explained(seen.findings if seen else ())
    return Answer(
        masked(place.file),
        place.line,
        column=place.column,
        path=shown,
        rules=recipe.book.active,
        disabled=tuple(plan.selection.config.disable_rules),
        explained=explained,
        outcome=_of_place(outcome, place, explained),
        least=plan.selection.config.min_confidence or Confidence.LOW,
    )


def _of_place(outcome: Outcome, place: Place, explained: Explained) -> Outcome:
    """What a scan says of the line, or of the values in the column, alone."""
    told = {(each.line, each.column) for each in explained.considered}

    def is_here(finding: Finding) -> bool:
        at = finding.location
        is_asked = not place.column and at.line <= place.line <= at.end_line
        return is_asked or (at.line, at.column) in told

    return outcome._replace(
        findings=tuple(filter(is_here, outcome.findings)),
        suppressed=tuple(each for each in outcome.suppressed if is_here(each.finding)),
        notes=tuple(each for each in outcome.notes if each.line in (0, place.line)),
    )


class _Lines:
    """The chunks of a file, whose lines are counted as they pass."""

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
