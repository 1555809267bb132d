"""Plain text tables of values that may be hostile."""

from __future__ import annotations

from collections.abc import Sequence

from scanner.report.text import shorten, visible

_WIDEST = 60
_WIDEST_LAST = 200  # of the last column


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as lines: each column as wide as its widest cell, the last one unpadded."""
    shown = [
        [*(shorten(visible(cell), _WIDEST) for cell in row), shorten(visible(last), _WIDEST_LAST)]
        for *row, last in rows
    ]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    return "".join(_line(row, widths) for row in shown)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
    return "  ".join(cells).rstrip() + "\n"
