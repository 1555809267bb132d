"""Detect: SQL -> leaves: the rows of INSERT and of PostgreSQL's COPY, each value by its column.

Only rows are read, of statements that name their columns: without the schema nobody can say what
the others hold. Of an expression (`crypt('…', gen_salt('bf'))`) the first string is the value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from scanner.detect.structure.leaf import MOST_LEAVES, Leaf, NotParsedError, Structure

_LARGEST = 4_000_000
_NAME = rb"(?:[\w.$]++|\"[^\"\n]*\"|`[^`\n]*`|\[[^\]\n]*\])+"
_HEAD = re.compile(
    rb"\b(?:(?:insert(?:\s+(?:ignore|low_priority|delayed))?|replace)\s+into|copy)\s+"
    rb"(?P<table>" + _NAME + rb")\s*\((?P<columns>[^()]{1,8000})\)\s*"
    rb"(?:(?:overriding\s+\w+\s+value\s+)?(?P<values>values)\b|from\s+stdin\b[^;\n]*;[^\n]*\n)",
    re.IGNORECASE,
)
_TOKEN = re.compile(
    rb"\s+|--[^\n]*|/\*.*?\*/|:'[^']*'|(?P<quote>')(?P<string>(?:[^'\\]++|\\.|'')*+)'|(?P<mark>[(),;])"
    rb"|\"[^\"]*\"|`[^`]*`|[^\s'\"`(),;]+|.",
    re.DOTALL,
)
_QUOTES = b' \t\r\n"`[]'


def read_sql(data: bytes) -> Iterator[Structure]:
    """One document for each statement with rows; NotParsedError for a file of too many."""
    if len(data) > _LARGEST:
        raise NotParsedError("it is too large")
    at = count = 0
    while head := _HEAD.search(data, at):
        columns = [_text(column) for column in head["columns"].split(b",")]
        table = _text(head["table"].rpartition(b".")[2])
        rows = _tuples if head["values"] else _lines
        leaves = []
        for row, column, start, end in rows(data, head.end()):
            at = end
            if column < len(columns) and data[start:end] != rb"\N":
                leaves.append(
                    Leaf(path=(table, row, columns[column]), start=start, end=end, style="quoted")
                )
        count += len(leaves)
        if count > MOST_LEAVES:
            raise NotParsedError("it has too many values")
        at = max(at, head.end())
        yield Structure(leaves=tuple(leaves))


def _text(name: bytes) -> str:
    return name.strip(_QUOTES).decode("latin-1")


def _tuples(data: bytes, at: int) -> Iterator[tuple[int, int, int, int]]:
    """(row, column, start, end) of the first string in each value after VALUES."""
    row = column = depth = 0
    is_new = True
    for token in _TOKEN.finditer(data, at):
        mark = token["mark"]
        if mark == b"(":
            depth += 1
            if depth == 1:
                column, is_new = 0, True
        elif mark == b")":
            depth -= 1
            row += depth == 0
        elif mark == b",":
            column, is_new = (column + 1, True) if depth == 1 else (column, is_new)
        elif token["quote"] and depth and is_new:
            yield row, column, *token.span("string")
            is_new = False
        elif depth <= 0 and not token[0].isspace() and not token[0].startswith((b"--", b"/*")):
            return  # the end, ON CONFLICT, RETURNING


def _lines(data: bytes, at: int) -> Iterator[tuple[int, int, int, int]]:
    """The same of the lines after COPY … FROM stdin, up to the one that ends them."""
    row = 0
    while 0 <= at < len(data):
        end = data.find(b"\n", at)
        end = end if end >= 0 else len(data)
        if data.startswith(b"\\.", at):
            return
        start = at
        for column, value in enumerate(data[at:end].rstrip(b"\r").split(b"\t")):
            yield row, column, start, start + len(value)
            start += len(value) + 1
        at, row = end + 1, row + 1
