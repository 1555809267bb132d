"""Report: the access matrix as rows of words, the same in every format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from scanner.records import AccessChange, AccessMatrix, AccessRow

HEAD = ("Service", "Secret", "Class", "Needed", "Granted", "Used", "Verdict", "By")
CHANGES_HEAD = ("", "Service", "Secret", "Before", "After")


def cells(row: AccessRow) -> tuple[str, ...]:
    """A row of the matrix. What is not known is said so, and never shown as empty."""
    needed = "yes" if row.needed else "no"
    granted = ", ".join(row.granted) or "nothing"
    by = f"{row.rule} ({row.where})" if row.rule and row.where else row.rule
    used = row.used or "not known"
    return row.service, row.secret, row.secret_class or "-", needed, granted, used, row.verdict, by


def worst_first(rows: Iterable[AccessRow]) -> list[AccessRow]:
    return sorted(rows, key=lambda row: (row.verdict == "ok", row.service, row.secret))


def summary(matrix: AccessMatrix) -> str:
    """`12 pairs of service and secret: 9 ok, 3 excess`."""
    counts = Counter(row.verdict for row in matrix.rows)
    totals = ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items()))
    return f"{len(matrix.rows):,} pairs of service and secret" + (f": {totals}" if totals else "")


def change(one: AccessChange) -> tuple[str, ...]:
    return one.how, one.service, one.secret, one.before or "-", one.after or "-"
