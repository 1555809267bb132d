"""Inventory: many requests at once, their results in one order, and no more of them in memory than
are under way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from typing import NamedTuple, TypeAlias

from scanner.inventory.threads import WORKERS, Workers
from scanner.inventory.vault.errors import Trouble, gap, readable
from scanner.model import Gap, Note, NoteKind
from scanner.records import Record

_AHEAD = 4 * WORKERS  # so that one slow answer at the head leaves no worker idle

_HANDFUL = 8

Item: TypeAlias = Record | Gap | Note


class Step(NamedTuple):
    """Something to ask for that leads on: `run` sends its requests and reads the answers at once,
    and what it gives is taken one by one. `id` is what a Gap names; `advice` goes with a denial."""

    id: str
    run: Callable[[], Iterator[Next]]
    advice: str = ""


class Leaf(NamedTuple):
    """One entry of a list, which is all that `run` asks for. What is no more there is gone."""

    id: str
    run: Callable[[], Sequence[Item]]
    advice: str = ""


class _Handful(NamedTuple):
    """Leaves, to be read one after the other: to hand each to a worker alone would take as long as
    to judge it."""

    leaves: tuple[Leaf, ...]


Next: TypeAlias = Item | Step | Leaf
_Found: TypeAlias = Sequence[Item] | Iterator[Next]


def walked(steps: Iterable[Step]) -> Iterator[Item]:
    """All items of the steps and of what they lead to, as if each were run in its turn."""
    pool = Workers()
    rest: list[Iterator[Future[_Found] | Item | Step | _Handful]] = [iter(steps)]  # the last first
    ahead: deque[Future[_Found] | Item] = deque()
    try:
        while _fill(ahead, rest, pool):
            head = ahead.popleft()
            found = head.result() if isinstance(head, Future) else (head,)
            if isinstance(found, Iterator):  # what it leads to comes before what is under way
                rest += (iter(ahead), _by_handfuls(found))
                ahead = deque()
            else:
                yield from found
    finally:
        pool.close()


def _fill(
    ahead: deque[Future[_Found] | Item],
    rest: list[Iterator[Future[_Found] | Item | Step | _Handful]],
    pool: Workers,
) -> bool:
    """Start what comes next. Is there any more?"""
    while rest and len(ahead) < _AHEAD:
        match next(rest[-1], None):
            case None:
                rest.pop()
            case Step() as step:
                ahead.append(pool.submit(partial(_run, step)))
            case _Handful() as handful:
                ahead.append(pool.submit(partial(_read, handful)))
            case other:
                ahead.append(other)
    return bool(ahead)


def _by_handfuls(found: Iterator[Next]) -> Iterator[Item | Step | _Handful]:
    leaves: list[Leaf] = []
    for one in found:
        if leaves and (len(leaves) == _HANDFUL or not isinstance(one, Leaf)):
            yield _Handful(tuple(leaves))
            leaves = []
        if isinstance(one, Leaf):
            leaves.append(one)
        else:
            yield one
    if leaves:
        yield _Handful(tuple(leaves))


def _run(step: Step) -> _Found:
    try:
        with readable():
            return step.run()
    except Trouble as error:
        return [gap(step.id, error, step.advice)]


def _read(handful: _Handful) -> _Found:
    return [item for leaf in handful.leaves for item in _items(leaf)]


def _items(leaf: Leaf) -> Sequence[Item]:
    try:
        with readable():
            return leaf.run()
    except Trouble as error:
        if error.kind == "absent":
            return [Note(kind=NoteKind.GONE, path=leaf.id, text="it was deleted while it was read")]
        return [gap(leaf.id, error, leaf.advice)]
