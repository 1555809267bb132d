"""Inputs: which contents commits give to which files, and which lines of one are new."""

from __future__ import annotations

import os
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from scanner.inputs import decoding, git
from scanner.inputs.stored import MOST_LISTED, NOT_TEXT
from scanner.model import Gap
from scanner.named import NamedTuple

Lines = tuple[tuple[int, int], ...]
"""The first and the last line, counted from 1, of each block of a file's lines."""

_ARGUMENTS = ("diff-tree", "--stdin", "-z", "-r", "--root", "--always", "--raw", "--no-abbrev")
_NO_FILE = "000000"
_NO_TEXT = {*NOT_TEXT, _NO_FILE}  # modes of a parent that has no such file
_PIECE = 1 << 16
_ROOM = 32 << 20  # bytes of contents that are kept: the newest of each file of a usual tree
NEAR = 3
"""Lines on both sides of a line that may say what it means: the name of a value above it."""


class Version(NamedTuple):
    """A file as a commit has it, where no parent has the same. `before`: its path and the id of its
    content in each parent that has it; in a merge it has the same path in all."""

    path: str
    mode: str
    oid: str
    before: tuple[tuple[str, str], ...]

    @property
    def old_oids(self) -> Iterator[str]:
        return (oid for _, oid in self.before)

    @property
    def is_moved(self) -> bool:
        """Has it a path that it had not before?"""
        return self.path not in dict(self.before)


def added(text: bytes, before: Sequence[bytes]) -> Lines:
    """The lines of a text that none before has, apart from those that it begins and ends with."""
    start, tail = _same_ends(text, before[0]) if len(before) == 1 else (0, 0)
    known: set[bytes] = set()
    known.update(*(each[start : len(each) - tail].split(b"\n") for each in before))
    first = text.count(b"\n", 0, start) + 1
    lines = text[start : len(text) - tail].split(b"\n")
    blocks: list[tuple[int, int]] = []
    for number in [number for number, line in enumerate(lines, first) if line not in known]:
        if blocks and blocks[-1][1] == number - 1:
            blocks[-1] = blocks[-1][0], number
        else:
            blocks.append((number, number))
    return tuple(blocks)


def _same_ends(text: bytes, before: bytes) -> tuple[int, int]:
    """How many bytes of whole lines both begin with, and end with."""
    most, size, old = min(len(text), len(before)), len(text), len(before)
    start = _same(most, lambda at, more: text.startswith(before[at : at + more], at))
    start = text.rfind(b"\n", 0, start) + 1
    tail = _same(
        most - start,
        lambda at, more: text.endswith(before[old - at - more : old - at], 0, size - at),
    )
    end = text.find(b"\n", size - tail)
    return start, size - end if tail and end >= 0 else 0


def _same(limit: int, is_same: Callable[[int, int], bool]) -> int:
    """How many bytes are the same, up to a limit: after `at` that are, are some `more`?"""
    at, more = 0, 1 << limit.bit_length() >> 1
    while more:
        if at + more <= limit and is_same(at, more):
            at += more
        more //= 2
    return at


def around(text: bytes, lines: Lines) -> bytes:
    """These lines and those near them."""
    every = text.split(b"\n")
    return b"\n".join(b"\n".join(every[max(a - 1 - NEAR, 0) : b + NEAR]) for a, b in lines)


class Versions:
    """What any number of commits change."""

    def __init__(self, root: str) -> None:
        # Git is slow to look for renames in a merge, and few other commits can have some. What it
        # has read for a commit serves it for the next one, whether that is a merge or not.
        self._plain = _Differences(root, renames=False)
        self._renamed = _Differences(root, renames=True)

    def close(self) -> None:
        self._plain.close()
        self._renamed.close()

    def of(
        self, items: Sequence[str], meanwhile: Callable[[], object] = lambda: None
    ) -> Iterator[tuple[str, Version | Gap]]:
        """What each item changes: a commit, or the second of two trees in the first. A Gap stands
        for what git cannot tell."""
        commits = [item for item in items if " " not in item]
        others = [item for item in items if " " in item]
        for item, got in self._plain.of(commits, meanwhile):
            if got:
                yield item, got
            else:
                others.append(item)
        for item, got in self._renamed.of(others, meanwhile):
            if got:
                yield item, got

    def since_all(self, item: str) -> Iterator[tuple[str, Version | Gap]]:
        """What the last of several trees has that none of the others does."""
        *before, after = item.split()
        found: dict[str, list[Version]] = defaultdict(list)
        for tree in before:
            for _, got in self.of((f"{tree} {after}",)):
                if isinstance(got, Gap):
                    yield item, got
                else:
                    found[got.path].append(got)
        for one, *more in found.values():
            if len(more) == len(before) - 1:
                all_before = (*one.before, *(old for each in more for old in each.before))
                yield item, one._replace(before=all_before)


class _Differences(git.Helper):
    """One `git diff-tree`. Where it looks for no renames, None stands for what a commit changes
    that may have some, or is too much."""

    def __init__(self, root: str, *, renames: bool) -> None:
        how = ("-M", "--diff-filter=d") if renames else ("--no-renames",)
        super().__init__(root, *_ARGUMENTS, "-c", *how)
        self._finds_renames = renames
        self._end = b". %b\n" % os.urandom(8).hex().encode()  # names no object: it is answered so

    def of(
        self, items: Sequence[str], meanwhile: Callable[[], object] = lambda: None
    ) -> Iterator[tuple[str, Version | Gap | None]]:
        if not items:
            return
        try:
            answers = self._answers(items, meanwhile)
        except (OSError, EOFError) as error:  # git ends where an object is missing or damaged
            self.close()
            too_many = isinstance(error, _TooManyError)
            if too_many and not self._finds_renames and len(items) == 1:
                yield items[0], None  # without the files that it removes, it may be less
            elif len(items) == 1:
                yield items[0], _gap(items[0], too_many=too_many)
            else:
                for item in items:
                    yield from self.of((item,))
            return
        for item in items:
            if item not in answers:
                yield item, _gap(item)
            yield from ((item, version) for version in answers.get(item, ()))

    def _answers(
        self, items: Sequence[str], meanwhile: Callable[[], object]
    ) -> Mapping[str, Sequence[Version | None]]:
        asked, answers = self.pipes()
        asked.write("".join(f"{item}\n" for item in items).encode() + self._end)
        asked.flush()
        meanwhile()
        said = bytearray()
        while not said.endswith(self._end):
            piece = os.read(answers.fileno(), _PIECE)
            if not piece:
                raise EOFError
            said += piece
            if len(said) > MOST_LISTED:
                raise _TooManyError
        found, moved = _parsed(bytes(said[: -len(self._end)]))
        return found if self._finds_renames else found | {item: [None] for item in moved}


def _parsed(said: bytes) -> tuple[dict[str, list[Version | None]], set[str]]:
    """The versions by commit, or by two trees; and which of these add files and remove others.
    Names are of any bytes, and end with a zero; what is said of trees begins with a line, and is no
    more than that where they are the same."""
    found: dict[str, list[Version | None]] = {}
    adds, removes = set(), set()
    parts = map(_text, said.split(b"\0"))
    item, versions = "", list[Version | None]()
    for part in parts:
        about = part
        while about and about[0] != ":":
            item, _, about = about.partition("\n")
            versions = found[item] = []
        if not about:
            continue
        fields = about.lstrip(":").split(" ")
        old = path = next(parts)
        if len(fields) > 5:  # all modes come first, then all ids
            last = len(fields) // 2 - 1
            pairs = zip(fields[:last], fields[last + 1 : -2], strict=True)
            before = tuple((old, oid) for mode, oid in pairs if mode not in _NO_TEXT)
            if fields[last] != _NO_FILE:
                versions.append(Version(path, fields[last], fields[-2], before))
            continue
        was, mode, old_oid, oid, status = fields
        if status[0] == "R":
            path = next(parts)
        if mode == _NO_FILE:
            removes.add(item)
        elif was in _NO_TEXT:
            adds.add(item)
            versions.append(Version(path, mode, oid, ()))
        else:
            versions.append(Version(path, mode, oid, ((old, old_oid),)))
    return found, adds & removes


def _text(said: bytes) -> str:
    return said.decode(errors="surrogateescape")


class _TooManyError(OSError):
    """Git says more of a commit than there is room for."""


def _gap(item: str, *, too_many: bool = False) -> Gap:
    what = "what the whole range changes" if " " in item else f"what commit {item[:12]} changes"
    if too_many:
        reason = f"{what} is not looked at: it is more files than keywatch can list"
        return Gap(kind="unreadable", path="", reason=reason)
    reason = (
        f"git cannot tell {what}: an object is damaged (git fsck names it), or missing because the "
        "clone is partial (git fetch --refetch --no-filter)"
    )
    return Gap(kind="unreadable", path="", reason=reason)


class Contents:
    """The bytes of blobs, read ahead in the order in which they are wanted, and kept for a while:
    what one commit puts in a file's place is what the next one took away."""

    def __init__(self, root: str) -> None:
        self._stream = git.Objects(root)
        self._single = git.objects(root)
        self._kept: OrderedDict[str, bytes | int | None] = OrderedDict()
        self._size = 0
        self._coming: Iterator[tuple[str, bytes | int | None]] = iter(())

    def expect(self, oids: Iterable[str], most: int) -> None:
        """They are wanted next; of one over `most` bytes, only its size."""
        for oid, data in self._coming:  # all of them are to be taken
            self._keep(oid, data)
        wanted = [oid for oid in dict.fromkeys(oids) if oid not in self._kept]
        self._coming = zip(wanted, self._stream.read_all(wanted, most), strict=True)

    def read(self, oid: str, most: int, _kind: object = b"blob", /) -> bytes | int | None:
        """The bytes of a blob; its size where that is over `most`; None where there is none."""
        while oid not in self._kept:
            found = next(self._coming, None)
            self._keep(*(found or (oid, self._single.read(oid, most))))
        return self._kept[oid]

    def text(self, oid: str, most: int) -> bytes | None:
        """The bytes of one that is a text; None where it is none."""
        data = self.read(oid, most)
        return decoding.text(data) if isinstance(data, bytes) else None

    def forget(self, oids: Iterable[str]) -> None:
        """Of a file, what is older is not asked for again."""
        for oid in oids:
            if oid in self._kept:
                self._size -= _weight(self._kept.pop(oid))

    def _keep(self, oid: str, data: bytes | int | None) -> None:
        self._kept[oid] = data
        self._size += _weight(data)
        while self._size > _ROOM and len(self._kept) > 1:
            self._size -= _weight(self._kept.popitem(last=False)[1])


def _weight(data: bytes | int | None) -> int:
    return 100 + (len(data) if isinstance(data, bytes) else 0)
