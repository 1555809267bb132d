"""Write the results of a run into a folder: reports, merged findings, overview and metrics.

All of it is made from the state, so that a run that was interrupted and continued writes the same
as one that was not.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from typing import Any

from scanner import files
from scanner.cache import key
from scanner.fleet.results.metrics import metrics
from scanner.fleet.results.overview import Overview, Value
from scanner.fleet.results.parquet import Parquet, place, unwritten
from scanner.fleet.state import State, Stored
from scanner.model import Outcome
from scanner.report import formats, json_writer, saved
from scanner.report.interface import ReportContext

_LONGEST = 200  # bytes of a file's name

OVERVIEW = "overview.txt"


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
    document = json_writer.pieces(overview.document(), lists=1)
    _write(os.path.join(folder, "overview.json"), document)
    _write(os.path.join(folder, "metrics.prom"), metrics(overview))


def _collected(state: State, folder: str, overview: Overview) -> Iterator[bytes]:
    """The lines of findings.jsonl. Writes findings.parquet and fills the overview on the way."""
    with Parquet(os.path.join(folder, "findings.parquet")) as table:
        for number, places in enumerate(state.values(), 1):
            value = Value(places)
            overview.add_value(value)
            yield "".join(json_writer.pieces(_line(number, value), lists=0)).encode()
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
            {"repository": each.repository, "team": each.team, **place(each)}
            for each in value.places
        ],
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


def _write(path: str, pieces: Any) -> None:
    data = (piece.encode(errors="backslashreplace") for piece in pieces)
    files.write_pieces(path, data, mode=files.PRIVATE)


def make_folder(path: str) -> None:
    """Create a folder that only its owner can read. OutputError."""
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
    except OSError as error:
        raise unwritten(path, error) from None


def _file_name(part: str) -> str:
    """A part of a repository's name as the name of a file."""
    if len(part.encode(errors="surrogateescape")) <= _LONGEST:
        return part
    return f"{part[:40]}-{key(part)}" + (".sarif" if part.endswith(".sarif") else "")
