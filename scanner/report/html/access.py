"""The access matrix: a grid of secrets and services, and a table that explains each pair."""

from __future__ import annotations

from scanner.records import AccessMatrix, AccessRow
from scanner.report.access import matrix as rows_of
from scanner.report.html import words
from scanner.report.html.page import Access, Cell, Grid, Label, Table

_TONES = {"ok": "ok", "excess": "bad", "missing": "warn", "unused": "soon"}
_SERVICES, _SECRETS = 12, 300  # of the largest grid
_HEAD = ("Service", "Secret", "Verdict", "Needed", "Granted", "Used", "Granted by")


def access(matrix: AccessMatrix) -> Access:
    pairs = rows_of.worst_first(matrix.rows)
    tables = [Table("Each pair", _HEAD, [_pair(each) for each in pairs], name="pairs")]
    if matrix.since and matrix.changes:
        changes = [tuple(map(words.plain, rows_of.change(each))) for each in matrix.changes]
        head = ("Change", *rows_of.CHANGES_HEAD[1:])
        tables.append(Table(f"Changes since {words.name(matrix.since)}", head, changes))
    return Access(
        summary=rows_of.summary(matrix),
        grid=_grid(matrix),
        tables=tuple(tables),
        policies=tuple(
            (words.name(each.service), tuple(each.text.splitlines())) for each in matrix.proposals
        ),
    )


def _pair(row: AccessRow) -> tuple[Cell, ...]:
    service, secret, secret_class, needed, granted, used, verdict, by = rows_of.cells(row)
    return (
        words.plain(service, row.role),
        words.code(secret, secret_class),
        words.labelled(_TONES.get(verdict, "warn"), verdict),
        words.short(needed),
        words.plain(granted),
        words.short(used),
        words.plain(by),
    )


def _grid(matrix: AccessMatrix) -> Grid | None:
    services = sorted({row.service for row in matrix.rows})
    secrets = sorted({(row.secret, row.secret_class) for row in matrix.rows})
    if not secrets or len(services) > _SERVICES or len(secrets) > _SECRETS:
        return None
    pairs = {(row.secret, row.service): row for row in matrix.rows}
    return Grid(
        services=tuple(map(words.name, services)),
        rows=tuple(
            (
                words.name(secret),
                words.name(secret_class),
                tuple(_label(pairs.get((secret, service))) for service in services),
            )
            for secret, secret_class in secrets
        ),
    )


def _label(row: AccessRow | None) -> Label | None:
    """What is granted, and what is wrong with it."""
    if row is None:
        return None
    granted = ", ".join(row.granted)
    label = granted if row.verdict == "ok" else ": ".join(filter(None, (row.verdict, granted)))
    return words.label(_TONES.get(row.verdict, "warn"), label or "nothing")
