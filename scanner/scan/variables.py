"""Compare the environment variables that a tree uses with those that it declares.

`.env.example` files are read before the scan, which then looks for their variables. After the scan,
files that may declare the other used variables are searched, if there are any.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from scanner import globs, pool
from scanner.detect.variables import collector
from scanner.detect.variables.collector import ENV_FILE, MOST, Notes, prefix
from scanner.inputs.interface import Blob, Source
from scanner.masking import masked
from scanner.model import Finding, Note, NoteKind, Observation, Reference


class Tree(NamedTuple):
    """The scanned files, and the regular expression engine that searches them."""

    source: Source
    paths: Sequence[str]
    most: int
    exclude: tuple[str, ...]
    engine: str

    def pieces(self, path: str) -> Iterator[bytes]:
        """The text of a file in pieces. Nothing for an unreadable file: the scan reports it."""
        got = self.source.read(path, self.most)
        try:
            yield from got.chunks if isinstance(got, Blob) else ()
        except OSError:
            return


class Examples(NamedTuple):
    """The variables of files like `.env.example`. `optional`: those in comments."""

    listed: tuple[Reference, ...]
    optional: frozenset[str]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted({each.name for each in self.listed}))

    @property
    def looked_for(self) -> tuple[str, ...]:
        return self.names[:MOST]


def examples(tree: Tree) -> Examples:
    """Read the `.env.example` files of the tree."""
    paths = list(filter(collector.is_example, tree.paths))
    if not paths:
        return Examples((), frozenset())
    from scanner.detect.variables.names import of_example

    listed: list[Reference] = []
    optional: set[str] = set()
    excluded = globs.matcher(tree.exclude)
    for path in paths:
        data = b"" if excluded(path) else b"".join(tree.pieces(path))
        active, off = of_example(masked(path), data)
        listed += active
        optional |= off
    return Examples(tuple(listed), frozenset(optional))


def judged(
    notes: Notes, tree: Tree, known: Examples | None, disabled: Collection[str]
) -> Iterator[Observation]:
    """The findings about everything that was collected. `known` is None for a partial scan."""
    from scanner.policy.variables import committed

    found = [*committed(notes.secret_files, frozenset(tree.paths))]
    if known:
        found += _of_variables(notes, tree, known)
        counts = {"listed": len(known.names), "used": len({use.name for use in notes.uses})}
        yield Observation(path="", size=0, notes=tuple(_over(counts)))
    yield from _observations(each for each in found if each.rule not in disabled)


def _of_variables(notes: Notes, tree: Tree, known: Examples) -> Iterator[Finding]:
    from scanner.policy.variables import undeclared, unused

    at_hand = {*known.names, *known.optional}
    wanted = sorted({use.name for use in notes.uses} - at_hand)
    declared = at_hand | {*wanted[MOST:]} | _declared(wanted[:MOST], tree)
    yield from undeclared(notes.uses, declared, has_example=bool(known.listed))
    mentioned = {*known.names} - {*known.looked_for} | notes.mentioned
    mentioned |= {name for name in known.names if prefix(name) in mentioned}
    yield from unused(known.listed, mentioned, passed_on=ENV_FILE in mentioned)


def _declared(names: Sequence[str], tree: Tree) -> set[str]:
    """The names that a file of the tree declares."""
    found: set[str] = set()
    results = pool.run(_Search(tree, names).task, tree.paths) if names else ()
    for result in results:
        found |= set() if isinstance(result, pool.Lost) else result
    return found


class _Search(NamedTuple):
    """What a worker process needs to look for declarations."""

    tree: Tree
    names: Sequence[str]

    def task(self) -> Callable[[Sequence[str]], set[str]]:
        from scanner.detect.variables.names import Declarations, may_declare

        search = Declarations(self.names, self.tree.engine)
        excluded = globs.matcher(self.tree.exclude)

        def look(paths: Sequence[str]) -> set[str]:
            found: set[str] = set()
            for path in paths:
                if may_declare(path) and not excluded(path):
                    for data in self.tree.pieces(path):
                        found |= search.of(path, data)
            return found

        return look


def _observations(found: Iterable[Finding]) -> Iterator[Observation]:
    """The findings by file, with secrets in their texts masked."""
    from scanner.fingerprints import identify

    ordered = sorted(found, key=lambda each: (each.location, each.rule))
    for path, group in groupby(ordered, key=lambda each: each.location.path):
        shown = (f._replace(context=masked(f.context), detail=masked(f.detail)) for f in group)
        yield Observation(path=path, size=0, findings=identify(shown))


def _over(counts: Mapping[str, int]) -> Iterator[Note]:
    for what, count in counts.items():
        if count > MOST:
            text = f"{count:,} variables are {what}; the first {MOST} were held against the tree"
            yield Note(kind=NoteKind.TOO_MANY_VARIABLES, path="", text=text)
