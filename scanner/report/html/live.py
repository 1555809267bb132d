"""The live secrets of an audit: the rotation board, and what changed since an earlier audit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from scanner.records import Audited, Status
from scanner.report import live_summary, text
from scanner.report.html import words
from scanner.report.html.page import AgeBar, Cell, Table
from scanner.report.order import reach_order

WIDTH = 168
"""The width of an age bar. The limit is usually at two thirds of it."""
_ROOM = 3, 2  # the bar shows at least this many halves of the limit
_TONES = {
    "expired": "bad",
    "overdue": "bad",
    "never-rotated": "bad",
    "undated": "warn",
    "grace": "warn",
    "due-soon": "soon",
    "ok": "ok",
    "": "plain",
}
_PROOFS = {"exact": "exact", "bound": "a bound of the age", "weak": "weak"}
_URGENT = ("bad", "warn", "soon")
_HOW = {"worse": "bad", "new": "warn", "gone": "plain", "better": "ok"}
_HEAD = ("Secret", "State", "Age", "Due", "Owner", "Date from")


def tone(verdict: str) -> str:
    return _TONES.get(verdict, "warn")


def board(live: Audited, now: datetime) -> tuple[Table, ...]:
    """A table for each class, the most urgent first, and in it the most urgent secrets first."""
    groups = sorted(live_summary.by_class(live), key=lambda group: _urgency(group[1]))
    return tuple(_class(name, secrets, now) for name, secrets in groups)


def _urgency(secrets: Sequence[Status]) -> int:
    """The place of the worst tone in _URGENT."""
    tones = {tone(each.verdict) for each in secrets}
    return next((n for n, each in enumerate(_URGENT) if each in tones), len(_URGENT))


def late(live: Audited) -> int:
    """The number of secrets that are not in time, or that nothing shows to be in time."""
    return sum(tone(each.verdict) in ("bad", "warn") for each in live.secrets)


def backends(live: Audited) -> Table:
    """What was read of each backend."""
    rows = []
    for reach in sorted(live.reach, key=reach_order):
        unread = ", ".join(f"{count:,} {kind}" for kind, count in reach.unread.items())
        success = words.moment(reach.last_success) if reach.last_success else "unknown"
        rows.append(
            (
                words.plain(reach.backend, reach.kind),
                words.plain(f"{reach.read:,} of {reach.known:,}"),
                words.labelled("warn", unread) if unread else words.plain("nothing"),
                words.plain(success),
            )
        )
    return Table("Stores", ("Store", "Secrets read", "Not read", "Last complete audit"), rows)


def changes(live: Audited) -> Table | None:
    """The differences from an earlier audit. None if there are none, or no audit to compare."""
    if not live.since or not live.changes:
        return None
    rows = [
        (words.labelled(_HOW[how], how), words.code(name), words.plain(text))
        for how, name, text in live_summary.changes(live.changes)
    ]
    return Table(f"Since {words.moment(live.since)}", ("Change", "Secret", "State"), rows)


def _class(name: str, secrets: Sequence[Status], now: datetime) -> Table:
    limits = sorted({each.limit for each in secrets if each.limit})
    graces = sorted({each.grace for each in secrets if each.grace and each.limit})
    remarks = [
        *(f"rotate every {text.duration(limit)}" for limit in limits),
        *(f"grace {text.duration(grace)}" for grace in graces),
        f"{text.count(len(secrets), 'secret')}: {live_summary.verdicts(secrets)}",
    ]
    rows = [_secret(each, now) for each in secrets]
    remark = words.prose(" · ".join(remarks))
    return Table(words.name(name), _HEAD, rows, remark=remark, name="board")


def _secret(status: Status, now: datetime) -> tuple[Cell, ...]:
    verdict = live_summary.spaced(status.verdict)
    wrong = [words.label("warn", each) for each in status.conditions]
    field = words.name(status.field)
    return (
        words.code(status.id, " · ".join(filter(None, (status.kind, status.backend)))),
        Cell(labels=(words.label(tone(status.verdict), verdict), *wrong)),
        _age(status),
        _due(status, now),
        words.plain(status.owner or "no owner"),
        words.code(field, _PROOFS.get(status.strength, status.strength))
        if field
        else words.plain("no date"),
    )


def _due(status: Status, now: datetime) -> Cell:
    if not status.due:
        return words.plain("unknown" if status.limit else "no limit")
    return words.short(words.day(status.due), words.away(status.due, now))


def _age(status: Status) -> Cell:
    age = live_summary.age(status)
    shown = "unknown" if age == "?" else age
    if not status.limit:
        return words.plain(shown)
    grace = f" + {text.duration(status.grace)}" if status.grace else ""
    return Cell(text=shown, more=f"of {text.duration(status.limit)}{grace}", bar=age_bar(status))


def age_bar(status: Status) -> AgeBar | None:
    """The bar of a secret. None without a limit."""
    if not status.limit:
        return None
    end = status.limit + (status.grace or 0)
    over, under = _ROOM
    full = max(status.limit * over // under, end * 9 // 8)
    least = status.youngest or 0
    most = full if status.oldest is None else max(status.oldest, least)

    def place(seconds: int) -> int:
        return min(seconds, full) * WIDTH // full

    return AgeBar(
        tone=tone(status.verdict),
        least=place(least),
        most=place(most),
        limit=place(status.limit),
        grace=place(end),
        beyond=least > full,
    )
