"""Detect: looks at the files of a run as they pass, for what only the whole tree can judge.

Beside the one pass for secrets, and as fast: what reads the names (references.py) loads where there
are some.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from scanner import cache
from scanner.detect import matcher
from scanner.detect.matcher import Pattern
from scanner.detect.structure.kinds import FileKind, file_kind
from scanner.model import Reference

MOST = 500
"""Variables that one tree is searched for: the engine needs half a millisecond for each."""
ENV_FILE = "env_file"
"""The mention that says: all variables of a file go somewhere, used there or not."""

_CONFIGURATION = frozenset(("yaml", "json", "toml", "ini", "env", "xml"))
_PROSE = (".md", ".markdown", ".rst", ".adoc", ".txt")
# No configuration by their names: of interest only where a variable is asked for.
_CODE = (
    *(".py", ".pyi", ".js", ".mjs", ".ts", ".tsx", ".jsx", ".go", ".java", ".kt", ".rb", ".php"),
    *(".c", ".h", ".cc", ".cpp", ".hpp", ".rs", ".cs", ".scala", ".pl", ".lua", ".sql", ".sh"),
    *(".html", ".css", ".scss", ".po", ".svg", ".csv", ".map", ".ipynb", *_PROSE),
)
_LARGEST = 4 << 20  # bytes of a file that variables are looked for in
_LONGEST = 200  # bytes of a name that may be cut in two
_USES = (
    Pattern(r"\$\{(?:env:)?[A-Z][A-Za-z0-9_]+(?:\}|:?\?)", keywords=("${",), once=True),
    Pattern(r"\$\([A-Z][A-Za-z0-9_]+\)", keywords=("$(",), once=True),
    Pattern(r"(?i)env[a-z_.]{0,8}[ \t(\[]{1,3}[\"'][a-z]", keywords=("env",), once=True),
)
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

    def __init__(self, names: Sequence[str] | None, engine: str, cache_folder: str | None) -> None:
        self._matcher = None
        if names is not None:
            self._asked = (*names, *sorted({p for name in names if (p := prefix(name))}))
            looked_for = (*_USES, _ENV_FILE, *map(_mention, self._asked))
            key = cache.key(repr(looked_for))
            # With names it is good for one tree alone: the cache would grow with each.
            folder = None if names else cache_folder
            self._matcher = matcher.build(engine, lambda: looked_for, key, folder)

    def over(self, path: str, shown: str, chunks: Iterable[bytes], notes: Notes) -> Iterator[bytes]:
        """The chunks, as they are. `shown` is the path with what must not be shown masked."""
        before = b""
        for chunk in chunks:
            if not before and is_compose(path):
                from scanner.detect.references import secret_files

                notes.secret_files += secret_files(path, shown, chunk)
            if self._matcher and (self._asked or not path.endswith(_CODE)):
                hits = self._matcher.hits(before + chunk)
                self._note(path, shown, before + chunk, {index for index, _ in hits}, notes)
            before = chunk[-_LONGEST:]
            yield chunk

    def _note(self, path: str, shown: str, data: bytes, hits: set[int], notes: Notes) -> None:
        if not hits:
            return
        kind, first = file_kind(path), len(_USES)
        if min(hits) < first and len(data) <= _LARGEST and kind.reader in _CONFIGURATION:
            from scanner.detect.references import uses

            notes.uses += uses(shown, kind, data)
        asked = (ENV_FILE, *self._asked)
        met = {asked[index - first] for index in hits if index >= first}
        notes.mentioned |= _used(met, path, kind, data)


def _used(names: set[str], path: str, kind: FileKind, data: bytes) -> set[str]:
    """Those of the names in a file that it uses: not in words for people, and not where it gives a
    variable its value."""
    if path.lower().endswith(_PROSE):
        return set()
    if kind.reader == "env":
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
    """How code names a variable: in any case, its words parted or not; a prefix within quotes."""
    words = [re.escape(word) for word in name.split("_") if word] or [name]
    anchor = rf"\b{'[._:-]{0,2}'.join(words)}\b"
    if name.endswith("_"):
        given = r"prefix\w{0,20}[\"'\])]{0,2}[ \t]{0,3}[=:(,][ \t]{0,3}"
        anchor = rf"[\"'`]{words[0]}_{{1,2}}[\"'`]|{given}[\"'`]{words[0]}[\"'`]"
    keywords = (max(words, key=len).lower(),)
    return Pattern(anchor, ignore_case=True, keywords=keywords, once=True)
