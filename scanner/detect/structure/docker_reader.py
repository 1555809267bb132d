"""Detect: Dockerfiles -> leaves, of every stage."""

from __future__ import annotations

import re
from collections.abc import Iterator

from scanner.detect.structure.leaf import Leaf, Structure
from scanner.detect.structure.line_reader import read_shell

# An instruction with its continued lines; comments may stand between them.
_INSTRUCTION = re.compile(
    rb"^[ \t]*(?P<word>[A-Za-z]+)[ \t]+"
    rb"(?P<rest>(?:[^\n\\]|\\[^\n]|\\[ \t]*\r?\n(?:[ \t]*#[^\n]*\n)*)*)",
    re.MULTILINE,
)
_PAIR = re.compile(
    rb"""(?P<key>[A-Za-z_]\w*)=(?P<value>"(?:[^"\\]|\\.)*"|'[^']*'|(?:\$\{[^}\n]{0,300}\}|\\.|[^\s\\])*)""",
    re.DOTALL,
)
_OLD_PAIR = re.compile(rb"(?P<key>[A-Za-z_]\w*)[ \t]+(?P<value>[^\n]*)")
_HERE = re.compile(rb"<<-?[ \t]*[\"']?(\w+)[\"']?")


def read_docker(data: bytes) -> Iterator[Structure]:
    """`ENV.NAME`, `ARG.NAME`, and what RUN assigns."""
    leaves: list[Leaf] = []
    at = 0
    while found := _INSTRUCTION.search(data, at):
        word, (start, at) = found["word"].upper().decode(), found.span("rest")
        if word in {"ENV", "ARG", "LABEL"}:
            leaves += _pairs(data, word, start, at)
        elif word == "RUN":
            at = _text_end(data, start, at)
            leaves += _assigned(data, start, at)
    yield Structure(leaves=tuple(leaves))


def _text_end(data: bytes, start: int, end: int) -> int:
    """Where RUN ends: after its here-document, if it has one, which may be the rest of the file."""
    here = _HERE.search(data, start, end)
    if not here:
        return end
    close = re.compile(rb"^" + here[1] + rb"\s*$", re.MULTILINE).search(data, end)
    return close.start() if close else len(data)


def _pairs(data: bytes, word: str, start: int, end: int) -> Iterator[Leaf]:
    pairs = list(_PAIR.finditer(data, start, end))
    if not pairs and word == "ENV":
        pairs = [m for m in [_OLD_PAIR.match(data, start, end)] if m]
    for pair in pairs:
        low, high = pair.span("value")
        quoted = high - low > 1 and pair["value"][:1] in {b'"', b"'"}
        key = pair["key"].decode()
        yield Leaf(
            path=(word, key),
            start=low + quoted,
            end=high - quoted,
            style="quoted" if quoted else "plain",
        )


def _assigned(data: bytes, start: int, end: int) -> Iterator[Leaf]:
    for one in read_shell(data[start:end]):
        for leaf in one.leaves:
            yield leaf._replace(
                path=("RUN", *leaf.path), start=leaf.start + start, end=leaf.end + start
            )
