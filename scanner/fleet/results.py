"""Write the results of a run into a folder: reports, merged findings, overview and metrics.

All of it is made from the state, so that a run that was interrupted and continued writes the same
as one that was not.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from scanner import files, project
from scanner.cache import key
from scanner.errors import OutputError, UsageError
from scanner.fleet.metrics import metrics
from scanner.fleet.overview import Overview, Value
from scanner.fleet.state import Found, State, Stored
from scanner.model import Outcome, Severity
from scanner.report import formats, json_text, saved, text
from scanner.report.interface import ReportContext

_LONGEST = 200  # bytes of a file's name
_BATCH = 10_000  # rows of Parquet that are written together

OVERVIEW = "overview.txt"


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


def write(state: State, folder: str, overview: Overview, context: ReportContext) -> None:
    """Write everything. `overview` is empty and gets its numbers. OutputError."""
    make_folder(folder)
    pieces = _collected(state, folder, overview)
    files.write_pieces(os.path.join(folder, "findings.jsonl"), pieces, mode=files.PRIVATE)
    for each in state.repositories():
        overview.add_repository(each)
        parts = f"{each.target.name}.sarif".split("/")
        path = os.path.join(folder, "sarif", *map(_file_name, parts))
        if not (each.is_written and os.path.exists(path)):
            make_folder(os.path.dirname(path))
            _write(path, formats.reporter("sarif")(*_report(each, context)))
            state.written(each.id)
    overview.gaps += state.gaps()
    overview.trend = [*state.earlier(100)]
    _write(os.path.join(folder, OVERVIEW), [overview.text()])
    document = json_text.pieces(overview.document(), lists=1)
    _write(os.path.join(folder, "overview.json"), document)
    _write(os.path.join(folder, "metrics.prom"), metrics(overview))


def _collected(state: State, folder: str, overview: Overview) -> Iterator[bytes]:
    """The lines of findings.jsonl. Writes findings.parquet and fills the overview on the way."""
    with _Parquet(os.path.join(folder, "findings.parquet")) as table:
        for number, places in enumerate(state.values(), 1):
            value = Value(places)
            overview.add_value(value)
            yield "".join(json_text.pieces(_line(number, value), lists=0)).encode()
            for place in places:
                table.add({"value": number, "in_repositories": len(value.repositories)}, place)


def _line(number: int, value: Value) -> dict[str, Any]:
    row = value.worst.row
    return {
        "value": number,
        "rule": row.rule,
        "title": row.title,
        "class": row.secret_class,
        "severity": value.level,
        "preview": row.preview,
        "since": value.since,
        "in_repositories": len(value.repositories),
        "repositories": value.repositories,
        "places": [
            {"repository": each.repository, "team": each.team, **_place(each)}
            for each in value.places
        ],
    }


def _place(found: Found) -> dict[str, Any]:
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


def _report(stored: Stored, context: ReportContext) -> tuple[Outcome, ReportContext]:
    """The outcome of a repository. If the last run could not scan it as a whole, it says so."""
    gaps = (stored.gap,) if stored.gap else ()
    if stored.report is None:
        return Outcome(findings=(), gaps=gaps), context._replace(root=stored.target.name)
    outcome, own = saved.read(zlib.decompress(stored.report), stored.target.name)
    return outcome._replace(
        gaps=(*outcome.gaps, *(each for each in gaps if each not in outcome.gaps))
    ), own


class _Parquet(AbstractContextManager["_Parquet"]):
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

    def __enter__(self) -> _Parquet:
        import pyarrow.parquet as pq

        self._new = f"{self._path}.{os.getpid()}.tmp"
        try:
            os.close(os.open(self._new, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, files.PRIVATE))
            self._writer = pq.ParquetWriter(self._new, self._schema)
        except OSError as error:
            raise _unwritten(self._path, error) from None
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
        every = {**value, **more, **_place(found)}
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
            raise _unwritten(self._path, error) from None
        finally:
            if os.path.exists(self._new):
                os.unlink(self._new)


def _write(path: str, pieces: Any) -> None:
    data = (piece.encode(errors="backslashreplace") for piece in pieces)
    files.write_pieces(path, data, mode=files.PRIVATE)


def make_folder(path: str) -> None:
    """Create a folder that only its owner can read. OutputError."""
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
    except OSError as error:
        raise _unwritten(path, error) from None


def _unwritten(path: str, error: OSError) -> OutputError:
    return OutputError(
        f"{path} could not be written",
        why=error.strerror or str(error),
        todo="make room, or name another folder with --output",
    )


def _file_name(part: str) -> str:
    """A part of a repository's name as the name of a file."""
    if len(part.encode(errors="surrogateescape")) <= _LONGEST:
        return part
    return f"{part[:40]}-{key(part)}" + (".sarif" if part.endswith(".sarif") else "")
