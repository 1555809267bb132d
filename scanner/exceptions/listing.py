"""List exceptions and baselines for the people who are responsible for them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta

from scanner.errors import UsageError
from scanner.model import Suppression
from scanner.report import plain_table
from scanner.report.text import count, storable, visible

_BASELINES = ("baseline", "detect-secrets-baseline")
_WORDS = ("rule", "path", "reason", "owner", "until")


def text(
    register: Sequence[Suppression], today: date, *, expiring: str | None, as_json: bool
) -> str:
    """Everything that hides a finding, as text or JSON.

    `expiring` such as `30d` limits the list to what ends within that time. UsageError if it is not
    a number of days.
    """
    if expiring:
        latest = today + timedelta(days=_days(expiring))
        register = [each for each in register if each.until and _end(each) <= latest]
    return _as_json(register, today) if as_json else _as_text(register, today)


def _days(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,4})d?", text)
    if found is None:
        raise UsageError(
            f"--expiring {text} is not a number of days", todo="write it as --expiring 30d"
        )
    return int(found[1])


def _end(exception: Suppression) -> date:
    return date.fromisoformat(exception.until)


def _dated(exceptions: Sequence[Suppression]) -> list[Suppression]:
    return sorted((s for s in exceptions if s.until), key=lambda s: (s.until, s.location))


def _endless(exceptions: Sequence[Suppression]) -> list[Suppression]:
    """Exceptions without a reason: comments of other tools, and disabled rules."""
    return [s for s in exceptions if not s.until and s.by not in _BASELINES]


def _baselines(exceptions: Sequence[Suppression]) -> dict[str, int]:
    """The number of entries of each baseline."""
    files = (s.location.path for s in exceptions if s.by in _BASELINES)
    return dict(sorted(Counter(files).items()))


def _as_json(exceptions: Sequence[Suppression], today: date) -> str:
    def row(each: Suppression) -> dict[str, object]:
        words = {"by": each.by, "where": str(each.location)}
        words |= {name: getattr(each, name) for name in _WORDS}
        left = {"days_left": (_end(each) - today).days} if each.until else {}
        return {
            **{name: storable(word) for name, word in words.items() if word},
            **left,
            "used": each.used,
        }

    whole = {
        "version": 1,
        "today": today.isoformat(),
        "exceptions": [row(each) for each in _dated(exceptions)],
        "unexplained": [row(each) for each in _endless(exceptions)],
        "baselines": _baselines(exceptions),
    }
    return json.dumps(whole, indent=1) + "\n"


def _as_text(exceptions: Sequence[Suppression], today: date) -> str:
    dated, endless, baselines = _dated(exceptions), _endless(exceptions), _baselines(exceptions)
    parts = []
    if dated:
        head = ("until", "left", "owner", "rule", "where", "reason")
        rows = [
            (s.until, _left(s, today), s.owner, s.rule, str(s.location), s.reason) for s in dated
        ]
        parts.append(plain_table.table([head, *rows]))
    if endless:
        rows_ = [(s.by, str(s.location), s.rule, _use(s), s.reason) for s in endless]
        parts.append("without a reason, an owner or an end date:\n" + plain_table.table(rows_))
    if baselines:
        words = ", ".join(
            f"{count(n, 'finding')} in {visible(name)}" for name, n in baselines.items()
        )
        parts.append(f"baselines: {words} (keywatch baseline show)\n")
    return "\n".join(parts) or "no exceptions\n"


def _left(exception: Suppression, today: date) -> str:
    days = (_end(exception) - today).days
    left = "ended" if days < 0 else count(days, "day")
    return left if exception.used else f"{left}, {_use(exception)}"


def _use(exception: Suppression) -> str:
    return "" if exception.used else "covers nothing"
