"""The command line: run detection over a Source. Joins inputs and detect by passing values.

Shared by every verb that needs to know what is in the files.
"""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from scanner import cache, globs, pool
from scanner.console import Io
from scanner.detect.detector import NOTHING, SCOPES, Detector, Named, matcher_for
from scanner.detect.prefilter.matcher import NAME
from scanner.detect.prefilter.scopes import scope_of
from scanner.detect.rules import rulebook
from scanner.detect.rules.rulebook import Rulebook
from scanner.errors import UsageError
from scanner.inputs.interface import Blob, Source
from scanner.masking import masked
from scanner.model import MEMBER, Gap, Observation, Reference, Skip
from scanner.scan import baselines, sources
from scanner.scan.baselines import Debt
from scanner.scan.sources import Selection, in_commit

if TYPE_CHECKING:
    from scanner.detect.detect_secrets import DetectSecretsSettings
    from scanner.detect.explain.trace import Trace
    from scanner.detect.rules.model import Source as RuleFile
    from scanner.detect.variables.collector import Watcher
    from scanner.inputs.archives.archives import Archives
    from scanner.scan.variables import Examples, Tree


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how to look")
    group.add_argument(
        "--rules",
        action="append",
        default=[],
        type=sources.given_path,
        metavar="FILE",
        help="rules of your own; repeatable",
    )
    group.add_argument(
        "--matcher",
        choices=("auto", "hyperscan", "re"),
        default="auto",
        help="the engine of the one pass; re is slower and needs nothing compiled",
    )


class Swept:
    """What was seen, in no order: the judge sorts. `files` and `size` count what was read; `uses`
    and what follows them (see scanner/detect/variables/collector.py) become observations at the
    end.

    `heavy`: paths that are left for when no other process runs. `when_delivered` is done once the
    result of a complete run has been written.
    """

    def __init__(self) -> None:
        self.observations: list[Observation] = []
        self.skips: list[Skip] = []
        self.gaps: list[Gap] = []
        self.files = 0
        self.size = 0
        self.uses: list[Reference] = []
        self.secret_files: list[Reference] = []
        self.mentioned: set[str] = set()
        self.heavy: list[str] = []
        self.when_delivered: Callable[[], None] | None = None

    @property
    def is_clean(self) -> bool:
        return not (self.observations or self.gaps)

    def add(self, other: Swept) -> None:
        self.observations += other.observations
        self.skips += other.skips
        self.gaps += other.gaps
        self.files += other.files
        self.size += other.size
        self.uses += other.uses
        self.secret_files += other.secret_files
        self.mentioned |= other.mentioned
        self.heavy += other.heavy


class Recipe(NamedTuple):
    """All that a worker process needs to scan: called once in each, it gives the task.

    `archives`: is their content scanned? `names`: the variables to look for, None where not the
    whole tree is scanned. `alone`: no other process runs, so files that take much memory are not
    left for later.
    """

    source: Source
    book: Rulebook
    matcher: str
    most: int
    cache_folder: str | None
    settings: DetectSecretsSettings | None
    exclude: tuple[str, ...]
    archives: bool = False
    names: tuple[str, ...] | None = None
    alone: bool = False

    def task(self) -> Callable[[Sequence[str]], Swept]:
        return self.worker().scan

    def worker(self) -> Task:
        detector = self.detector()
        watcher = None
        if self.names is not None:
            watcher = _watcher(self.names, self.matcher)
        excluded = globs.matcher(self.exclude)
        archives = _archives(self.source, self.most, excluded) if self.archives else None
        return Task(self.source, detector, self.most, excluded, watcher, archives, self.alone)

    def detector(self, trace: Trace | None = None) -> Detector:
        ready = _matcher(self.book, self.matcher, self.cache_folder, self.settings)
        return Detector(self.book, ready, self.settings, trace)

    def prepare(self) -> None:
        """Load what any file may ask for. Processes that are forked inherit it."""
        self.compile()
        self.detector().prepare()

    def compile(self, scopes: Callable[[], Iterable[str]] = lambda: SCOPES) -> None:
        """Where the cache is empty, as it is on a CI machine, fill it: all processors at once do
        what the first file of each scope would have to wait for."""
        folder, missing = self.cache_folder, self.detector().missing(SCOPES)
        if folder is None or not missing or not cache.keeps(folder):
            return
        wanted = sorted({*missing}.intersection(scopes()))
        if wanted[1:]:
            _ = self.book.rules  # they are compiled first, and once
            for _ in pool.run(partial(_compiler, self), wanted, most=1, patience=0):
                pass  # of a worker that was lost, the first file does it


_matcher = functools.lru_cache(maxsize=1)(matcher_for)


def _compiler(recipe: Recipe) -> Callable[[Sequence[str]], None]:
    return recipe.detector().prepare


class Task(NamedTuple):
    """Reads and scans a batch of paths."""

    source: Source
    detector: Detector
    most: int
    excluded: Callable[[str], bool]
    watcher: Watcher | None = None
    archives: Archives | None = None
    alone: bool = False

    def scan(self, paths: Sequence[str]) -> Swept:
        swept = Swept()
        names = self.detector.names(paths)
        may_be_heavy = self.detector.is_heavy(self.most) and not self.alone
        for path in paths:
            name = names.get(path, NOTHING)
            if self.excluded(path):
                swept.skips.append(Skip(kind="excluded", path=_shown(path, name)))
                continue
            if self.archives:
                swept.add(self._within(self.archives, path, name))
                continue
            got = self.source.read(path, self.most)
            if may_be_heavy and self._is_heavy(got):
                swept.heavy.append(path)
                continue
            if name.seen:
                swept.observations.append(name.seen)
            self._one(got, _shown(path, name), name.called, swept)
        return swept

    def _within(self, archives: Archives, path: str, name: Named) -> Swept:
        """What a file comes to that may be an archive: heavy, where a part of it is."""
        swept = Swept()
        if name.seen:
            swept.observations.append(name.seen)
        shown = _shown(path, name)
        try:
            for got in archives.read(path):
                if self._is_heavy(got):
                    swept = Swept()
                    swept.heavy.append(path)
                    break
                if got.path == path:
                    self._one(got, shown, name.called, swept)
                else:
                    self._member(got._replace(path=shown + got.path[len(path) :]), swept)
        except Exception as error:  # noqa: BLE001 - one odd file must not hide what is in the others
            swept.gaps.append(Gap(kind="internal", path=shown, reason=_defect(error)))
        return swept

    def _member(self, got: Blob | Skip | Gap, swept: Swept) -> None:
        name = self.detector.names((got.path,)).get(got.path, NOTHING)
        if name.seen:
            swept.observations.append(name.seen)
        self._one(got, _shown(got.path, name), name.called, swept)

    def _is_heavy(self, got: Blob | Skip | Gap) -> bool:
        return isinstance(got, Blob) and self.detector.is_heavy(got.size) and not self.alone

    def _one(self, got: Blob | Skip | Gap, shown: str, called: Sequence[int], swept: Swept) -> None:
        if isinstance(got, Skip):
            swept.skips.append(got._replace(path=shown))
        elif isinstance(got, Gap):
            swept.gaps.append(got._replace(path=shown))
        else:
            self._scan(got, shown, called, swept)

    def _scan(self, blob: Blob, shown: str, called: Sequence[int], swept: Swept) -> None:
        watcher = self.watcher
        if MEMBER in blob.path:
            watcher = None  # what is in an archive declares and uses nothing of the tree around it
        elif watcher is None and "compose" in blob.path:
            watcher = _watcher(None, "")
        text, uses = blob.chunks, None
        if watcher:  # what the text says of other files is noted as it passes
            text = watcher.over(blob.path, shown, text, swept)
            uses = partial(watcher.uses, blob.path, shown, swept)
        try:
            seen = self.detector.observe(shown, text, blob.size, called, uses)
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


def _shown(path: str, name: Named) -> str:
    return name.seen.path if name.seen else path


def _archives(source: Source, most: int, excluded: Callable[[str], bool]) -> Archives:
    from scanner.inputs.archives.archives import Archives

    return Archives(source, most, excluded)


def _watcher(names: Sequence[str] | None, engine: str) -> Watcher:
    from scanner.detect.variables.collector import Watcher

    return Watcher(names, engine)


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
    owed = baselines.read(args, io, selection)
    recipe = Recipe(
        source=selection.source,
        book=_rules(args, io, selection, folder),
        matcher=args.matcher,
        most=selection.config.max_file_size,
        cache_folder=folder,
        settings=owed.settings,
        exclude=selection.exclude,
        archives=selection.archives,
    )
    return Plan(selection, owed, recipe)


def _rules(
    args: argparse.Namespace, io: Io, selection: Selection, cache_folder: str | None
) -> Rulebook:
    """The shipped rules, those of keywatch.yaml and of --rules, without the disabled ones."""
    extra = [_rule_file(path, io, selection) for path in args.rules]
    if selection.config.has_rules and selection.config_data is not None:
        from scanner.detect.rules.model import Source as RuleFile

        where = selection.config_name
        extra.append(RuleFile(where, selection.config_data, part=True))
    disabled = selection.config.disable_rules
    if disabled:
        from scanner.policy.variables import RULE_IDS

        disabled = {rule: said for rule, said in disabled.items() if rule not in RULE_IDS}
    return rulebook.load(extra, disabled=disabled, cache_folder=cache_folder)


_LARGE = 1000  # files of a tree whose scan begins in workers at once


def sweep(ready: Plan, io: Io, meanwhile: Callable[[], object] = lambda: None) -> Swept:
    """Scan all that was selected. UsageError where that is nothing. `meanwhile` is called once
    where other processes scan, as they do it."""
    listed = ready.selection.source.paths()
    _refuse_nothing(ready.selection, listed)
    if len(listed) >= _LARGE:
        preload(ready.recipe)
    ready.recipe.compile(lambda: {NAME, *map(scope_of, listed)})
    recipe, known = _with_examples(ready, listed)
    swept = Swept()
    progress = Progress(io, len(listed))
    for result in pool.run(recipe.task, sorted(listed, key=_suffix), meanwhile):
        if isinstance(result, pool.Lost):
            reason = "the worker process that read it ended too early (out of memory?)"
            swept.gaps += (
                Gap(kind="worker-lost", path=masked(path), reason=reason) for path in result.items
            )
        else:
            swept.add(result)
        progress.at(swept.files + len(swept.skips) + len(swept.gaps))
    if swept.heavy:
        task = recipe._replace(alone=True).task()
        for path in sorted(swept.heavy):
            swept.add(task([path]))
            progress.at(swept.files + len(swept.skips) + len(swept.gaps))
    progress.clear()
    if swept.secret_files or (known and (known.listed or swept.uses)):
        from scanner.scan.variables import judged

        disabled = ready.selection.config.disable_rules
        swept.observations += judged(swept, _tree(recipe, listed), known, disabled)
    return swept


def _refuse_nothing(selection: Selection, listed: Sequence[str]) -> None:
    """Whoever names files wants them checked. A hook is given the names of any, and a folder may
    hold what nobody named: there, leaving all of it out is no mistake."""
    if selection.named and all(map(globs.matcher(selection.exclude), listed)):
        raise UsageError(
            "everything that was named is excluded",
            why=f"--exclude or scan.exclude of {selection.config_name} covers it",
            todo="name something else, or take that pattern out",
        )


def preload(recipe: Recipe) -> None:
    """Load what a large tree or a history needs, before workers are forked: they inherit it."""
    from scanner.detect.decoding import decoder  # noqa: F401
    from scanner.detect.engine import engine  # noqa: F401
    from scanner.detect.structure import (  # noqa: F401
        config_detector,
        json_reader,
        line_reader,
        yaml_reader,
    )
    from scanner.detect.values import arguments, fallbacks  # noqa: F401
    from scanner.detect.variables import names  # noqa: F401
    from scanner.scan import variables  # noqa: F401

    recipe.prepare()


def _suffix(path: str) -> str:
    return path[path.rfind(".") :]


def _with_examples(ready: Plan, listed: Sequence[str]) -> tuple[Recipe, Examples | None]:
    """Of the whole tree, the variables that its examples of environments list: they are looked for
    in all other files."""
    if not ready.selection.whole_tree:
        return ready.recipe, None
    from scanner.scan.variables import examples

    known = examples(_tree(ready.recipe, listed))
    return ready.recipe._replace(names=known.looked_for), known


def _tree(recipe: Recipe, listed: Sequence[str]) -> Tree:
    from scanner.scan.variables import Tree

    return Tree(recipe.source, listed, recipe.most, recipe.exclude, recipe.matcher)


def _rule_file(given: str, io: Io, selection: Selection) -> RuleFile:
    """Of a change, as the commit has it whose policy holds: it brings no rules of its own."""
    from scanner.detect.rules.model import Source as RuleFile

    inside = in_commit(given, io, selection.source)
    data = selection.source.control(inside) if inside else None
    if data is not None:
        return RuleFile(given, data)
    if inside:
        why = "the commit whose policy holds has no such file"
        raise UsageError(f"--rules {given} cannot be read", why=why, todo="leave it out")
    return RuleFile(given, io.file(given, f"--rules {given}"))


class Progress:
    """One line on a terminal, for what takes over a second."""

    def __init__(self, io: Io, total: int, what: str = "files") -> None:
        self._io = io
        self._total = total
        self._what = what
        self._next = time.monotonic() + 1 if io.err.isatty() else float("inf")
        self._shown = False

    def at(self, done: int) -> None:
        if time.monotonic() >= self._next:
            total = max(self._total, done)  # members of archives were not listed
            self._io.err.write(f"\r\x1b[Kkeywatch: {done:,} of {total:,} {self._what}")
            self._io.err.flush()
            self._next = time.monotonic() + 0.1
            self._shown = True

    def clear(self) -> None:
        if self._shown:
            self._io.err.write("\r\x1b[K")
