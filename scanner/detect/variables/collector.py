"""Detect: collect variables from the files of a run, for checks that need the whole tree.

The prefilter for secrets also finds the uses of variables. `names` is imported only for a file that
uses some. If a `.env.example` lists names, a second pass searches the files for these names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from scanner.detect.prefilter import matcher
from scanner.detect.prefilter.matcher import Pattern
from scanner.detect.structure.file_kinds import file_kind
from scanner.file_types import endings
from scanner.model import Reference

MOST = 500
"""How many variables are searched in a tree. The matcher needs half a millisecond for each."""
ENV_FILE = "env_file"
"""A mention in `Notes.mentioned`: some file passes on all variables of an env file."""

_CONFIGURATION = frozenset(("yaml", "json", "toml", "ini", "env", "xml"))
_PROSE = endings("markdown", "restructuredtext", "asciidoc", "text")
# Lines of shell, which files such as `stack.rc` hold: `export A`, `if [`, `source`, `${A:-`.
_SHELL_LINE = re.compile(
    rb"^[ \t]*(?:export[ \t]+\w|if \[|fi\b|source[ \t]|\.[ \t]+[\w./$]|\w+=\$\{\w+:-)", re.MULTILINE
)
_GENERATED_FROM = (".ejs", ".hbs", ".mustache")
_MAX_SIZE = 4 << 20  # bytes of a file whose variables are read
_OVERLAP = 200  # bytes of the previous chunk, since a name may span two chunks
_ENV_FILE = Pattern(
    r"env_file|--env-file|EnvironmentFile=|envFrom:",
    keywords=("env_file", "--env-file", "environmentfile=", "envfrom:"),
    once=True,
)


class Notes(Protocol):
    """Collects what files contain.

    uses: the variables that they need.
    secret_files: the secret files that they name.
    mentioned: those of the searched names that they mention.
    """

    uses: list[Reference]
    secret_files: list[Reference]
    mentioned: set[str]


class Watcher:
    """Reads files while they are scanned.

    names: variables to search, at most `MOST`. If it is None, the run does not cover the whole
        tree, and only compose files are read.
    """

    def __init__(self, names: Sequence[str] | None, engine: str) -> None:
        self._whole_tree = names is not None
        self._matcher = None
        if names:
            self._names = (*names, *sorted({p for name in names if (p := prefix(name))}))
            patterns = (_ENV_FILE, *map(_mention, self._names))
            # It is not cached, because it is useful for this tree only.
            self._matcher = matcher.build(engine, lambda: dict(enumerate(patterns)), "", None)

    def over(self, path: str, shown: str, chunks: Iterable[bytes], notes: Notes) -> Iterable[bytes]:
        """Return the chunks unchanged, and read them. `shown` is the path with secrets masked."""
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
                self._note_uses(
                    path, shown, notes, chunk
                )  # only in compose files, a bare `$NAME` is a use
            if self._matcher:
                hits = self._matcher.hits(before + chunk)
                searched = (ENV_FILE, *self._names)
                found = {searched[index] for index, _ in hits}
                notes.mentioned |= _used(found, path, before + chunk) if found else found
            before = chunk[-_OVERLAP:]
            yield chunk

    def uses(self, path: str, shown: str, notes: Notes, data: bytes) -> None:
        """Note the variables that a file needs. The prefilter found a use in it."""
        if not is_compose(path):  # `over` already did this for compose files
            self._note_uses(path, shown, notes, data)

    def _note_uses(self, path: str, shown: str, notes: Notes, data: bytes) -> None:
        kind = file_kind(path)
        if kind.reader == "ini" and _SHELL_LINE.search(data):
            return  # a script that another one sources, from where it gets its variables
        if path.lower().endswith(_GENERATED_FROM):
            return  # the project that is generated from the template declares them
        if self._whole_tree and kind.reader in _CONFIGURATION and len(data) <= _MAX_SIZE:
            from scanner.detect.variables.names import uses

            notes.uses += uses(shown, kind, data)


def _used(names: set[str], path: str, data: bytes) -> set[str]:
    """Return those of the names that a file uses. Prose does not count, nor do assignments."""
    if path.lower().endswith(_PROSE):
        return set()
    if file_kind(path).reader == "env":
        return {name for name in names if re.search(rb"\$\{?" + name.encode() + rb"\b", data)}
    return names


def is_compose(path: str) -> bool:
    """Is it a Docker Compose file? The substring test is fast for the other files."""
    return ("compose" in path or "stack" in path) and "compose" in file_kind(path).kinds


def is_example(path: str) -> bool:
    """Is it a file that lists variables, such as `.env.example`?"""
    return "env" in path.rpartition("/")[2] and "env-example" in file_kind(path).kinds


def prefix(name: str) -> str:
    """Return the prefix of a name, such as `APP_`, which a settings class may add to its fields."""
    head, mark, _ = name.partition("_")
    return f"{head}_" if head and mark else ""


def _mention(name: str) -> Pattern:
    """Return a pattern for a variable in code.

    `APP_TOKEN` also matches `appToken`, `app.token` and supervisord's `ENV_APP_TOKEN`. The prefix
    `APP_` matches only in quotes, such as `env_prefix="APP_"`.
    """
    words = [re.escape(word) for word in name.split("_") if word] or [name]
    anchor = rf"\b(?:ENV_)?{'[._:-]{0,2}'.join(words)}\b"
    if name.endswith("_"):
        given = r"prefix\w{0,20}[\"'\])]{0,2}[ \t]{0,3}[=:(,][ \t]{0,3}"
        anchor = rf"[\"'`]{words[0]}_{{1,2}}[\"'`]|{given}[\"'`]{words[0]}[\"'`]"
    keywords = (max(words, key=len).lower(),)
    return Pattern(anchor, ignore_case=True, keywords=keywords, once=True)
