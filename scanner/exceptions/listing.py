"""The command line: the register of exceptions, for whoever has to answer for them."""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta

from scanner.console import Io
from scanner.errors import UsageError
from scanner.model import Suppression
from scanner.report import columns
from scanner.report.text import count, storable, visible

_DEBT = ("baseline", "detect-secrets-baseline")
_WORDS = ("by", "where", "rule", "path", "reason", "owner", "until")


def add_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--expiring", metavar="DAYS", help="only what ends within this time, as 30d, or has ended"
    )
    group.add_argument("--json", action="store_true", help="for a program")


def show(args: argparse.Namespace, io: Io, said: Sequence[Suppression], today: date) -> None:
    """Print all that stands between the rules and what the repository holds."""
    if args.expiring:
        latest = today + timedelta(days=_days(args.expiring))
        said = [each for each in said if each.until and _end(each) <= latest]
    io.write(_as_json(said, today) if args.json else _as_text(said, today))


def _days(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,4})d?", text)
    if found is None:
        raise UsageError(f"--expiring {text} is no number of days", todo="--expiring 30d")
    return int(found[1])


def _end(said: Suppression) -> date:
    return date.fromisoformat(said.until)


def _dated(said: Sequence[Suppression]) -> list[Suppression]:
    return sorted((s for s in said if s.until), key=lambda s: (s.until, s.where))


def _endless(said: Sequence[Suppression]) -> list[Suppression]:
    """What nobody explained: comments of other tools, and what is switched off."""
    return [s for s in said if not s.until and s.by not in _DEBT]


def _debt(said: Sequence[Suppression]) -> dict[str, int]:
    """How many entries each baseline has."""
    files = (s.where.rpartition(":")[0] or s.where for s in said if s.by in _DEBT)
    return dict(sorted(Counter(files).items()))


def _as_json(said: Sequence[Suppression], today: date) -> str:
    def row(each: Suppression) -> dict[str, object]:
        words = {name: storable(getattr(each, name)) for name in _WORDS if getattr(each, name)}
        left = {"days_left": (_end(each) - today).days} if each.until else {}
        return {**words, **left, "used": each.used}

    whole = {
        "version": 1,
        "today": today.isoformat(),
        "exceptions": [row(each) for each in _dated(said)],
        "unexplained": [row(each) for each in _endless(said)],
        "debt": _debt(said),
    }
    return json.dumps(whole, indent=1) + "\n"


def _as_text(said: Sequence[Suppression], today: date) -> str:
    dated, endless, debt = _dated(said), _endless(said), _debt(said)
    parts = []
    if dated:
        head = ("until", "left", "owner", "rule", "where", "reason")
        rows = [(s.until, _left(s, today), s.owner, s.rule, s.where, s.reason) for s in dated]
        parts.append(columns.table([head, *rows]))
    if endless:
        rows_ = [(s.by, s.where, s.rule, _use(s), s.reason) for s in endless]
        parts.append("without a reason, an owner or an end:\n" + columns.table(rows_))
    if debt:
        words = ", ".join(f"{count(n, 'finding')} in {visible(name)}" for name, n in debt.items())
        parts.append(f"debt: {words} (keywatch baseline show)\n")
    return "\n".join(parts) or "no exceptions\n"


def _left(said: Suppression, today: date) -> str:
    days = (_end(said) - today).days
    left = "ended" if days < 0 else count(days, "day")
    return left if said.used else f"{left}, {_use(said)}"


def _use(said: Suppression) -> str:
    return "" if said.used else "covers nothing"
