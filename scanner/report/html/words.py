"""Small words that several sections share: labels, times, and texts of a bounded length."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from scanner.report import text
from scanner.report.html.page import Cell, Label

_NAME, _PROSE = 240, 1200  # characters shown of a name and of a text
_LABEL = 28  # characters shown of a label and of a text that is not wrapped
_DAY = timedelta(days=1)


def name(words: str) -> str:
    return text.shorten(words, _NAME)


def prose(words: str) -> str:
    return text.shorten(words, _PROSE)


def code(words: str, more: str = "") -> Cell:
    return Cell(text=name(words), more=prose(more), kind="code")


def short(words: str, more: str = "") -> Cell:
    """A date or a word, which is not wrapped."""
    return Cell(text=text.shorten(words, _LABEL), more=prose(more), kind="short")


def plain(words: str, more: str = "") -> Cell:
    return Cell(text=prose(words), more=prose(more))


def labelled(tone: str, words: str) -> Cell:
    return Cell(labels=(label(tone, words),))


def label(tone: str, words: str) -> Label:
    return Label(tone, text.shorten(words, _LABEL))


def moment(when: datetime) -> str:
    """`2027-01-31 12:00 UTC`."""
    return f"{when:%Y-%m-%d %H:%M} UTC"


def day(when: datetime) -> str:
    return f"{when:%Y-%m-%d}"


def away(when: datetime, now: datetime) -> str:
    """`in 10d` or `14d ago`."""
    if when < now:
        return f"{text.duration((now - when) // timedelta(seconds=1))} ago"
    return f"in {text.duration((when - now) // timedelta(seconds=1))}"


def days_left(until: str, now: datetime) -> int | None:
    """Days from today to a date such as 2027-01-31, negative if it has passed. None if `until` is
    no date."""
    try:
        return (date.fromisoformat(until) - now.date()) // _DAY
    except ValueError:
        return None
