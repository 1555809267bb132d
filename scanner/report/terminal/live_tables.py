"""Tables of live secrets by class, and their changes, for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from scanner.records import Audited, Status
from scanner.report import live_summary, text
from scanner.report.terminal.page import Page, Part, cells

_ROWS, _FEW = 40, 3  # of all classes together; at least so many for each
_CHANGES = 20
_NAME = 240  # characters shown of an id that stands on a line of its own
_NARROWEST = 24  # cells in which an id can still be told from others
_STYLES = {"ok": "green", "": "dim", "due-soon": "blue", "grace": "cyan", "undated": "yellow"}
_HOW = {"worse": "red", "new": "yellow", "gone": "dim", "better": "green"}


def standings(live: Audited, page: Page) -> None:
    """Each class with its worst secrets and a bar of the age of each."""
    groups = live_summary.by_class(live)
    room = max(_FEW, _ROWS // max(len(groups), 1))
    for name, secrets in groups:
        _class(name, secrets, room, page)
    _changes(live, page)


def _class(name: str, secrets: Sequence[Status], room: int, page: Page) -> None:
    limits = {each.limit for each in secrets if each.limit}
    every = f" · every {text.duration(min(limits))}" if limits else ""
    count = text.count(len(secrets), "secret")
    page.line((text.shorten(text.visible(name), _NARROWEST), "bold"), (every, ""))
    page.paragraph(f"{count}: {live_summary.verdicts(secrets)}", indent=2, style="dim")
    rows = [_row(each) for each in secrets[:room]]
    widths = [max(map(cells, column)) for column in zip(*rows, strict=True)]
    for status, row in zip(secrets, rows, strict=False):
        _secret(status, row, widths, page)
    if len(secrets) > room:
        rest = secrets[room:]
        page.line((f"  … and {len(rest):,} more: {live_summary.verdicts(rest)}", ""))
    page.space()


def _row(status: Status) -> tuple[str, str, str]:
    return live_summary.bar(status), live_summary.age(status), live_summary.state(status)


def _secret(status: Status, row: Sequence[str], widths: Sequence[int], page: Page) -> None:
    styles = (_STYLES.get(status.verdict, "red"), "", _emphasis(status))
    parts: list[Part] = [("  ", "")]
    for cell, width, each in zip(row, widths, styles, strict=True):
        if width:
            parts.append((cell + " " * (width - cells(cell) + 2), each))
    left = page.width - sum(cells(words) for words, _ in parts)
    page.line(*parts, (text.shorten(text.visible(status.id), max(left, _NARROWEST)), ""))


def _emphasis(status: Status) -> str:
    style = _STYLES.get(status.verdict, "red")
    if live_summary.is_fine(status):
        return style
    return "bold yellow" if status.verdict in ("", "ok") else f"bold {style}"


def _changes(live: Audited, page: Page) -> None:
    if live.since is None:
        return
    since = f"since {text.moment(live.since)}"
    page.line(("changes ", "bold"), (f"{since}: {text.count(len(live.changes), 'secret')}", ""))
    for how, name, words in live_summary.changes(live.changes)[:_CHANGES]:
        page.line((f"  {how:<8}", _HOW[how]), (text.shorten(text.visible(name), _NAME), ""))
        page.paragraph(words, indent=10, style="dim")
    if len(live.changes) > _CHANGES:
        page.line((f"  … and {len(live.changes) - _CHANGES:,} more", ""))
    page.space()
