"""The overview of an organisation: numbers by team, repository, class and age. Pure functions.

A value that is in several places counts once, with its highest severity and its earliest date.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from scanner.fleet.state import Found, Stored
from scanner.model import Gap, Severity
from scanner.report import text
from scanner.report.plain_table import table

LEVELS = tuple(level.label for level in reversed(Severity))
_AGES = (("under 7 days", 7), ("7 to 29 days", 30), ("30 to 89 days", 90), ("90 to 364 days", 365))
_OLDEST, _UNKNOWN = "a year or more", "unknown"
AGES = (*(name for name, _ in _AGES), _OLDEST, _UNKNOWN)
_MOST_LINES = 20  # of each list in the text
_MOST_RUNS = 12
NO_TEAM, NO_CLASS = "(no team)", "(no class)"


class RepositoryLine(NamedTuple):
    """The numbers of one repository."""

    name: str
    team: str
    values: int
    levels: Mapping[str, int]
    suppressed: int
    gaps: int


class Value(NamedTuple):
    """One value, wherever it is. The first place is the most severe one."""

    places: Sequence[Found]

    @property
    def worst(self) -> Found:
        return max(self.places, key=lambda found: (found.row.severity, found.row.confidence))

    @property
    def level(self) -> str:
        return Severity(self.worst.row.severity).label

    @property
    def repositories(self) -> list[str]:
        return sorted({found.repository for found in self.places})

    @property
    def since(self) -> str:
        """The date of the earliest commit with the value, "" if no date is known."""
        return min((found.row.date for found in self.places if found.row.date), default="")


class Overview:
    """Collects the numbers. Memory grows with the number of repositories and teams."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.levels: Counter[str] = Counter()
        self.places = 0
        self.teams: dict[str, Counter[str]] = {}
        self.classes: dict[str, Counter[str]] = {}
        self.ages: dict[str, Counter[str]] = {name: Counter() for name in AGES}
        self.shared: list[tuple[int, str, str, str]] = []
        self.repositories: list[RepositoryLine] = []
        self.gaps: list[Gap] = []
        self.skipped = 0
        self.not_compared = 0
        self.trend: list[Mapping[str, Any]] = []
        self._by_repository: dict[str, Counter[str]] = {}

    @property
    def values(self) -> int:
        return sum(self.levels.values())

    def add_value(self, value: Value) -> None:
        level, row = value.level, value.worst.row
        self.levels[level] += 1
        self.places += len(value.places)
        self.classes.setdefault(row.secret_class or NO_CLASS, Counter())[level] += 1
        self.ages[_age(value.since, self.now)][level] += 1
        for team in {found.team or NO_TEAM for found in value.places}:
            self.teams.setdefault(team, Counter())[level] += 1
        names = value.repositories
        for name in names:
            self._by_repository.setdefault(name, Counter())[level] += 1
        if names[1:]:
            self.shared.append((len(names), level, row.title, row.preview))
            self.shared.sort(key=lambda one: (-one[0], LEVELS.index(one[1]), one[2:]))
            del self.shared[_MOST_LINES:]

    def add_repository(self, stored: Stored) -> None:
        """Call it after all values were added."""
        name, team = stored.target.name, stored.target.team or NO_TEAM
        levels = self._by_repository.pop(name, Counter())
        gaps = [stored.gap] if stored.gap else []
        gaps += (each for each in stored.first_gaps if each.reason not in {g.reason for g in gaps})
        self.repositories.append(
            RepositoryLine(
                name=name,
                team=team,
                values=sum(levels.values()),
                levels=levels,
                suppressed=stored.suppressed,
                gaps=max(len(gaps), stored.gaps),
            )
        )
        self.teams.setdefault(team, Counter())["repositories"] += 1
        for gap in gaps:
            place = name if gap.path in ("", name) else f"{name}: {gap.path}"
            self.gaps.append(gap._replace(path=place))

    @property
    def complete(self) -> bool:
        return not self.gaps and not any(each.gaps for each in self.repositories)

    def summary(self) -> dict[str, Any]:
        """What later runs show as the trend."""
        return {
            "at": text.moment(self.now),
            "repositories": len(self.repositories),
            "values": self.values,
            "places": self.places,
            "severities": {level: self.levels[level] for level in LEVELS},
            "incomplete": sum(bool(each.gaps) for each in self.repositories),
            "complete": self.complete,
        }

    def document(self) -> dict[str, Any]:
        """The overview as JSON."""
        return {
            "schema_version": 1,
            **self.summary(),
            "skipped_repositories": self.skipped,
            "not_compared": self.not_compared,
            "teams": {
                name: {"repositories": count["repositories"], **_levels(count)}
                for name, count in sorted(self.teams.items())
            },
            "classes": {name: _levels(count) for name, count in sorted(self.classes.items())},
            "ages": {name: _levels(count) for name, count in self.ages.items()},
            "shared": [
                {"repositories": number, "severity": level, "title": title, "preview": preview}
                for number, level, title, preview in self.shared
            ],
            "by_repository": (
                {
                    "name": each.name,
                    "team": each.team,
                    **_levels(each.levels),
                    "suppressed": each.suppressed,
                    "gaps": each.gaps,
                }
                for each in self.repositories
            ),
            "gaps": (gap._asdict() for gap in self.gaps),
            "trend": [*self.trend, self.summary()],
        }

    def text(self) -> str:
        """The overview for people."""
        parts = [self._headline(), *self._tables()]
        if self.gaps:
            parts.append("Not scanned\n" + _first([(each.path, each.reason) for each in self.gaps]))
        return "\n".join(parts)

    def _headline(self) -> str:
        levels = ", ".join(f"{self.levels[level]:,} {level}" for level in LEVELS)
        number = len(self.repositories)
        repositories = f"{number:,} {'repository' if number == 1 else 'repositories'}"
        found = f"{text.count(self.values, 'value')} in {text.count(self.places, 'place')}"
        lines = [f"{repositories} · {found} · {levels}"]
        if not self.complete:
            count = sum(bool(each.gaps) for each in self.repositories)
            lines.insert(0, f"Incomplete: {count:,} repositories were not scanned as a whole.")
        if self.skipped:
            lines.append(f"{self.skipped:,} repositories were left out by filters.")
        if self.not_compared:
            lines.append(
                f"{self.not_compared:,} places could not be read again, so their values were not"
                " compared with those of other places."
            )
        return "\n".join(lines) + "\n"

    def _tables(self) -> Iterable[str]:
        head = ("", *LEVELS)
        yield _table("By team", head, self.teams)
        yield _table("By class", head, self.classes)
        yield _table("By age", head, {name: count for name, count in self.ages.items() if count})
        worst = sorted(
            (each for each in self.repositories if each.values),
            key=lambda each: (*(-each.levels.get(level, 0) for level in LEVELS), each.name),
        )
        yield _table("By repository", head, {each.name: each.levels for each in worst})
        if self.shared:
            rows = [
                (f"in {number:,} repositories", level, preview, title)
                for number, level, title, preview in self.shared
            ]
            yield "The same value in several repositories\n" + _first(rows)
        if self.trend:
            runs = [*self.trend, self.summary()][-_MOST_RUNS:]
            numbers: list[tuple[str, ...]] = [
                (
                    each["at"][:10],
                    *(f"{each['severities'].get(level, 0):,}" for level in LEVELS),
                    *(f"{each['places']:,}", f"{each['repositories']:,}"),
                )
                for each in runs
            ]
            yield "Trend\n" + _first(numbers, ("", *LEVELS, "places", "repositories"))


def _levels(count: Mapping[str, int]) -> dict[str, int]:
    return {level: count.get(level, 0) for level in LEVELS}


def _table(title: str, head: Sequence[str], counts: Mapping[str, Mapping[str, int]]) -> str:
    rows = [
        (name, *(f"{count.get(level, 0):,}" for level in LEVELS)) for name, count in counts.items()
    ]
    return f"{title}\n" + _first(rows, head)


def _first(rows: Sequence[Sequence[str]], head: Sequence[str] = ()) -> str:
    """The first rows, and how many more there are."""
    shown = [*((head,) if head else ()), *rows[:_MOST_LINES]]
    more = len(rows) - _MOST_LINES
    rest = f"  … and {more:,} more in overview.json\n" if more > 0 else ""
    return (_indented(table(shown)) if rows else "  none\n") + rest


def _indented(lines: str) -> str:
    return "".join(f"  {line}\n" for line in lines.splitlines())


def _age(since: str, now: datetime) -> str:
    if not since:
        return _UNKNOWN
    age = now - datetime.fromisoformat(since).astimezone(UTC)
    return next((name for name, days in _AGES if age < timedelta(days=days)), _OLDEST)
