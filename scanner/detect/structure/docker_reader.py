"""Detect: read the variables of all stages of a Dockerfile."""

from __future__ import annotations

import re
from collections.abc import Iterator

from scanner.detect.structure.leaf import Leaf, Structure
from scanner.detect.structure.line_reader import read_shell

# An instruction with its continued lines and the comments between them: `RUN a \`, `  && b`.
_INSTRUCTION = re.compile(
    rb"^[ \t]*(?P<word>[A-Za-z]+)[ \t]+"
    rb"(?P<rest>(?:[^\n\\]|\\[^\n]|\\[ \t]*\r?\n(?:[ \t]*#[^\n]*\n)*)*)",
    re.MULTILINE,
)
# `NAME="two words"`, `NAME='x'`, `NAME=${X:-y}`.
_ASSIGNMENT = re.compile(
    rb"""(?P<key>[A-Za-z_]\w*)=(?P<value>"(?:[^"\\]|\\.)*"|'[^']*'|(?:\$\{[^}\n]{0,300}\}|\\.|[^\s\\])*)""",
    re.DOTALL,
)
# The older form `ENV NAME value`.
_OLD_ASSIGNMENT = re.compile(rb"(?P<key>[A-Za-z_]\w*)[ \t]+(?P<value>[^\n]*)")
_HERE_DOCUMENT = re.compile(rb"<<-?[ \t]*[\"']?(\w+)[\"']?")


def read_docker(data: bytes) -> Iterator[Structure]:
    """Yield one document with `ENV.NAME`, `ARG.NAME`, `LABEL.NAME` and `RUN.NAME`."""
    leaves: list[Leaf] = []
    at = 0
    while found := _INSTRUCTION.search(data, at):
        word, (start, at) = found["word"].upper().decode(), found.span("rest")
        if word in {"ENV", "ARG", "LABEL"}:
            leaves += _assignments(data, word, start, at)
        elif word == "RUN":
            at = _end_of_run(data, start, at)
            leaves += _shell_assignments(data, start, at)
    yield Structure(leaves=tuple(leaves))


def _end_of_run(data: bytes, start: int, end: int) -> int:
    """Return the end of RUN, including its here-document. One that does not end is the rest."""
    here = _HERE_DOCUMENT.search(data, start, end)
    if not here:
        return end
    close = re.compile(rb"^" + here[1] + rb"\s*$", re.MULTILINE).search(data, end)
    return close.start() if close else len(data)


def _assignments(data: bytes, word: str, start: int, end: int) -> Iterator[Leaf]:
    found = list(_ASSIGNMENT.finditer(data, start, end))
    if not found and word == "ENV":
        old = _OLD_ASSIGNMENT.match(data, start, end)
        found = [old] if old else []
    for match in found:
        low, high = match.span("value")
        quoted = high - low > 1 and match["value"][:1] in {b'"', b"'"}
        key = match["key"].decode()
        yield Leaf(
            path=(word, key),
            start=low + quoted,
            end=high - quoted,
            style="quoted" if quoted else "plain",
        )


def _shell_assignments(data: bytes, start: int, end: int) -> Iterator[Leaf]:
    for document in read_shell(data[start:end]):
        for leaf in document.leaves:
            yield leaf._replace(
                path=("RUN", *leaf.path), start=leaf.start + start, end=leaf.end + start
            )
