"""The file of a fleet's state: its tables, who may hold it, and what a crash left undone."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Sequence
from datetime import datetime

from scanner import files
from scanner.errors import ConfigError, UsageError
from scanner.fleet.cluster.units import Row

_FORM = 1
_APPLICATION = 0x6B77666C  # "kwfl", so that another program's file is not taken for a state
_SCHEMA = """
CREATE TABLE run (id INTEGER PRIMARY KEY, started TEXT, finished TEXT, summary TEXT);
CREATE TABLE rules (id INTEGER PRIMARY KEY, hash TEXT UNIQUE);
CREATE TABLE repository (
    id INTEGER PRIMARY KEY, name TEXT UNIQUE, address TEXT, team TEXT, archived INTEGER,
    fork_of TEXT, seen INTEGER, done INTEGER, refs TEXT, refs_data BLOB, rules INTEGER, base TEXT,
    until TEXT, report BLOB, gap_kind TEXT, gap_reason TEXT,
    failing INTEGER DEFAULT 0, gaps INTEGER DEFAULT 0, first_gaps TEXT DEFAULT '[]',
    suppressed INTEGER DEFAULT 0,    written INTEGER DEFAULT 0);
CREATE TABLE unit (id INTEGER PRIMARY KEY, repository INTEGER, rules INTEGER, commits BLOB,
    files INTEGER DEFAULT 0, size INTEGER DEFAULT 0);
CREATE INDEX unit_open ON unit (id) WHERE commits IS NOT NULL;
CREATE TABLE scanned (rules INTEGER, oid BLOB, unit INTEGER, PRIMARY KEY (rules, oid))
    WITHOUT ROWID;
CREATE TABLE item (id INTEGER PRIMARY KEY, rules INTEGER, oid BLOB, kind TEXT, data TEXT);
CREATE INDEX item_commit ON item (rules, oid);
CREATE TABLE member (repository INTEGER, rules INTEGER, oid BLOB,
    PRIMARY KEY (repository, rules, oid)) WITHOUT ROWID;
CREATE TABLE finding (repository INTEGER, number INTEGER, value INTEGER, {columns},
    PRIMARY KEY (repository, number));
CREATE INDEX finding_tag ON finding (tag);
CREATE INDEX finding_value ON finding (value);
CREATE TABLE gap (run INTEGER, kind TEXT, path TEXT, reason TEXT);
""".replace("{columns}", ", ".join(f'"{name}"' for name in Row._fields))


def connected(path: str) -> sqlite3.Connection:
    """A connection that holds the file until it is closed, or its process ends. It is created if it
    does not exist.

    UsageError if another process holds it, or it cannot be opened. ConfigError if it is damaged or
    is not a state of this version.
    """
    try:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, files.PRIVATE))
        os.chmod(path, files.PRIVATE)
        database = sqlite3.connect(path, timeout=0.5, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise UsageError(
            f"the state {path} cannot be opened",
            why=getattr(error, "strerror", "") or "",
            todo="name a file in a folder that exists and that you can write to",
        ) from None
    try:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("BEGIN EXCLUSIVE")
        (form,) = database.execute("PRAGMA user_version").fetchone()
        (application,) = database.execute("PRAGMA application_id").fetchone()
        if (form, application) == (0, 0) and not _has_tables(database):
            for statement in _SCHEMA.split(";"):
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {_FORM}")
            database.execute(f"PRAGMA application_id = {_APPLICATION}")
        elif (form, application) != (_FORM, _APPLICATION):
            raise _other_version(path)
        database.execute("COMMIT")
        database.execute("CREATE TEMP TABLE wanted (id INTEGER PRIMARY KEY, oid BLOB)")
    except sqlite3.OperationalError as error:
        database.close()
        if "locked" not in str(error):
            raise _damaged(path) from None
        raise UsageError(
            f"another keywatch fleet uses the state {path}",
            todo="wait until it has finished, or name another file with --state",
        ) from None
    except sqlite3.DatabaseError:
        database.close()
        raise _damaged(path) from None
    except ConfigError:
        database.close()
        raise
    return database


def _other_version(path: str) -> ConfigError:
    return ConfigError(
        f"{path} is not a state of this version of keywatch fleet",
        todo="name another file with --state; the next run scans everything again",
    )


def _damaged(path: str) -> ConfigError:
    return ConfigError(
        f"{path} is not a state of keywatch fleet, or it is damaged",
        todo="name another file with --state; the next run scans everything again",
    )


def _has_tables(database: sqlite3.Connection) -> bool:
    return bool(database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])


def begun(database: sqlite3.Connection, now: datetime, *, resume: bool) -> int:
    """The number of the run. Units that an earlier run left undone are given up."""
    database.execute("BEGIN IMMEDIATE")
    undone = database.execute("SELECT id FROM unit WHERE commits IS NOT NULL").fetchall()
    for (unit,) in undone:
        release(database, unit)
    last = database.execute("SELECT max(id) FROM run WHERE finished IS NULL").fetchone()[0]
    if resume and last is not None:
        run: int | None = last
        database.execute("DELETE FROM gap WHERE run = ?", (last,))
    else:
        database.execute("DELETE FROM run WHERE finished IS NULL")
        run = database.execute("INSERT INTO run (started) VALUES (?)", (now.isoformat(),)).lastrowid
    database.execute("COMMIT")
    assert run is not None  # noqa: S101 - an INSERT sets it
    return run


def release(database: sqlite3.Connection, unit: int) -> None:
    """Give up a unit: its commits are not scanned."""
    rules, data = database.execute(
        "SELECT rules, commits FROM unit WHERE id = ?", (unit,)
    ).fetchone()
    database.executemany(
        "DELETE FROM scanned WHERE rules = ? AND oid = ?",
        ((rules, oid) for oid in unpacked(data)),
    )
    database.execute("DELETE FROM unit WHERE id = ?", (unit,))


def packed(ids: Sequence[bytes]) -> bytes:
    """The ids in one piece; the first byte is the size of each."""
    return bytes([len(ids[0])]) + b"".join(ids)


def unpacked(data: bytes) -> list[bytes]:
    """The ids in what `packed` has made."""
    size = data[0]
    return [data[first : first + size] for first in range(1, len(data), size)]
