"""When each secret and each grant was last used (`--last-used OUT`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from scanner import files
from scanner.masking import masked, masked_id
from scanner.trail.analysis import Analysis
from scanner.trail.detections.access import Access
from scanner.trail.findings import moment

VERSION = 1


def write(path: str, analysis: Analysis, now: datetime, *, complete: bool) -> None:
    """Replace the file. `complete`: all of the logs was read. OutputError says why not."""
    access = analysis.access
    document = {
        "schema_version": VERSION,
        "written_at": now.isoformat(),
        "since": _said(analysis.first),
        "complete": complete,
        "secrets": _secrets(access),
        "grants": [*_grants(access)],
    }
    files.write_file(path, (json.dumps(document, indent=1) + "\n").encode(), mode=files.PRIVATE)


def _secrets(access: Access) -> dict[str, Any]:
    latest: dict[str, list[float]] = {}
    for _, name, read, written in access.pairs():
        times = latest.setdefault(name, [0.0, 0.0])
        times[:] = [max(times[0], read), max(times[1], written)]
    return {
        masked_id(name): {
            "last_read": _said(read),
            "last_written": _said(written),
            "last_rotated": _said(access.rotated.get(name, 0.0)),
        }
        for name, (read, written) in sorted(latest.items())
    }


def _grants(access: Access) -> Iterator[dict[str, Any]]:
    """What an identity did with a secret: without an entry, its grant was not used."""
    for identity, name, read, written in sorted(access.pairs()):
        yield {
            "identity": masked(identity),
            "secret": masked_id(name),
            "last_read": _said(read),
            "last_written": _said(written),
        }


def _said(time: float) -> str | None:
    return moment(time) if time else None
