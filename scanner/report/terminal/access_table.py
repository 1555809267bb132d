"""Report: for the terminal, the access matrix, narrower policies, and changes."""

from __future__ import annotations

from scanner.records import AccessMatrix
from scanner.report import text
from scanner.report.access import matrix as access_matrix
from scanner.report.terminal.page import Page, cells

_ROWS = 40
_CHANGES = 20
_PROPOSALS = 3
_LINES = 40  # shown of one proposed policy
_CELL = 60
_STYLES = {"ok": "green", "excess": "bold red", "missing": "yellow", "unused": "cyan"}


def show(matrix: AccessMatrix, page: Page) -> None:
    """The matrix with what is wrong first; of long ones the beginning."""
    page.line(("access matrix ", "bold"), (access_matrix.summary(matrix), ""))
    _rows(matrix, page)
    _changes(matrix, page)
    _proposals(matrix, page)


def _rows(matrix: AccessMatrix, page: Page) -> None:
    rows = access_matrix.worst_first(matrix.rows)
    shown = [access_matrix.cells(row)[:-1] for row in rows[:_ROWS]]
    table = [access_matrix.HEAD[:-1], *shown] if shown else []
    table = [tuple(text.shorten(text.visible(cell), _CELL) for cell in row) for row in table]
    widths = [max(map(cells, column)) for column in zip(*table, strict=True)]
    for number, row in enumerate(table):
        style = "dim" if number == 0 else _STYLES.get(row[-1], "")
        parts = [
            (cell + " " * (width - cells(cell) + 2), "")
            for cell, width in zip(row[:-1], widths, strict=False)
        ]
        page.line(("  ", ""), *parts, (row[-1], style))
    if len(rows) > _ROWS:
        page.line((f"  … and {len(rows) - _ROWS:,} more; --report csv=FILE has all", ""))
    page.space()


def _changes(matrix: AccessMatrix, page: Page) -> None:
    if not matrix.since:
        return
    count = text.count(len(matrix.changes), "change")
    page.line(("changes ", "bold"), (f"since {text.visible(matrix.since)}: {count}", ""))
    for change in matrix.changes[:_CHANGES]:
        how, service, secret, before, after = map(text.visible, access_matrix.change(change))
        page.paragraph(f"{how}: {service} and {secret}: {before} -> {after}", indent=2)
    if len(matrix.changes) > _CHANGES:
        page.line((f"  … and {len(matrix.changes) - _CHANGES:,} more", ""))
    page.space()


def _proposals(matrix: AccessMatrix, page: Page) -> None:
    for proposal in matrix.proposals[:_PROPOSALS]:
        name = text.shorten(text.visible(proposal.service), _CELL)
        page.line(("narrower policy ", "bold"), (f"for {name}:", ""))
        lines = proposal.text.splitlines()
        for line in lines[:_LINES]:
            page.line(("    ", ""), (text.visible(line), ""))
        if len(lines) > _LINES:
            page.line((f"    … and {len(lines) - _LINES:,} more lines; --write-policy DIR", ""))
        page.space()
    if len(matrix.proposals) > _PROPOSALS:
        rest = len(matrix.proposals) - _PROPOSALS
        page.line((f"… and {rest:,} more narrower policies; --write-policy DIR writes them", ""))
        page.space()
