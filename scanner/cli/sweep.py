"""The command line: run detection over a Source. Joins inputs and detect by passing values.

Shared by every verb that needs to know what is in the files.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from scanner import config, globs, pool
from scanner.cli.inputs import Selection
from scanner.cli.terminal import Io
from scanner.detect import matcher, rulebook
from scanner.detect.engine import Engine, patterns
from scanner.detect.rulebook import Rulebook
from scanner.errors import UsageError
from scanner.inputs.interface import Blob, Source
from scanner.model import Gap, Observation, Skip


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


@dataclass(slots=True)
class Swept:
    """What was seen, in no order: the judge sorts. `files` and `size` count what was read."""

    observations: list[Observation] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    files: int = 0
    size: int = 0

    def add(self, other: Swept) -> None:
        self.observations += other.observations
        self.skips += other.skips
        self.gaps += other.gaps
        self.files += other.files
        self.size += other.size


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that a worker process needs to scan: called once in each, it gives the task."""

    source: Source
    rulebook: Rulebook
    matcher: str
    most: int
    cache_folder: str | None

    def __call__(self) -> Task:
        looked_for = patterns(self.rulebook)
        engine = Engine(
            self.rulebook,
            matcher.build(self.matcher, looked_for, self.rulebook.key, self.cache_folder),
        )
        return Task(self.source, engine, self.most)


@dataclass(frozen=True, slots=True)
class Task:
    """Reads and scans a batch of paths."""

    source: Source
    engine: Engine
    most: int

    def __call__(self, paths: Sequence[str]) -> Swept:
        swept = Swept()
        names = {
            paths[i]: self.engine.observe_name(paths[i]) for i in self.engine.name_hits(paths)
        }
        for path in paths:
            name = names.get(path)
            if name and name.findings:
                swept.observations.append(name)
            self._one(path, name.path if name else path, swept)
        return swept

    def _one(self, path: str, shown: str, swept: Swept) -> None:
        got = self.source.read(path, self.most)
        if isinstance(got, Skip):
            swept.skips.append(replace(got, path=shown))
        elif isinstance(got, Gap):
            swept.gaps.append(replace(got, path=shown))
        else:
            self._scan(got, shown, swept)

    def _scan(self, blob: Blob, shown: str, swept: Swept) -> None:
        try:
            seen = self.engine.observe(shown, blob.chunks, blob.size)
        except OSError as error:
            reason = error.strerror or "it could not be read to its end"
            swept.gaps.append(Gap(kind="unreadable", path=shown, reason=reason))
            return
        swept.files += 1
        swept.size += blob.size
        if seen.findings or seen.comments or seen.notes or seen.gaps:
            swept.observations.append(seen)


def load_rules(
    args: argparse.Namespace, io: Io, selection: Selection, cache_folder: str | None
) -> Rulebook:
    """The shipped rules, those of keywatch.yaml and of --rules, without the disabled ones."""
    extra = [_rule_file(os.path.join(io.cwd, path), path) for path in args.rules]
    if selection.config.has_rules and selection.config_data is not None:
        where = selection.config_name
        extra.append(rulebook.Source(where, selection.config_data, part=True))
    book = rulebook.load(extra, cache_folder=cache_folder)
    for rule in selection.config.disable_rules:
        if rule not in book.infos:
            raise rulebook.rule_error(rule, tuple(book.infos))
    return book.without(selection.config.disable_rules)


def sweep(
    args: argparse.Namespace,
    io: Io,
    selection: Selection,
    book: Rulebook,
    cache_folder: str | None,
) -> Swept:
    """Scan all that the selection holds."""
    excluded = globs.matcher(selection.exclude)
    listed = selection.source.paths()
    wanted = [path for path in listed if not excluded(path)]
    swept = Swept(skips=[Skip(kind="excluded", path=p) for p in listed if excluded(p)])
    recipe = Recipe(
        selection.source, book, args.matcher, selection.config.max_file_size, cache_folder
    )
    progress = _Progress(io, len(wanted))
    for result in pool.run(recipe, wanted):
        if isinstance(result, pool.Lost):
            reason = "the worker process that read it ended too early (out of memory?)"
            swept.gaps += (Gap(kind="worker-lost", path=path, reason=reason) for path in result.items)
        else:
            swept.add(result)
        progress.at(swept.files + len(swept.skips) + len(swept.gaps))
    progress.clear()
    return swept


def _rule_file(path: str, given: str) -> rulebook.Source:
    try:
        with open(path, "rb") as file:
            return rulebook.Source(given, file.read())
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
