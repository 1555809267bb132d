"""The command line: run detection over a Source. Joins inputs and detect by passing values.

Shared by every verb that needs to know what is in the files.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from scanner import globs, pool
from scanner.cli import debt
from scanner.cli.debt import Debt
from scanner.cli.inputs import Selection
from scanner.cli.masking import masked
from scanner.cli.terminal import Io
from scanner.detect import matcher, rulebook
from scanner.detect.detector import Detector, patterns, patterns_key
from scanner.detect.rulebook import Rulebook
from scanner.errors import UsageError
from scanner.inputs.interface import Blob, Source
from scanner.model import Gap, Observation, Skip

if TYPE_CHECKING:
    from scanner.detect.classic import ClassicSettings
    from scanner.detect.rules import Source as RuleFile


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how to look")
    group.add_argument(
        "--rules", action="append", default=[], metavar="FILE", help="rules of your own; repeatable"
    )
    group.add_argument(
        "--matcher",
        choices=("auto", "hyperscan", "re"),
        default="auto",
        help="the engine of the one pass; re is slower and needs nothing compiled",
    )


class Swept:
    """What was seen, in no order: the judge sorts. `files` and `size` count what was read."""

    def __init__(self) -> None:
        self.observations: list[Observation] = []
        self.skips: list[Skip] = []
        self.gaps: list[Gap] = []
        self.files = 0
        self.size = 0

    @property
    def is_clean(self) -> bool:
        return not (self.observations or self.gaps)

    def add(self, other: Swept) -> None:
        self.observations += other.observations
        self.skips += other.skips
        self.gaps += other.gaps
        self.files += other.files
        self.size += other.size


class Recipe(NamedTuple):
    """All that a worker process needs to scan: called once in each, it gives the task."""

    source: Source
    book: Rulebook
    matcher: str
    most: int
    cache_folder: str | None
    settings: ClassicSettings | None
    exclude: tuple[str, ...]

    def task(self) -> Callable[[Sequence[str]], Swept]:
        ready = matcher.build(
            self.matcher,
            lambda: patterns(self.book, self.settings),
            patterns_key(self.book, self.settings),
            self.cache_folder,
        )
        detector = Detector(self.book, ready, self.settings)
        return Task(self.source, detector, self.most, globs.matcher(self.exclude)).scan


class Task(NamedTuple):
    """Reads and scans a batch of paths."""

    source: Source
    detector: Detector
    most: int
    excluded: Callable[[str], bool]

    def scan(self, paths: Sequence[str]) -> Swept:
        swept = Swept()
        names = self.detector.observe_names(paths)
        for path in paths:
            shown = names[path].path if path in names else path
            if self.excluded(path):
                swept.skips.append(Skip(kind="excluded", path=shown))
                continue
            if path in names:
                swept.observations.append(names[path])
            self._one(path, shown, swept)
        return swept

    def _one(self, path: str, shown: str, swept: Swept) -> None:
        got = self.source.read(path, self.most)
        if isinstance(got, Skip):
            swept.skips.append(got._replace(path=shown))
        elif isinstance(got, Gap):
            swept.gaps.append(got._replace(path=shown))
        else:
            self._scan(got, shown, swept)

    def _scan(self, blob: Blob, shown: str, swept: Swept) -> None:
        try:
            seen = self.detector.observe(shown, blob.chunks, blob.size)
        except OSError as error:
            reason = error.strerror or "it could not be read to its end"
            swept.gaps.append(Gap(kind="unreadable", path=shown, reason=reason))
            return
        except Exception as error:  # noqa: BLE001 - one odd file must not hide what is in the others
            swept.gaps.append(Gap(kind="internal", path=shown, reason=_defect(error)))
            return
        swept.files += 1
        swept.size += blob.size
        if seen:
            swept.observations.append(seen)


def _defect(error: Exception) -> str:
    """The kind and the place of an internal error, never its text, which may quote the file."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace else "unknown"
    return f"a defect of keywatch, {type(error).__name__} in {place}: please report it"


class Plan(NamedTuple):
    """A scan, decided: what is read, with which rules, and what is known already."""

    selection: Selection
    owed: Debt
    recipe: Recipe


def plan(args: argparse.Namespace, io: Io, selection: Selection) -> Plan:
    """What the arguments and the repository's own files ask for, ready to be run."""
    folder = selection.cache_folder
    owed = debt.read(args, io, selection)
    recipe = Recipe(
        source=selection.source,
        book=_rules(args, io, selection, folder),
        matcher=args.matcher,
        most=selection.config.max_file_size,
        cache_folder=folder,
        settings=owed.settings,
        exclude=selection.exclude,
    )
    return Plan(selection, owed, recipe)


def _rules(
    args: argparse.Namespace, io: Io, selection: Selection, cache_folder: str | None
) -> Rulebook:
    """The shipped rules, those of keywatch.yaml and of --rules, without the disabled ones."""
    extra = [_rule_file(os.path.join(io.cwd, path), path) for path in args.rules]
    if selection.config.has_rules and selection.config_data is not None:
        from scanner.detect.rules import Source as RuleFile

        where = selection.config_name
        extra.append(RuleFile(where, selection.config_data, part=True))
    return rulebook.load(extra, disabled=selection.config.disable_rules, cache_folder=cache_folder)


def sweep(ready: Plan, io: Io) -> Swept:
    """Scan all that was selected."""
    listed = ready.selection.source.paths()
    swept = Swept()
    progress = _Progress(io, len(listed))
    for result in pool.run(ready.recipe.task, listed):
        if isinstance(result, pool.Lost):
            reason = "the worker process that read it ended too early (out of memory?)"
            swept.gaps += (
                Gap(kind="worker-lost", path=masked(path), reason=reason) for path in result.items
            )
        else:
            swept.add(result)
        progress.at(swept.files + len(swept.skips) + len(swept.gaps))
    progress.clear()
    return swept


def _rule_file(path: str, given: str) -> RuleFile:
    from scanner.detect.rules import Source as RuleFile

    try:
        with open(path, "rb") as file:
            return RuleFile(given, file.read())
    except OSError as error:
        raise UsageError(f"--rules {given} cannot be read", why=error.strerror or "") from None


class _Progress:
    """One line on a terminal, for what takes over a second."""

    def __init__(self, io: Io, total: int) -> None:
        self._io = io
        self._total = total
        self._next = time.monotonic() + 1 if io.err.isatty() else float("inf")
        self._shown = False

    def at(self, done: int) -> None:
        if time.monotonic() >= self._next:
            self._io.err.write(f"\r\x1b[Kkeywatch: {done:,} of {self._total:,} files")
            self._io.err.flush()
            self._next = time.monotonic() + 0.1
            self._shown = True

    def clear(self) -> None:
        if self._shown:
            self._io.err.write("\r\x1b[K")
