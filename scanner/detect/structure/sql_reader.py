"""Detect: read the rows of INSERT and of PostgreSQL's COPY, each value under its column.

Statements that do not name their columns are ignored, since the schema is unknown. The value of an
expression (`crypt('…', gen_salt('bf'))`) is its first string.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from scanner.detect.structure.leaf import MAX_LEAVES, Leaf, NotParsedError, Structure

_MAX_SIZE = 4_000_000
_NAME = rb"(?:[\w.$]++|\"[^\"\n]*\"|`[^`\n]*`|\[[^\]\n]*\])+"
# `INSERT INTO users (name, password) VALUES`, `COPY users (name, password) FROM stdin;`.
_STATEMENT = re.compile(
    rb"\b(?:(?:insert(?:\s+(?:ignore|low_priority|delayed))?|replace)\s+into|copy)\s+"
    rb"(?P<table>" + _NAME + rb")\s*\((?P<columns>[^()]{1,8000})\)\s*"
    rb"(?:(?:overriding\s+\w+\s+value\s+)?(?P<values>values)\b|from\s+stdin\b[^;\n]*;[^\n]*\n)",
    re.IGNORECASE,
)
# White space, a comment, psql's `:'variable'`, a string, a sign, a quoted name, a word.
_TOKEN = re.compile(
    rb"\s+|--[^\n]*|/\*.*?\*/|:'[^']*'|(?P<quote>')(?P<string>(?:[^'\\]++|\\.|'')*+)'|(?P<mark>[(),;])"
    rb"|\"[^\"]*\"|`[^`]*`|[^\s'\"`(),;]+|.",
    re.DOTALL,
)
_QUOTES = b' \t\r\n"`[]'


def read_sql(data: bytes) -> Iterator[Structure]:
    """Yield a document for each statement with rows. Raises NotParsedError if it is too large."""
    if len(data) > _MAX_SIZE:
        raise NotParsedError("it is too large")
    at = count = 0
    while statement := _STATEMENT.search(data, at):
        columns = [_text(column) for column in statement["columns"].split(b",")]
        table = _text(statement["table"].rpartition(b".")[2])
        rows = _insert_values if statement["values"] else _copy_values
        leaves = []
        for value in rows(data, statement.end()):
            at = value.end
            is_null = data[value.start : value.end] == rb"\N"
            if value.column < len(columns) and not is_null:
                path = (table, value.row, columns[value.column])
                leaves.append(Leaf(path=path, start=value.start, end=value.end, style="quoted"))
        count += len(leaves)
        if count > MAX_LEAVES:
            raise NotParsedError("it has too many values")
        at = max(at, statement.end())
        yield Structure(leaves=tuple(leaves))


class _Value(NamedTuple):
    """The row and column of a value, and its span in the data."""

    row: int
    column: int
    start: int
    end: int


def _text(name: bytes) -> str:
    return name.strip(_QUOTES).decode("latin-1")


def _insert_values(data: bytes, at: int) -> Iterator[_Value]:
    """Yield the first string of each value after VALUES, which ends before `at`."""
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
            start, end = token.span("string")
            yield _Value(row=row, column=column, start=start, end=end)
            is_new = False
        elif depth <= 0 and not token[0].isspace() and not token[0].startswith((b"--", b"/*")):
            return  # the end of the rows: `;`, ON CONFLICT, RETURNING


def _copy_values(data: bytes, at: int) -> Iterator[_Value]:
    r"""Yield the values of the lines after COPY … FROM stdin, which begin at `at`, up to `\.`."""
    row = 0
    while 0 <= at < len(data):
        end = data.find(b"\n", at)
        end = end if end >= 0 else len(data)
        if data.startswith(b"\\.", at):
            return
        start = at
        for column, value in enumerate(data[at:end].rstrip(b"\r").split(b"\t")):
            yield _Value(row=row, column=column, start=start, end=start + len(value))
            start += len(value) + 1
        at, row = end + 1, row + 1
