"""Scan the files of a working tree, of the index or of standard input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from scanner import globs, pool
from scanner.detect.prefilter.matcher import NAME
from scanner.errors import UsageError
from scanner.file_types import scope_of
from scanner.masking import masked
from scanner.model import Gap, GapKind, SkipKind
from scanner.scan.result import ScanResult

if TYPE_CHECKING:
    from scanner.console import Console
    from scanner.scan.plan import ScanPlan
    from scanner.scan.sources import Selection
    from scanner.scan.variables import Examples, Tree
    from scanner.scan.worker import WorkerConfig


_LARGE = 1000  # files for which workers start at once


def scan(plan: ScanPlan, console: Console) -> ScanResult:
    """Scan every selected file. UsageError if all files that were named are excluded."""
    paths = plan.selection.source.paths()
    _refuse_nothing(plan.selection, paths)
    if len(paths) >= _LARGE:
        preload(plan.workers)
    plan.workers.compile(lambda: {NAME, *map(scope_of, paths)})
    workers, examples = _with_variables(plan, paths)
    result = ScanResult()
    progress = console.progress(len(paths))
    for part in pool.run(workers.scan_function, sorted(paths, key=_suffix)):
        if isinstance(part, pool.Lost):
            reason = "the worker process that read it ended too early (out of memory?)"
            result.gaps += (
                Gap(kind=GapKind.WORKER_LOST, path=masked(path), reason=reason)
                for path in part.items
            )
        else:
            result.add(part)
        progress.at(result.handled)
    if result.heavy:
        scan_alone = workers._replace(alone=True).scan_function()
        for path in sorted(result.heavy):
            result.add(scan_alone([path]))
            progress.at(result.handled)
    progress.clear()
    _demand_named(plan, result)
    if result.secret_files or (examples and (examples.listed or result.uses)):
        from scanner.scan.variables import judged

        disabled = plan.selection.config.disable_rules
        result.observations += judged(result, _tree(workers, paths), examples, disabled)
    return result


def _refuse_nothing(selection: Selection, paths: Sequence[str]) -> None:
    """UsageError if files were named by hand and all of them are excluded.

    A hook is given any file's name, and a folder may hold nothing else: both are no mistake.
    """
    if selection.named and paths and all(map(globs.matcher(selection.exclude), paths)):
        raise UsageError(
            "every file that you named is excluded",
            why=f"--exclude or scan.exclude of {selection.config_name} matches them",
            todo="name other files, or remove the pattern",
        )


def _demand_named(plan: ScanPlan, result: ScanResult) -> None:
    """A file that was named and is too large is a gap, not a skip: somebody expects a result."""
    named = {masked(path) for path in plan.selection.only}
    missed = [
        skip for skip in result.skips if skip.kind == SkipKind.TOO_LARGE and skip.path in named
    ]
    reason = f"it is over {plan.workers.max_size:,} bytes; --max-file-size reads larger files"
    for skip in missed:
        result.skips.remove(skip)
        result.gaps.append(Gap(kind=GapKind.TOO_LARGE, path=skip.path, reason=reason))


def preload(workers: WorkerConfig) -> None:
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

    workers.prepare()


def _suffix(path: str) -> str:
    return path[path.rfind(".") :]


def _with_variables(plan: ScanPlan, paths: Sequence[str]) -> tuple[WorkerConfig, Examples | None]:
    """For a scan of the whole tree, the workers look for the variables of `.env.example` files."""
    if not plan.selection.whole_tree:
        return plan.workers, None
    from scanner.scan.variables import examples

    known = examples(_tree(plan.workers, paths))
    return plan.workers._replace(variables=known.looked_for), known


def _tree(workers: WorkerConfig, paths: Sequence[str]) -> Tree:
    from scanner.scan.variables import Tree

    return Tree(workers.source, paths, workers.max_size, workers.exclude, workers.matcher)
