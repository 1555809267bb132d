"""Find the commits of a range, a push or the whole history."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from scanner.errors import UsageError
from scanner.inputs.git import commands
from scanner.inputs.git.commands import Objects
from scanner.model import Gap, GapKind

_FETCH = "fetch them: actions/checkout with fetch-depth: 0, or git fetch --unshallow"
_AT_ONCE = 1000  # ids on one command line


class _CommitList(NamedTuple):
    """Commits, newest first and each before its parents. `boundary`: parents outside the list."""

    commits: tuple[str, ...]
    boundary: tuple[str, ...]


class Change(NamedTuple):
    """Commits to scan one by one and as a whole.

    `head` is the newest commit and `base` one that they build on, or "". `branch` is the newest
    commit of the branch that a diff names, or "". `trees` holds the ids of
    the trees of all merge bases and of `head`, separated by spaces, or "" if the change is not
    scanned as a whole. `commits` are those to scan one by one, newest first. All are reachable from
    `tips`. `gaps` describe commits that cannot be read.
    """

    head: str = ""
    base: str = ""
    branch: str = ""
    trees: str = ""
    commits: tuple[str, ...] = ()
    tips: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()


def of_diff(root: str, revisions: str) -> Change:
    """The commits on HEAD since it branched from BASE, for BASE, BASE..HEAD or BASE...HEAD.

    UsageError if there is no common commit.
    """
    objects = commands.objects(root)
    base, head = (_commit(objects, root, name) for name in _ends(revisions))
    listed = _listed(root, (head, f"^{base}"))
    if not listed.commits:
        return Change(head=head, base=head)
    starts = _starts(root, listed.boundary)
    cut = cut_at(root)
    if not starts or cut.intersection(listed.commits):
        raise UsageError(
            f"{revisions}: no commit is known that both sides have in common",
            why="the clone is shallow" if cut else "",
            todo=_FETCH if cut else "name the branch that this one began at",
        )
    change = _change(objects, head, starts, listed)
    return change._replace(base=_on_mainline(root, base, change.base), branch=base)


def of_push(root: str, new: str, old: str, known: str) -> Change:
    """The commits that a push adds when it moves a ref from `old` to `new`.

    `known` is the option of git rev-list for the refs whose commits are already there.
    """
    objects = commands.objects(root)
    head = objects.id(f"{new}^{{commit}}")
    if head is None:
        reason = f"{new[:12]} is not a commit, so it was not scanned"
        return Change(gaps=(Gap(kind=GapKind.UNREADABLE, path="", reason=reason),))
    without = [f"^{old}"] if old.strip("0") else []
    listed = _listed(root, (head, *without), "--ignore-missing", "--not", known, "--not")
    if not listed.commits:
        return Change(head=head, base=head, tips=(new,))
    return _change(objects, head, _starts(root, listed.boundary), listed)._replace(tips=(new,))


def of_history(
    root: str,
    revisions: str,
    *,
    stashes: bool,
    notes: bool,
    seen: Sequence[str] = (),
) -> Change:
    """The commits of a range, the ancestors of one name, or with "" those of all refs; without the
    ancestors of `seen`. If the history is damaged, all commits that can be read.
    """
    objects = commands.objects(root)
    gaps: list[Gap] = []
    base = ""
    if revisions:
        first, last = _ends(revisions) if ".." in revisions else ("", revisions)
        base = _commit(objects, root, first) if first else ""
        head = _commit(objects, root, last)
        tips = [head]
    else:
        head = objects.id("HEAD^{commit}") or ""
        tips = [head] if head else []
        for oid, name in _refs(root, stashes=stashes, notes=notes):
            if oid and objects.id(oid):
                tips.append(oid)
            else:
                reason = f"{name} leads to no object that is here (git fsck)"
                gaps.append(Gap(kind=GapKind.UNREADABLE, path="", reason=reason))
    without = (*seen, *([base] if base else ()))
    if revisions:
        listed = _reachable(root, tips, without)
    else:
        listed, unlisted = _reachable_or_readable(root, tips, without)
        gaps += unlisted
    change = Change(head=head, base=base, commits=listed.commits, tips=tuple(tips))
    return change._replace(gaps=(*gaps, *_shallow(root, change)))


def of_tips(root: str, head: str, tips: Sequence[str], seen: Sequence[str] = ()) -> Change:
    """The commits that `tips` reach, without the ancestors of `seen`. `head` is the newest commit,
    or "". If the history is damaged, all commits that can be read.
    """
    listed, gaps = _reachable_or_readable(root, tips, seen)
    change = Change(head=head, commits=listed.commits, tips=tuple(tips))
    return change._replace(gaps=(*gaps, *_shallow(root, change)))


def _reachable(root: str, tips: Sequence[str], without: Sequence[str]) -> _CommitList:
    return _listed(root, (*tips, *(f"^{each}" for each in without)), "--ignore-missing")


def _reachable_or_readable(
    root: str, tips: Sequence[str], without: Sequence[str]
) -> tuple[_CommitList, Sequence[Gap]]:
    """Like `_reachable`. In a damaged history, all commits that can be read, and a Gap."""
    try:
        return _reachable(root, tips, without), ()
    except UsageError as error:
        reason = f"git cannot list all commits: {error.why} (git fsck); only those that can be read"
        gap = Gap(kind=GapKind.UNREADABLE, path="", reason=f"{reason} were scanned")
        return _all_readable(root), (gap,)


def _shallow(root: str, change: Change) -> tuple[Gap, ...]:
    """A Gap if the clone is shallow, and so the parents of some commits are missing."""
    cut = cut_at(root).intersection(change.commits)
    if not cut:
        return ()
    reason = f"the clone is shallow: {len(cut)} commits lack their parents. {_FETCH}"
    return (Gap(kind=GapKind.SHALLOW, path="", reason=reason),)


def cut_at(root: str) -> frozenset[str]:
    """The commits whose parents are missing in a shallow clone."""
    inside = os.path.join(root, ".git")
    place = os.path.join(inside, "shallow")
    if not os.path.isdir(inside):
        place = os.path.join(root, commands.ask(root, "rev-parse", "--git-path", "shallow") or "")
    try:
        with open(place, encoding="ascii") as file:
            return frozenset(file.read().split())
    except OSError:
        return frozenset()


def _on_mainline(root: str, branch: str, start: str) -> str:
    """The newest first-parent commit of a branch that `start` contains, or "".

    Other parents may have had another policy, which nobody has approved.
    """
    if start == branch:
        return start
    output = commands.run(root, "rev-list", "--first-parent", "--boundary", branch, f"^{start}")
    return next((line[1:] for line in output.decode().split() if line[0] == "-"), "")


def _ends(revisions: str) -> tuple[str, str]:
    """The two names of BASE..HEAD or BASE...HEAD; a missing one means HEAD."""
    base, _, head = revisions.partition("..")
    return base or "HEAD", head.removeprefix(".") or "HEAD"


def _commit(objects: Objects, root: str, name: str) -> str:
    found = objects.commit(name)
    if found:
        return found
    if not name.strip("0"):
        todo = "there was nothing before: name the branch that it is to be merged into"
    elif objects.id("HEAD^{commit}") is None:
        todo = "there is no commit here yet"
    else:
        todo = _FETCH if cut_at(root) else f"git fetch it, or see git rev-parse {name}"
    raise UsageError(f"{name} names no commit here", todo=todo)


def _listed(root: str, revisions: Sequence[str], *arguments: str) -> _CommitList:
    order = ("rev-list", "--date-order", "--boundary")
    fed = "".join(f"{each}\n" for each in revisions).encode()
    ids = commands.run(root, *order, *arguments, "--stdin", fed=fed).decode().splitlines()
    return _CommitList(
        commits=tuple(each for each in ids if each[0] != "-"),
        boundary=tuple(each[1:] for each in ids if each[0] == "-"),
    )


def _all_readable(root: str) -> _CommitList:
    """All commits that can be read, reachable or not."""
    asked = ("cat-file", "--batch-all-objects", "--batch-check=%(objecttype) %(objectname)")
    kinds = (line.split(" ") for line in commands.run(root, *asked).decode().splitlines())
    return _listed(root, [name for kind, name in kinds if kind == "commit"], "--no-walk")


def _refs(root: str, *, stashes: bool, notes: bool) -> Iterator[tuple[str, str]]:
    """The id and the name of each ref, and of each entry of the stash."""
    left_out = (*(() if stashes else ("refs/stash",)), *(() if notes else ("refs/notes/",)))
    yield from (each for each in commands.refs(root) if not each[1].startswith(left_out))
    kept = commands.ask(root, "reflog", "show", "--format=%H", "refs/stash") if stashes else None
    yield from ((oid, "refs/stash") for oid in (kept or "").split())


def _starts(root: str, boundary: Sequence[str]) -> tuple[str, ...]:
    """The merge bases of a range: its boundary without commits that are ancestors of others."""
    kept: tuple[str, ...] = ()
    for first in range(0, len(boundary), _AT_ONCE):
        some = (*kept, *boundary[first : first + _AT_ONCE])
        output = commands.ask(root, "merge-base", "--independent", *some) if some[1:] else None
        kept = tuple(output.split()) if output else some
    return kept


def _change(objects: Objects, head: str, starts: tuple[str, ...], listed: _CommitList) -> Change:
    """The newest commit is not scanned by itself: the change as a whole contains what it adds."""
    trees = [objects.id(f"{each}^{{tree}}") or each for each in (*starts, head)]
    return Change(
        head=head,
        base=starts[0] if starts else "",
        trees=" ".join(trees if starts else (commands.EMPTY_TREE[len(head)], *trees)),
        commits=tuple(commit for commit in listed.commits if commit != head),
    )
