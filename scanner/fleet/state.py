"""What was scanned, and what was found, in one SQLite file.

Each result of a unit is stored in one transaction with the mark that the unit is done, so that a
process may be killed at any time. The file holds masked findings and 16-bit tags, and nothing that
identifies a value.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import operator
import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from scanner import cache
from scanner.errors import UsageError
from scanner.fleet import state_file
from scanner.fleet.cluster.items import relevant
from scanner.fleet.cluster.units import Item, Judged, Row, Scanned, Spot
from scanner.fleet.targets import Target
from scanner.model import Gap

_COLUMNS = ", ".join(f'"{name}"' for name in Row._fields)


class Known(NamedTuple):
    """What an earlier run knows about a repository."""

    id: int
    done: int = 0
    refs: str = ""
    tips: tuple[str, ...] = ()
    rules: str = ""
    base: str = ""
    until: str = ""
    failed: bool = False


class Planned(NamedTuple):
    """The new units of a repository, and units of others that will scan some of its commits."""

    units: tuple[int, ...]
    awaited: frozenset[int]


class Candidate(NamedTuple):
    """A value that may be equal to others with its tag. `value` is its number, None if it is not
    compared yet."""

    repository: int
    number: int
    value: int | None
    tag: int
    spot: Spot


class Stored(NamedTuple):
    """A repository with its last report. `failing`, `gaps` and `suppressed` count what is in it.
    `gap` says why the last run could not scan it as a whole, None if it could. `first_gaps` are
    some of those in the report."""

    id: int
    target: Target
    report: bytes | None
    gap: Gap | None
    failing: int
    gaps: int
    first_gaps: tuple[Gap, ...]
    suppressed: int
    is_written: bool


class Found(NamedTuple):
    """A finding with its repository and the team that owns it."""

    repository: str
    team: str
    row: Row


def refs_key(refs: Mapping[str, str]) -> str:
    return cache.key(*(f"{refs[name]} {name}" for name in sorted(refs)))


class State:
    """The open state file. Only one process can hold it."""

    def __init__(self, database: sqlite3.Connection, run: int) -> None:
        self._db = database
        self.run = run

    @classmethod
    @contextlib.contextmanager
    def opened(cls, path: str, now: datetime, *, resume: bool = False) -> Iterator[State]:
        """Open or create the file, and begin a run, or continue the last one that did not finish.

        UsageError if another fleet holds the file, or if there is nothing to resume.
        """
        if resume and not os.path.exists(path):
            raise UsageError(
                f"there is no state {path} to resume", todo="leave out --resume for a first run"
            )
        database = state_file.connected(path)
        try:
            yield cls(database, state_file.begun(database, now, resume=resume))
        finally:
            database.close()

    # Repositories

    def target(self, target: Target) -> Known:
        """Remember that the repository is part of this run; what earlier runs know about it."""
        with self._transaction():
            self._db.execute(
                "INSERT INTO repository (name, done, refs, base, until, gap_reason)"
                " VALUES (?, 0, '', '', '', '') ON CONFLICT DO NOTHING",
                (_safe(target.name),),
            )
            self._db.execute(
                "UPDATE repository SET address = ?, team = ?, archived = ?, fork_of = ?, seen = ?"
                " WHERE name = ?",
                (
                    *(_safe(target.address), _safe(target.team), target.archived),
                    *(_safe(target.fork_of), self.run, _safe(target.name)),
                ),
            )
        row = self._db.execute(
            "SELECT r.id, r.done, r.refs, r.refs_data, rules.hash, r.base, r.until, r.gap_reason"
            " FROM repository r LEFT JOIN rules ON rules.id = r.rules WHERE r.name = ?",
            (_safe(target.name),),
        ).fetchone()
        number, done, refs, data, rules, base, until, reason = row
        tips = tuple(_refs(data).values()) if refs else ()
        return Known(number, done, refs, tips, rules or "", base, until, bool(reason))

    def confirm(self, repository: int) -> None:
        """The repository is as it was: what is known about it still holds."""
        with self._transaction():
            self._db.execute("UPDATE repository SET done = ? WHERE id = ?", (self.run, repository))

    def fail(self, repository: int, kind: str, reason: str) -> None:
        """The repository could not be scanned. What was found earlier stays."""
        with self._transaction():
            self._db.execute(
                "UPDATE repository SET done = ?, refs = '', gap_kind = ?, gap_reason = ?,"
                " written = 0 WHERE id = ?",
                (self.run, kind, reason, repository),
            )

    def gap(self, gap: Gap) -> None:
        """Something outside of any repository could not be read, such as a list."""
        with self._transaction():
            self._db.execute("INSERT INTO gap VALUES (?, ?, ?, ?)", (self.run, *map(_safe, gap)))

    def gaps(self) -> list[Gap]:
        rows = self._db.execute(
            "SELECT DISTINCT kind, path, reason FROM gap WHERE run = ? ORDER BY path, kind",
            (self.run,),
        )
        return [Gap(*row) for row in rows]

    # Units

    def plan(self, repository: int, rules: str, commits: Sequence[str], unit: int) -> Planned:
        """Make units of at most `unit` commits for those that no repository has scanned, and claim
        them: nobody else scans them in the meantime."""
        with self._transaction():
            self._db.execute("INSERT INTO rules (hash) VALUES (?) ON CONFLICT DO NOTHING", (rules,))
            (number,) = self._db.execute("SELECT id FROM rules WHERE hash = ?", (rules,)).fetchone()
            self._db.execute("DELETE FROM temp.wanted")
            self._db.executemany(
                "INSERT INTO temp.wanted (oid) VALUES (?)", ((bytes.fromhex(c),) for c in commits)
            )
            # CROSS JOIN keeps the order: from the few wanted commits to the many that are scanned.
            awaited = self._db.execute(
                "SELECT DISTINCT s.unit FROM temp.wanted w"
                " CROSS JOIN scanned s ON s.rules = ? AND s.oid = w.oid"
                " CROSS JOIN unit u ON u.id = s.unit WHERE u.commits IS NOT NULL",
                (number,),
            ).fetchall()
            self._db.execute(
                "INSERT OR IGNORE INTO member SELECT ?, ?, w.oid FROM temp.wanted w"
                " CROSS JOIN scanned s ON s.rules = ? AND s.oid = w.oid"
                " CROSS JOIN unit u ON u.id = s.unit WHERE u.commits IS NOT NULL"
                " OR EXISTS (SELECT 1 FROM item i WHERE i.rules = ? AND i.oid = w.oid)",
                (repository, number, number, number),
            )
            new = self._db.execute(
                "SELECT w.oid FROM temp.wanted w WHERE NOT EXISTS"
                " (SELECT 1 FROM scanned s WHERE s.rules = ? AND s.oid = w.oid) ORDER BY w.id",
                (number,),
            ).fetchall()
            ids = [oid for (oid,) in new]
            units = [
                self._unit(repository, number, ids[first : first + unit])
                for first in range(0, len(ids), unit)
            ]
        return Planned(tuple(units), frozenset(unit for (unit,) in awaited))

    def _unit(self, repository: int, rules: int, ids: Sequence[bytes]) -> int:
        made = self._db.execute(
            "INSERT INTO unit (repository, rules, commits) VALUES (?, ?, ?)",
            (repository, rules, state_file.packed(ids)),
        ).lastrowid
        assert made is not None  # noqa: S101 - an INSERT sets it
        self._db.executemany(
            "INSERT INTO scanned VALUES (?, ?, ?)", ((rules, oid, made) for oid in ids)
        )
        return made

    def commits(self, unit: int) -> tuple[str, ...]:
        """The commits of a unit that is not done."""
        (data,) = self._db.execute("SELECT commits FROM unit WHERE id = ?", (unit,)).fetchone()
        return tuple(oid.hex() for oid in state_file.unpacked(data))

    def scanned(self, unit: int, result: Scanned) -> None:
        """Store the result of a unit."""
        with self._transaction():
            repository, rules = self._db.execute(
                "SELECT repository, rules FROM unit WHERE id = ?", (unit,)
            ).fetchone()
            rows = [(rules, bytes.fromhex(i.commit), i.kind, i.data) for i in result.items]
            self._db.executemany(
                "INSERT INTO item (rules, oid, kind, data) VALUES (?, ?, ?, ?)", rows
            )
            self._db.executemany(
                "INSERT OR IGNORE INTO member VALUES (?, ?, ?)",
                {(repository, rules, oid) for _, oid, _, _ in rows},
            )
            self._db.execute(
                "UPDATE unit SET commits = NULL, files = ?, size = ? WHERE id = ?",
                (result.files, result.size, unit),
            )

    def release(self, unit: int) -> None:
        """Give up a unit: its commits are not scanned."""
        with self._transaction():
            state_file.release(self._db, unit)

    def awaited(self, repository: int, unit: int) -> tuple[str, ...]:
        """The commits of a unit of another repository that this one has, too."""
        rules, data = self._db.execute(
            "SELECT rules, commits FROM unit WHERE id = ?", (unit,)
        ).fetchone()
        own = self._db.execute(
            "SELECT oid FROM member WHERE repository = ? AND rules = ?", (repository, rules)
        )
        mine = {oid for (oid,) in own}
        return tuple(oid.hex() for oid in state_file.unpacked(data) if oid in mine)

    def items(self, repository: int, rules: str) -> tuple[Item, ...]:
        """All that was found in the commits of a repository, those that it shares included."""
        number = self._rules(rules)
        rows = self._db.execute(
            "SELECT m.oid, i.kind, i.data FROM member m"
            " JOIN item i ON i.rules = m.rules AND i.oid = m.oid"
            " WHERE m.repository = ? AND m.rules = ? ORDER BY m.oid, i.id",
            (repository, number),
        )
        return relevant([Item(oid.hex(), kind, data) for oid, kind, data in rows])

    def judged(
        self, judged: Judged, about: Known, refs: Mapping[str, str], gap: Gap | None
    ) -> None:
        """Store the result of a repository. `about` and `refs` are what it was made from. With a
        `gap`, the repository is not complete, and the next run tries again."""
        repository = about.id
        with self._transaction():
            self._db.execute(
                "UPDATE repository SET done = ?, refs = ?, refs_data = ?, rules = ?, base = ?,"
                " until = ?, report = ?, gap_kind = ?, gap_reason = ?, failing = ?, gaps = ?,"
                " first_gaps = ?, suppressed = ?, written = 0 WHERE id = ?",
                (
                    *(self.run, "" if gap else about.refs, _refs_data(refs)),
                    *(self._rules(about.rules), about.base, judged.until, judged.report),
                    *(gap.kind if gap else "", gap.reason if gap else "", judged.failing),
                    *(judged.gaps, json.dumps(judged.first_gaps), judged.suppressed, repository),
                ),
            )
            self._db.execute("DELETE FROM finding WHERE repository = ?", (repository,))
            self._db.executemany(
                f"INSERT INTO finding (repository, number, {_COLUMNS})"  # noqa: S608 - our names
                f" VALUES (?, ?{', ?' * len(Row._fields)})",
                (
                    (repository, number, *(_plain(each) for each in row))
                    for number, row in enumerate(judged.rows)
                ),
            )

    # Values

    def tags(self) -> Iterator[int]:
        """Tags of values that must be compared: several values have them, and one is new."""
        with self._transaction():
            (last,) = self._db.execute("SELECT ifnull(max(value), 0) FROM finding").fetchone()
            # Nothing else has these tags, so they are the only ones of their value.
            alone = self._db.execute(
                "SELECT repository, number FROM finding WHERE value IS NULL AND (tag IS NULL OR"
                " tag IN (SELECT tag FROM finding GROUP BY tag HAVING count(*) = 1))"
                " ORDER BY repository, number"
            ).fetchall()
            self._db.executemany(
                "UPDATE finding SET value = ? WHERE repository = ? AND number = ?",
                ((last + place, *key) for place, key in enumerate(alone, 1)),
            )
        rows = self._db.execute("SELECT DISTINCT tag FROM finding WHERE value IS NULL ORDER BY tag")
        return iter([tag for (tag,) in rows])

    def candidates(self, tag: int) -> list[Candidate]:
        """The values with a tag: each that is new, and one place of each known value."""
        rows = self._db.execute(
            "SELECT repository, number, value, source, path, rule, line, column FROM finding"
            " WHERE tag = ? AND (value IS NULL OR (repository, number) IN"
            " (SELECT min(repository), number FROM finding WHERE tag = ? GROUP BY value))"
            " ORDER BY repository, number",
            (tag, tag),
        )
        return [
            Candidate(repository, number, value, tag, _spot(*spot))
            for repository, number, value, *spot in rows
        ]

    def same(self, groups: Iterable[Sequence[Candidate]]) -> None:
        """Store which values are equal. A known value keeps its number."""
        with self._transaction():
            (last,) = self._db.execute("SELECT ifnull(max(value), 0) FROM finding").fetchone()
            for group in groups:
                known = next((each.value for each in group if each.value is not None), None)
                if known is None:
                    last += 1
                self._db.executemany(
                    "UPDATE finding SET value = ? WHERE repository = ? AND number = ?",
                    ((known or last, each.repository, each.number) for each in group),
                )

    # Results

    def repositories(self) -> Iterator[Stored]:
        """The repositories of this run, by name."""
        names = self._db.execute(
            "SELECT id FROM repository WHERE seen = ? ORDER BY name", (self.run,)
        ).fetchall()
        for (number,) in names:
            yield self.repository(number)

    def refs(self, repository: int) -> dict[str, str]:
        """The refs that the last result of the repository was made from."""
        (data,) = self._db.execute(
            "SELECT refs_data FROM repository WHERE id = ?", (repository,)
        ).fetchone()
        return _refs(data)

    def repository(self, number: int) -> Stored:
        row = self._db.execute(
            "SELECT name, address, team, archived, fork_of, report, gap_kind, gap_reason, failing,"
            " gaps, first_gaps, suppressed, written FROM repository WHERE id = ?",
            (number,),
        ).fetchone()
        name, address, team, archived, fork_of, report, kind, reason, *counts = row
        target = Target(
            name=_name(name),
            address=_name(address),
            team=_name(team),
            archived=bool(archived),
            fork_of=_name(fork_of),
        )
        gap = Gap(kind, name, reason) if reason else None
        failing, gaps, first, suppressed, written = counts
        return Stored(
            id=number,
            target=target,
            report=report,
            gap=gap,
            failing=failing,
            gaps=gaps,
            first_gaps=tuple(Gap(*each) for each in json.loads(first)),
            suppressed=suppressed,
            is_written=bool(written),
        )

    def written(self, repository: int) -> None:
        """The report file of the repository is up to date."""
        with self._transaction():
            self._db.execute("UPDATE repository SET written = 1 WHERE id = ?", (repository,))

    def values(self) -> Iterator[list[Found]]:
        """The findings of this run, those of the same value together. The order is that of the
        first repository with the value."""
        rows = self._db.execute(
            f"SELECT value, name, team, {_COLUMNS} FROM ("  # noqa: S608 - our names
            f"SELECT f.value, f.number, r.name, r.team, {_COLUMNS},"
            " first_value(r.name) OVER same AS first_name,"
            " first_value(f.number) OVER same AS first_number"
            " FROM finding f JOIN repository r ON r.id = f.repository WHERE r.seen = ?"
            " WINDOW same AS (PARTITION BY f.value ORDER BY r.name, f.number))"
            " ORDER BY first_name, first_number, name, number",
            (self.run,),
        )
        for _, group in itertools.groupby(rows, key=operator.itemgetter(0)):
            yield [_found(*row) for row in group]

    def work(self) -> tuple[int, int]:
        """Files and bytes that were read in the commits of all runs."""
        files_read, size = self._db.execute(
            "SELECT ifnull(sum(files), 0), ifnull(sum(size), 0) FROM unit"
        ).fetchone()
        return files_read, size

    def earlier(self, most: int) -> list[dict[str, Any]]:
        """The summaries of the last finished runs, the oldest first."""
        rows = self._db.execute(
            "SELECT summary FROM run WHERE finished IS NOT NULL AND id < ?"
            " ORDER BY id DESC LIMIT ?",
            (self.run, most),
        ).fetchall()
        return [json.loads(summary) for (summary,) in rows][::-1]

    def finish(self, summary: Mapping[str, Any], now: datetime) -> None:
        with self._transaction():
            self._db.execute(
                "UPDATE run SET finished = ?, summary = ? WHERE id = ?",
                (now.isoformat(), json.dumps(summary), self.run),
            )
            self._db.execute("DELETE FROM gap WHERE run < ?", (self.run,))

    def _rules(self, text: str) -> int | None:
        row = self._db.execute("SELECT id FROM rules WHERE hash = ?", (text,)).fetchone()
        return row[0] if row else None

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


def _refs_data(refs: Mapping[str, str]) -> bytes:
    return zlib.compress(json.dumps(dict(refs)).encode())


def _refs(data: bytes | None) -> dict[str, str]:
    read: dict[str, str] = json.loads(zlib.decompress(data)) if data else {}
    return read


def _safe(text: str) -> str | bytes:
    """A name as SQLite can store it: as bytes if it is not valid Unicode."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="surrogateescape")
    return text


def _name(stored: str | bytes) -> str:
    return stored.decode(errors="surrogateescape") if isinstance(stored, bytes) else stored


def _spot(source: str, path: str | bytes, rule: str, line: int, column: int) -> Spot:
    return Spot(source, _name(path), rule, line, column)


def _found(_value: int, name: str, team: str, *parts: Any) -> Found:
    row = Row._make(_name(each) if isinstance(each, bytes) else each for each in parts)
    return Found(_name(name), _name(team), row._replace(present=bool(row.present)))


def _plain(value: Any) -> Any:
    return _safe(value) if isinstance(value, str) else value
