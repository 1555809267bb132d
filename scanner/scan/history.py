"""Scan commits: a history, a diff or a push."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import scanner
from scanner import cache, pool
from scanner.console import Console
from scanner.errors import UsageError
from scanner.inputs.git import packs
from scanner.inputs.git.revisions import Change, cut_at, of_history
from scanner.inputs.git.stored import of_commit
from scanner.masking import masked_gap
from scanner.model import Gap, GapKind, Observation
from scanner.scan import messages
from scanner.scan.commit_scanner import CommitResult, CommitWorkerConfig
from scanner.scan.plan import ScanPlan
from scanner.scan.request import HistoryRequest
from scanner.scan.result import ScanResult
from scanner.scan.work_tree import preload

_MANY = 3000  # commits for which it is worth loading libgit2
_TOGETHER = 25_000  # most commits in a batch, whose versions are sorted by path
_FEW = 32  # commits for which another process is not worth its start


def scan(plan: ScanPlan, console: Console) -> ScanResult:
    """Scan what the selected commits add."""
    asked = plan.selection.commits
    assert asked is not None  # noqa: S101 - asked by the caller
    plan.workers.compile()
    changes = asked.changes
    name = ""
    if asked.history:
        name = _memory(plan, asked.history) if asked.history.since_last else ""
        changes = (_history(plan, asked.history, name),)
    result = CommitResult()
    for seen in _scanned(plan, console, changes):
        result.add(seen)
    total = result.total
    total.skips += result.skips
    total.gaps += (gap for _, gap in result.gaps)
    total.gaps += (masked_gap(gap) for change in changes for gap in change.gaps)
    heads = {change.head for change in changes if change.head}
    if total.observations or result.past:
        from scanner.scan.first_seen import FirstSeen

        first_seen = FirstSeen(plan, changes, result.past, result.moved)
        total.observations = [*first_seen.dated(total.observations), *first_seen.rest()]
    total.add(messages.scan(plan, changes))
    if asked.is_trusted:
        from scanner.scan import weakening

        weaker = {
            each.head for each in changes if each.head and weakening.weakens_policy(plan, each)
        }
        if weaker:
            total.observations += weakening.observations(plan, weaker)
    if total.secret_files:
        total.observations += _secret_files(plan, heads, total)
    if name:
        total.when_delivered = partial(_remember, plan, name, changes)
    return total


def _secret_files(plan: ScanPlan, heads: Iterable[str], total: ScanResult) -> Iterator[Observation]:
    """Find files that a compose file uses as secrets and that are in the same commit."""
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
    """The cache entry of --since-last: the tips of the commits that such a run has scanned.

    It depends on everything that could change the result of a scan.
    """
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


def _scanned(plan: ScanPlan, console: Console, changes: Sequence[Change]) -> Iterator[CommitResult]:
    """Scan all commits, then each change as a whole, which is the most work."""
    # The oldest first: the version that a commit adds is the one that the next commit changes.
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
    for result in _results(config, items):
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
    config: CommitWorkerConfig, items: Sequence[str]
) -> Iterator[CommitResult | pool.Lost]:
    """The results of the workers.

    Commits whose worker ended too early are scanned again, a few at a time and without libgit2,
    which a damaged pack may have crashed.
    """
    if len(items) < _FEW:
        yield config.task()(items)
        return
    # Larger batches read more versions of a file together: see the benchmark `commits`.
    share = 0.9 if config.packed else 0.5
    lost: list[str] = []
    for result in pool.run(config.task, items, most=_TOGETHER, share=share):
        if isinstance(result, pool.Lost):
            lost += result.items
        else:
            yield result
    if lost:
        yield from pool.run(config._replace(packed=False).task, lost, patience=0)
