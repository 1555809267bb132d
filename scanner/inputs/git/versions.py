"""Find the versions of files that commits add, and which lines of a version are new."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from scanner.inputs.git import commands
from scanner.inputs.git.stored import MOST_LISTED, NOT_TEXT
from scanner.model import Gap, GapKind

Lines = tuple[tuple[int, int], ...]
"""The first and the last line, counted from 1, of each block of a file's lines."""

_ARGUMENTS = ("diff-tree", "--stdin", "-z", "-r", "--root", "--always", "--raw", "--no-abbrev")
_NO_FILE = "000000"
_NO_TEXT = {*NOT_TEXT, _NO_FILE}  # modes of parents that have no text file at this path
_AHEAD = 250  # items of one request, which fits into a pipe
_PIECE = 1 << 16
_MOST_SAME = 1 << 17  # cached strings: paths and ids
_STEP = 128
_REACH = 512  # bytes: more than a rule skips between two lines that belong together
NEAR = 4
"""Lines above and below a line that may belong to it, such as the name of a value."""


class Version(NamedTuple):
    """A file in a commit that differs from every parent.

    `before` holds its path and blob id in each parent that has it; in a merge the path is the same
    in all.
    """

    path: str
    mode: str
    oid: str
    before: tuple[tuple[str, str], ...]

    @property
    def old_oids(self) -> Iterator[str]:
        return (oid for _, oid in self.before)

    @property
    def is_moved(self) -> bool:
        """Was the file renamed, or is it new?"""
        return self.path not in dict(self.before)


def added(text: bytes, before: Sequence[bytes]) -> Lines:
    """The lines of a text that no earlier text has, without the common beginning and end."""
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


def differing(text: bytes, before: bytes) -> bytes:
    """The part of `text` that differs from `before`, and `_REACH` bytes and `NEAR` lines around."""
    start, tail = _same_ends(text, before, _STEP)
    low, high = max(start - _REACH, 0), len(text) - tail + _REACH
    for _ in range(NEAR + 1):
        low = max(text.rfind(b"\n", 0, low), 0)
        high = text.find(b"\n", high) + 1 or len(text)
    return text[low:high]


def _same_ends(text: bytes, before: bytes, step: int = 1) -> tuple[int, int]:
    """The sizes of the common beginning and end, in whole lines, less by up to `step` bytes."""
    size, old = len(text), len(before)
    most = min(size, old)
    start, more = 0, 1 << most.bit_length() >> 1
    while more >= step:
        upto = start + more
        if upto <= most and text.startswith(before[start:upto], start):
            start = upto
        more >>= 1
    start = text.rfind(b"\n", 0, start) + 1
    most -= start
    tail, more = 0, 1 << most.bit_length() >> 1
    while more >= step:
        upto = tail + more
        if upto <= most and text.endswith(before[old - upto : old - tail], 0, size - tail):
            tail = upto
        more >>= 1
    end = text.find(b"\n", size - tail)
    return start, size - end if tail and end >= 0 else 0


def around(text: bytes, lines: Lines) -> bytes:
    """These lines, and `NEAR` lines around them."""
    every = text.split(b"\n")
    return b"\n".join(b"\n".join(every[max(a - 1 - NEAR, 0) : b + NEAR]) for a, b in lines)


class Versions:
    """Lists the files that commits change."""

    def __init__(self, root: str) -> None:
        # Looking for renames is slow, and only a commit that adds and removes files can have any. A
        # process keeps what it has read, so each of the two is used for all commits.
        self._plain = _Differences(root, renames=False)
        self._renamed = _Differences(root, renames=True)

    def close(self) -> None:
        self._plain.close()
        self._renamed.close()

    def of(self, items: Sequence[str]) -> Iterator[tuple[str, Version | Gap]]:
        """What each item changes. An item is a commit, or the ids of two trees. A Gap stands for
        what git cannot read."""
        commits = [item for item in items if " " not in item]
        others = [item for item in items if " " in item]
        for item, got in self._plain.of(commits):
            if got:
                yield item, got
            else:
                others.append(item)
        for item, got in self._renamed.of(others):
            if got:
                yield item, got

    def since_all(self, item: str) -> Iterator[tuple[str, Version | Gap]]:
        """The versions in the last of several trees that differ from all others."""
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


class _Differences(commands.GitProcess):
    """One `git diff-tree`. Without renames, it answers None for a commit that may have renames or
    changes too many files."""

    def __init__(self, root: str, *, renames: bool) -> None:
        how = ("-M", "--diff-filter=d") if renames else ("--no-renames",)
        super().__init__(root, *_ARGUMENTS, "-c", *how)
        self._finds_renames = renames
        self._same: dict[str, str] = {}
        self._end = b". %b\n" % os.urandom(8).hex().encode()  # not an object: git repeats the line

    def of(self, items: Sequence[str]) -> Iterator[tuple[str, Version | Gap | None]]:
        for first in range(0, len(items), _AHEAD):
            yield from self._some(items[first : first + _AHEAD])

    def _some(self, items: Sequence[str]) -> Iterator[tuple[str, Version | Gap | None]]:
        try:
            answers = self._answers(items)
        except (OSError, EOFError) as error:  # git ends if an object is missing or damaged
            self.close()
            too_many = isinstance(error, _TooManyError)
            if too_many and not self._finds_renames and len(items) == 1:
                yield items[0], None  # the other process leaves out removed files
            elif len(items) == 1:
                yield items[0], _gap(items[0], too_many=too_many)
            else:
                for item in items:
                    yield from self._some((item,))
            return
        for item in items:
            if item not in answers:
                yield item, _gap(item)
            yield from ((item, version) for version in answers.get(item, ()))

    def _answers(self, items: Sequence[str]) -> Mapping[str, Sequence[Version | None]]:
        asked, answers = self.pipes()
        asked.write("".join(f"{item}\n" for item in items).encode() + self._end)
        asked.flush()
        output = bytearray()
        while not output.endswith(self._end):
            piece = os.read(answers.fileno(), _PIECE)
            if not piece:
                raise EOFError
            output += piece
            if len(output) > MOST_LISTED:
                raise _TooManyError
        if len(self._same) > _MOST_SAME:
            self._same.clear()
        found, moved = _parsed(bytes(output[: -len(self._end)]), self._same)
        return found if self._finds_renames else found | {item: [None] for item in moved}


def _parsed(
    output: bytes, same: dict[str, str]
) -> tuple[dict[str, list[Version | None]], set[str]]:
    """Parse the output of git diff-tree: the versions by item, and the items that may have renames,
    because they add and remove files.

    Most paths and ids repeat, so that `same` keeps one copy of each. Fields end with a zero byte;
    each item starts with a line.
    """
    found: dict[str, list[Version | None]] = {}
    adds, removes, kept = set(), set(), same.setdefault
    parts = iter(output.decode(errors="surrogateescape").split("\0"))
    item, versions = "", list[Version | None]()
    for part in parts:
        about = part
        while about and about[0] != ":":
            item, _, about = about.partition("\n")
            versions = found[item] = []
        if not about:
            continue
        fields = [kept(each, each) for each in about.lstrip(":").split(" ")]
        old = path = kept(name := next(parts), name)
        if len(fields) > 5:  # all modes come first, then all ids
            last = len(fields) // 2 - 1
            pairs = zip(fields[:last], fields[last + 1 : -2], strict=True)
            before = tuple((old, oid) for mode, oid in pairs if mode not in _NO_TEXT)
            if fields[last] != _NO_FILE:
                versions.append(Version(path, fields[last], fields[-2], before))
            continue
        was, mode, old_oid, oid, status = fields
        if status[0] == "R":
            path = kept(name := next(parts), name)
        if mode == _NO_FILE:
            removes.add(item)
        elif was in _NO_TEXT:
            adds.add(item)
            versions.append(Version(path, mode, oid, ()))
        else:
            versions.append(Version(path, mode, oid, ((old, old_oid),)))
    return found, adds & removes


class _TooManyError(OSError):
    """The list of changed files is too large."""


def _gap(item: str, *, too_many: bool = False) -> Gap:
    what = "what the whole range changes" if " " in item else f"what commit {item[:12]} changes"
    if too_many:
        reason = f"{what} was not scanned: it has more files than keywatch can list"
        return Gap(kind=GapKind.UNREADABLE, path="", reason=reason)
    reason = (
        f"git cannot tell {what}: an object is damaged (git fsck names it), or missing because the "
        "clone is partial (git fetch --refetch --no-filter)"
    )
    return Gap(kind=GapKind.UNREADABLE, path="", reason=reason)
