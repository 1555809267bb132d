"""The dated record of an access review, as Markdown, and what changed since an earlier one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from scanner.console import Console
from scanner.errors import ConfigError
from scanner.model import Outcome
from scanner.records import AccessChange, AccessRow
from scanner.report import text as texts

_HEAD = (
    *("Service", "Role", "Secret", "Class", "Needed", "Granted", "Used", "Rule", "Verdict"),
    *("Reviewer", "Decision", "Date"),
)
_MAX_ROWS = 100_000
_CELL = re.compile(r"(?<!\\)\|")


class Row(NamedTuple):
    """A row of a record, as written there."""

    service: str
    secret: str
    needed: str
    granted: str


def text(outcome: Outcome, now: datetime, root: str) -> str:
    """The record: a row for each grant and each need, with empty cells for the reviewer."""
    return "".join(f"{line}\n" for line in _lines(outcome, now, root))


def _lines(outcome: Outcome, now: datetime, root: str) -> Iterator[str]:
    matrix = outcome.access
    rows = matrix.rows if matrix else ()
    yield f"# Access review of {_cell(root)}, {now:%Y-%m-%d}"
    yield ""
    yield "Written by `keywatch access review --record`. Fill in reviewer, decision and date of "
    yield "each row. The next review compares with this file: `--compare FILE`."
    if not outcome.complete:
        yield ""
        yield f"Incomplete: {len(outcome.gaps)} parts could not be read."
        for gap in outcome.gaps:
            yield f"- {_cell(gap.path)}: {_cell(gap.reason)}"
    yield ""
    yield _line(_HEAD)
    yield f"|{'---|' * len(_HEAD)}"
    for row in rows:
        yield _line(_cells(row))
    if not rows:
        yield ""
        yield "No grant and no need was found."


def _cells(row: AccessRow) -> tuple[str, ...]:
    return (
        *(row.service, row.role, row.secret, row.secret_class, "yes" if row.needed else "no"),
        *(", ".join(row.granted), row.used or "not known", row.rule, row.verdict, "", "", ""),
    )


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(value: str) -> str:
    return texts.for_markdown(value)


def read(name: str, console: Console) -> Mapping[tuple[str, str], Row]:
    """The rows of an earlier record, by service and secret as its cells show them. UsageError,
    ConfigError: it cannot be read, or is not a record."""
    data = console.file(name)
    try:
        lines = data.decode().splitlines()
    except UnicodeDecodeError:
        raise ConfigError(f"{name} is not valid UTF-8", where=f"{name}:1") from None
    wanted = [_cell(one) for one in _HEAD[:6]]
    rows: dict[tuple[str, str], Row] = {}
    seen = False
    for line in lines[:_MAX_ROWS]:
        if not line.startswith("|"):
            continue
        cells = [cell.strip() for cell in _CELL.split(line)[1:-1]]
        if cells[:6] == wanted:
            seen = True
        elif seen and len(cells) == len(_HEAD) and not set(cells[0]) <= {"-"}:
            row = Row(service=cells[0], secret=cells[2], needed=cells[4], granted=cells[5])
            rows[row.service, row.secret] = row
    if not seen or len(lines) > _MAX_ROWS:
        raise ConfigError(
            f"{name} is not a record of an access review",
            todo="name a file that --record wrote",
            where=f"{name}:1",
        )
    return rows


def compared(
    earlier: Mapping[tuple[str, str], Row], rows: Sequence[AccessRow]
) -> tuple[AccessChange, ...]:
    """Grants and needs that are new, gone or different since the earlier record."""
    found = []
    left = dict(earlier)
    for row in rows:
        key = (_cell(row.service), _cell(row.secret))
        before = left.pop(key, None)
        now = _state("yes" if row.needed else "no", _cell(", ".join(row.granted)))
        was = _state(before.needed, before.granted) if before else ""
        if now != was:
            how = "changed" if before else "new"
            found.append(AccessChange(how, row.service, row.secret, was, now))
    for gone in left.values():
        was = _state(gone.needed, gone.granted)
        found.append(AccessChange("gone", gone.service, gone.secret, was, ""))
    return tuple(sorted(found))


def _state(needed: str, granted: str) -> str:
    return f"{'needed' if needed == 'yes' else 'not needed'}, granted: {granted or 'nothing'}"
