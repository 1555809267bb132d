"""The command line: what commits add, altogether. Joins what single commits add, where that came
from, and the policy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import scanner
from scanner import cache, pool
from scanner.console import Console
from scanner.errors import UsageError
from scanner.inputs.git import packs
from scanner.inputs.git.revisions import Change, cut_at, of_history
from scanner.inputs.git.stored import Stored, of_commit
from scanner.masking import masked_gap
from scanner.model import Gap, GapKind, Observation
from scanner.scan.commit_scanner import CommitResult, CommitWorkerConfig
from scanner.scan.plan import ScanPlan
from scanner.scan.request import HistoryRequest
from scanner.scan.result import ScanResult
from scanner.scan.work_tree import preload

_MANY = 3000  # commits that are worth the time in which libgit2 is loaded
_TOGETHER = 25_000  # commits, at most, that a worker looks at file by file
_FEW = 32  # commits that are not worth another process


def scan(plan: ScanPlan, console: Console, meanwhile: Callable[[], object]) -> ScanResult:
    """What the commits add that the arguments mean."""
    asked = plan.selection.commits
    assert asked is not None  # noqa: S101 - asked by the caller
    plan.workers.compile()
    changes = asked.changes
    name = ""
    if asked.history:
        name = _memory(plan, asked.history) if asked.history.since_last else ""
        changes = (_history(plan, asked.history, name),)
    result = CommitResult()
    for seen in _walks(plan, console, changes, meanwhile):
        result.add(seen)
    total = result.total
    total.skips += result.skips
    total.gaps += (masked_gap(gap) for change in changes for gap in change.gaps)
    heads = {change.head for change in changes if change.head}
    if total.observations or result.past:
        from scanner.scan.first_seen import Ages

        ages = Ages(plan, changes, result.past, result.moved)
        total.observations = [*ages.dated(total.observations), *ages.rest()]
    if asked.is_trusted and any(_steers_otherwise(plan, head) for head in heads):
        from scanner.scan import weakening

        total.observations += weakening.observations(plan, heads)
    if total.secret_files:
        total.observations += _secret_files(plan, heads, total)
    if name:
        total.when_delivered = partial(_remember, plan, name, changes)
    return total


def _steers_otherwise(plan: ScanPlan, head: str) -> bool:
    """Does a commit have other files that steer a scan than those that do?"""
    held, baselines = plan.selection.source, plan.baselines
    said = Stored(held.root, {}, f"{head}:")
    names = (plan.selection.config_path, baselines.own_name, baselines.detect_secrets_name)
    return any(held.control(name) != said.control(name) for name in filter(None, names))


def _secret_files(plan: ScanPlan, heads: Iterable[str], total: ScanResult) -> Iterator[Observation]:
    """Compose files name files of secrets: is one in the commit, too?"""
    from scanner.scan import variables

    for head in sorted(heads):
        source = of_commit(plan.selection.source.root, head)
        workers = plan.workers
        tree = variables.Tree(
            source, source.paths(), workers.max_size, workers.exclude, workers.matcher
        )
        yield from variables.judged(total, tree, None, plan.selection.config.disable_rules)


def _history(plan: ScanPlan, asked: HistoryRequest, name: str) -> Change:
    kept = cache.load(name, plan.selection.cache_folder or "") if name else None
    return of_history(
        plan.selection.source.root,
        asked.range,
        stashes=asked.stashes,
        notes=asked.notes,
        seen=(kept or b"").decode().split(),
    )


def _memory(plan: ScanPlan, asked: HistoryRequest) -> str:
    """What names, in the cache, the commits that such a run has seen all that lies behind of."""
    selection, workers = plan.selection, plan.workers
    if selection.cache_folder is None:
        raise UsageError(
            "--since-last needs a cache, and this user has none",
            todo="set HOME or XDG_CACHE_HOME to a folder outside of the repository",
        )
    root = selection.source.root
    rules = (
        workers.rulebook.key,
        workers.settings,
        workers.exclude,
        workers.max_size,
        workers.archives,
    )
    parts = (scanner.__version__, repr(rules), root, repr(asked), *sorted(cut_at(root)))
    return f"history-{cache.key(*parts)}"


def _remember(plan: ScanPlan, name: str, changes: Sequence[Change]) -> None:
    tips = "\n".join(tip for change in changes for tip in change.tips)
    cache.store(name, tips.encode(), plan.selection.cache_folder or "")


def _walks(
    plan: ScanPlan, console: Console, changes: Sequence[Change], meanwhile: Callable[[], object]
) -> Iterator[CommitResult]:
    """Look at all of it. What all commits of a change come to is last: it is the most."""
    # The oldest first: what a commit puts in a file's place is what the next one changes.
    items = [*dict.fromkeys(commit for change in changes for commit in change.commits)][::-1]
    items += dict.fromkeys(change.trees for change in changes if change.trees)
    asked = plan.selection.commits
    config = CommitWorkerConfig(
        root=plan.selection.source.root,
        workers=plan.workers,
        is_own=not (asked and asked.is_trusted),
        packed=len(items) > _MANY,
    )
    if config.packed:
        preload(plan.workers)
        packs.load()
    progress, done = console.progress(len(items), "commits"), 0
    for result in _results(config, items, meanwhile):
        lost = CommitResult()
        if isinstance(result, pool.Lost):
            done += len(result.items)
            first = result.items[0][:12]
            reason = f"{len(result.items)} commits, {first} the first: their worker process ended"
            lost.total.gaps.append(
                Gap(kind=GapKind.WORKER_LOST, path="", reason=f"{reason} too early")
            )
            yield lost
        else:
            done += result.done
            yield result
        progress.at(done)
    progress.clear()


def _results(
    config: CommitWorkerConfig, items: Sequence[str], meanwhile: Callable[[], object]
) -> Iterator[CommitResult | pool.Lost]:
    """What workers see. What one had when it ended too early is looked at once more, a few commits
    at a time, and by git alone."""
    if len(items) < _FEW:
        yield config.task()(items)
        return
    share = 0.9 if config.packed else 0.5  # in few parts, more of a file is side by side
    lost: list[str] = []
    for result in pool.run(config.task, items, meanwhile, most=_TOGETHER, share=share):
        if isinstance(result, pool.Lost):
            lost += result.items
        else:
            yield result
    if lost:
        yield from pool.run(config._replace(packed=False).task, lost, patience=0)
