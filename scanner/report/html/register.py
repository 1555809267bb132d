"""The exceptions in force, and how many findings each one hides."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from scanner.model import Outcome, SuppressedBy, Suppression
from scanner.report import text
from scanner.report.html import words
from scanner.report.html.page import Cell, Table
from scanner.report.order import entry_order

_HEAD = ("Exception", "For", "Reason", "Owner", "Until", "Hides")
_BASELINES = (SuppressedBy.BASELINE, SuppressedBy.DETECT_SECRETS_BASELINE)
_SOON = 14  # days before its end that an exception is announced


def exceptions(outcome: Outcome, now: datetime) -> tuple[Table, ...]:
    """The exceptions, those that end first at the top, and then the entries of baselines."""
    hides = Counter(item.suppression for item in outcome.suppressed)
    unique = sorted({*outcome.register, *hides}, key=lambda one: _order(one, now))
    ours = [one for one in unique if one.by not in _BASELINES]
    accepted = [one for one in unique if one.by in _BASELINES]
    tables = []
    if ours:
        tables.append(Table("In force", _HEAD, [_row(one, hides[one], now) for one in ours]))
    if accepted:
        hidden = sum(hides[one] for one in accepted)
        remark = (
            f"{text.count(hidden, 'finding')} of this run, accepted when the baseline was written"
        )
        rows = [_row(one, hides[one], now) for one in accepted]
        tables.append(Table("Baseline", _HEAD, rows, remark=remark, is_open=len(rows) <= 20))
    return tuple(tables)


def _order(one: Suppression, now: datetime) -> tuple[object, ...]:
    left = words.days_left(one.until, now)
    return (left is None, left or 0, *entry_order(one))


def _row(one: Suppression, hides: int, now: datetime) -> tuple[Cell, ...]:
    explained = one.reason or ("accepted" if one.by in _BASELINES else "no reason is given")
    return (
        words.plain(one.by.replace("-", " "), str(one.location)),
        words.code(one.path or one.rule, one.rule if one.path else ""),
        words.plain(explained),
        words.plain(one.owner or "no owner"),
        _until(one, now),
        words.plain(text.count(hides, "finding") if hides else _unused(one)),
    )


def _unused(one: Suppression) -> str:
    return "nothing" if one.used else "nothing: unused"


def _until(one: Suppression, now: datetime) -> Cell:
    left = words.days_left(one.until, now)
    if left is None:
        return words.short(one.until or "no end")
    if left < 0:
        return Cell(text=one.until, kind="short", labels=words.labelled("bad", "expired").labels)
    more = words.labelled("warn", f"{text.count(left, 'day')} left").labels if left <= _SOON else ()
    return Cell(text=one.until, kind="short", labels=more)
