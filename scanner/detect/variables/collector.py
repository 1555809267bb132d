"""Detect: looks at the files of a run as they pass, for what only the whole tree can judge.

Uses of variables come from the one pass for secrets; what reads their names (references.py) loads
where there are some. A pass of its own goes over a tree whose `.env.example` lists names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from scanner.detect.prefilter import matcher
from scanner.detect.prefilter.matcher import Pattern
from scanner.detect.structure.file_kinds import file_kind
from scanner.model import Reference

MOST = 500
"""Variables that one tree is searched for: the engine needs half a millisecond for each."""
ENV_FILE = "env_file"
"""The mention that says: all variables of a file go somewhere, used there or not."""

_CONFIGURATION = frozenset(("yaml", "json", "toml", "ini", "env", "xml"))
_PROSE = (".md", ".markdown", ".rst", ".adoc", ".txt")
_LARGEST = 4 << 20  # bytes of a file that variables are looked for in
_LONGEST = 200  # bytes of a name that may be cut in two
_ENV_FILE = Pattern(
    r"env_file|--env-file|EnvironmentFile=|envFrom:",
    keywords=("env_file", "--env-file", "environmentfile=", "envfrom:"),
    once=True,
)


class Notes(Protocol):
    """Where it is noted what files said: the variables that they need, the secret files that they
    name, and which of the names that were asked for they mention."""

    uses: list[Reference]
    secret_files: list[Reference]
    mentioned: set[str]


class Watcher:
    """Looks at files as they pass: at compose files alone where `names` is None, since the rest is
    of use only where the whole tree passes. `names`: variables to look for, `MOST` at most."""

    def __init__(self, names: Sequence[str] | None, engine: str) -> None:
        self._whole_tree = names is not None
        self._matcher = None
        if names:
            self._asked = (*names, *sorted({p for name in names if (p := prefix(name))}))
            looked_for = (_ENV_FILE, *map(_mention, self._asked))
            # Kept nowhere: it is good for one tree alone, and the cache would grow with each.
            self._matcher = matcher.build(engine, lambda: dict(enumerate(looked_for)), "", None)

    def over(self, path: str, shown: str, chunks: Iterable[bytes], notes: Notes) -> Iterable[bytes]:
        """The chunks, as they are. `shown` is the path with what must not be shown masked."""
        if is_compose(path) or self._matcher:
            return self._over(path, shown, chunks, notes)
        return chunks

    def _over(
        self, path: str, shown: str, chunks: Iterable[bytes], notes: Notes
    ) -> Iterator[bytes]:
        before = b""
        for chunk in chunks:
            if not before and is_compose(path):
                from scanner.detect.variables.names import secret_files

                notes.secret_files += secret_files(path, shown, chunk)
                self._note_uses(path, shown, notes, chunk)  # a bare `$V` is one here alone
            if self._matcher:
                hits = self._matcher.hits(before + chunk)
                asked = (ENV_FILE, *self._asked)
                met = {asked[index] for index, _ in hits}
                notes.mentioned |= _used(met, path, before + chunk) if met else met
            before = chunk[-_LONGEST:]
            yield chunk

    def uses(self, path: str, shown: str, notes: Notes, data: bytes) -> None:
        """Note the variables that a file needs; the one pass met a use in it (uses.py)."""
        if not is_compose(path):  # there `over` looked for them
            self._note_uses(path, shown, notes, data)

    def _note_uses(self, path: str, shown: str, notes: Notes, data: bytes) -> None:
        kind = file_kind(path)
        if self._whole_tree and kind.reader in _CONFIGURATION and len(data) <= _LARGEST:
            from scanner.detect.variables.names import uses

            notes.uses += uses(shown, kind, data)


def _used(names: set[str], path: str, data: bytes) -> set[str]:
    """Those of the names in a file that it uses: not in words for people, and not where it gives a
    variable its value."""
    if path.lower().endswith(_PROSE):
        return set()
    if file_kind(path).reader == "env":
        return {name for name in names if re.search(rb"\$\{?" + name.encode() + rb"\b", data)}
    return names


def is_compose(path: str) -> bool:
    return ("compose" in path or "stack" in path) and "compose" in file_kind(path).kinds


def is_example(path: str) -> bool:
    """Is it one of the files that list variables: `.env.example` and its like?"""
    return "env" in path.rpartition("/")[2] and "env-example" in file_kind(path).kinds


def prefix(name: str) -> str:
    """What a settings class or a framework may put before the names of its fields: `APP_`."""
    head, mark, _ = name.partition("_")
    return f"{head}_" if head and mark else ""


def _mention(name: str) -> Pattern:
    """How code names a variable: in any case, its words parted or not, after the `ENV_` of
    supervisord, too; a prefix within quotes."""
    words = [re.escape(word) for word in name.split("_") if word] or [name]
    anchor = rf"\b(?:ENV_)?{'[._:-]{0,2}'.join(words)}\b"
    if name.endswith("_"):
        given = r"prefix\w{0,20}[\"'\])]{0,2}[ \t]{0,3}[=:(,][ \t]{0,3}"
        anchor = rf"[\"'`]{words[0]}_{{1,2}}[\"'`]|{given}[\"'`]{words[0]}[\"'`]"
    keywords = (max(words, key=len).lower(),)
    return Pattern(anchor, ignore_case=True, keywords=keywords, once=True)
