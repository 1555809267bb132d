"""Write the findings of a fleet as Parquet, which data warehouses load."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Self

from scanner import files, project
from scanner.errors import OutputError, UsageError
from scanner.fleet.state import Found
from scanner.model import Severity
from scanner.report import text

_BATCH = 10_000  # rows that are written together


def check() -> None:
    """UsageError if the library that writes Parquet is missing."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "keywatch fleet needs a library that is not installed",
            why=f"there is no module {error.name}",
            todo=f"pip install {project.requirement('fleet')}",
        ) from None


class Parquet(AbstractContextManager["Parquet"]):
    """A Parquet file with one row for each place. It replaces the old one when it is complete."""

    def __init__(self, path: str) -> None:
        import pyarrow as pa

        words, number, truth = pa.string(), pa.int64(), pa.bool_()
        self._schema = pa.schema(
            [
                *(("value", number), ("in_repositories", number), ("repository", words)),
                *(("team", words), ("rule", words), ("title", words), ("class", words)),
                *(("severity", words), ("confidence", number), ("path", words), ("line", number)),
                *(("column", number), ("preview", words), ("context", words), ("id", words)),
                *(("fingerprint", words), ("commit", words), ("date", words), ("author", words)),
                ("present", truth),
            ]
        )
        self._path = path
        self._rows: list[dict[str, Any]] = []
        self._writer: Any = None

    def __enter__(self) -> Self:
        import pyarrow.parquet as pq

        self._new = f"{self._path}.{os.getpid()}.tmp"
        try:
            os.close(os.open(self._new, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, files.PRIVATE))
            self._writer = pq.ParquetWriter(self._new, self._schema)
        except OSError as error:
            raise unwritten(self._path, error) from None
        return self

    def add(self, value: Mapping[str, Any], found: Found) -> None:
        row = found.row
        more = {
            "repository": found.repository,
            "team": found.team,
            "title": row.title,
            "class": row.secret_class,
            "severity": Severity(row.severity).label,
            "confidence": row.confidence,
            "preview": row.preview,
        }
        every = {**value, **more, **place(found)}
        self._rows.append(
            {
                name: text.storable(each) if isinstance(each, str) else each
                for name, each in every.items()
            }
        )
        if len(self._rows) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        self._writer.write_table(pa.Table.from_pylist(self._rows, self._schema))
        self._rows.clear()

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self._flush()
            self._writer.close()
            if kind is None:
                os.replace(self._new, self._path)
        except OSError as error:
            raise unwritten(self._path, error) from None
        finally:
            if os.path.exists(self._new):
                os.unlink(self._new)


def place(found: Found) -> dict[str, Any]:
    row = found.row
    return {
        "rule": row.rule,
        "path": row.path,
        "line": row.line,
        "column": row.column,
        "context": row.context,
        "id": row.fingerprint[:12],
        "fingerprint": row.fingerprint,
        "commit": row.commit,
        "date": row.date,
        "author": row.author,
        "present": row.present,
    }


def unwritten(path: str, error: OSError) -> OutputError:
    return OutputError(
        f"{path} could not be written",
        why=error.strerror or str(error),
        todo="make room, or name another folder with --output",
    )
