"""The command line: what commits add, altogether. Joins what single commits add, where that came
from, and the policy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import scanner
from scanner import cache, pool
from scanner.console import Io
from scanner.errors import UsageError
from scanner.inputs.git import packs
from scanner.inputs.git.revisions import Change, cut_at, of_history
from scanner.inputs.git.stored import Stored, of_commit
from scanner.masking import masked_gap
from scanner.model import Gap, Observation
from scanner.scan.commit_scanner import Looking, Walk
from scanner.scan.commits import History
from scanner.scan.files import Plan, Progress, Swept, preload

_MANY = 3000  # commits that are worth the time in which libgit2 is loaded
_TOGETHER = 25_000  # commits, at most, that a worker looks at file by file
_FEW = 32  # commits that are not worth another process


def sweep(plan: Plan, io: Io, meanwhile: Callable[[], object]) -> Swept:
    """What the commits add that the arguments mean."""
    asked = plan.selection.commits
    assert asked is not None  # noqa: S101 - asked by the caller
    plan.recipe.compile()
    changes = asked.changes
    name = ""
    if asked.history:
        name = _memory(plan, asked.history) if asked.history.since_last else ""
        changes = (_history(plan, asked.history, name),)
    walk = Walk()
    for seen in _walks(plan, io, changes, meanwhile):
        walk.add(seen)
    swept = walk.swept
    swept.skips += walk.skips
    swept.gaps += (masked_gap(gap) for change in changes for gap in change.gaps)
    heads = {change.head for change in changes if change.head}
    if swept.observations or walk.past:
        from scanner.scan.first_seen import Ages

        ages = Ages(plan, changes, walk.past, walk.moved)
        swept.observations = [*ages.dated(swept.observations), *ages.rest()]
    if asked.is_trusted and any(_steers_otherwise(plan, head) for head in heads):
        from scanner.scan import weakening

        swept.observations += weakening.observations(plan, heads)
    if swept.secret_files:
        swept.observations += _secret_files(plan, heads, swept)
    if name:
        swept.when_delivered = partial(_remember, plan, name, changes)
    return swept


def _steers_otherwise(plan: Plan, head: str) -> bool:
    """Does a commit have other files that steer a scan than those that do?"""
    held, owed = plan.selection.source, plan.owed
    said = Stored(held.root, {}, f"{head}:")
    names = (plan.selection.config_path, owed.own_name, owed.detect_secrets_name)
    return any(held.control(name) != said.control(name) for name in filter(None, names))


def _secret_files(plan: Plan, heads: Iterable[str], swept: Swept) -> Iterator[Observation]:
    """Compose files name files of secrets: is one in the commit, too?"""
    from scanner.scan import variables

    for head in sorted(heads):
        source = of_commit(plan.selection.source.root, head)
        recipe = plan.recipe
        tree = variables.Tree(source, source.paths(), recipe.most, recipe.exclude, recipe.matcher)
        yield from variables.judged(swept, tree, None, plan.selection.config.disable_rules)


def _history(plan: Plan, asked: History, name: str) -> Change:
    kept = cache.load(name, plan.selection.cache_folder or "") if name else None
    return of_history(
        plan.selection.source.root,
        asked.said,
        stashes=asked.stashes,
        notes=asked.notes,
        seen=(kept or b"").decode().split(),
    )


def _memory(plan: Plan, asked: History) -> str:
    """What names, in the cache, the commits that such a run has seen all that lies behind of."""
    selection, recipe = plan.selection, plan.recipe
    if selection.cache_folder is None:
        raise UsageError(
            "--since-last needs a cache, and this user has none",
            todo="set HOME or XDG_CACHE_HOME to a folder outside of the repository",
        )
    root = selection.source.root
    rules = (recipe.book.key, recipe.settings, recipe.exclude, recipe.most, recipe.archives)
    parts = (scanner.__version__, repr(rules), root, repr(asked), *sorted(cut_at(root)))
    return f"history-{cache.key(*parts)}"


def _remember(plan: Plan, name: str, changes: Sequence[Change]) -> None:
    tips = "\n".join(tip for change in changes for tip in change.tips)
    cache.store(name, tips.encode(), plan.selection.cache_folder or "")


def _walks(
    plan: Plan, io: Io, changes: Sequence[Change], meanwhile: Callable[[], object]
) -> Iterator[Walk]:
    """Look at all of it. What all commits of a change come to is last: it is the most."""
    # The oldest first: what a commit puts in a file's place is what the next one changes.
    items = [*dict.fromkeys(commit for change in changes for commit in change.commits)][::-1]
    items += dict.fromkeys(change.trees for change in changes if change.trees)
    asked = plan.selection.commits
    looking = Looking(
        root=plan.selection.source.root,
        recipe=plan.recipe,
        is_own=not (asked and asked.is_trusted),
        packed=len(items) > _MANY,
    )
    if looking.packed:
        preload(looking.recipe)
        packs.load()
    progress, done = Progress(io, len(items), "commits"), 0
    for result in _results(looking, items, meanwhile):
        lost = Walk()
        if isinstance(result, pool.Lost):
            done += len(result.items)
            first = result.items[0][:12]
            reason = f"{len(result.items)} commits, {first} the first: their worker process ended"
            lost.swept.gaps.append(Gap(kind="worker-lost", path="", reason=f"{reason} too early"))
            yield lost
        else:
            done += result.done
            yield result
        progress.at(done)
    progress.clear()


def _results(
    looking: Looking, items: Sequence[str], meanwhile: Callable[[], object]
) -> Iterator[Walk | pool.Lost]:
    """What workers see. What one had when it ended too early is looked at once more, a few commits
    at a time, and by git alone."""
    if len(items) < _FEW:
        yield looking.task()(items)
        return
    share = 0.9 if looking.packed else 0.5  # in few parts, more of a file is side by side
    lost: list[str] = []
    for result in pool.run(looking.task, items, meanwhile, most=_TOGETHER, share=share):
        if isinstance(result, pool.Lost):
            lost += result.items
        else:
            yield result
    if lost:
        yield from pool.run(looking._replace(packed=False).task, lost, patience=0)
