"""The picture in README.md: what the terminal shows of a scan of the example with planted faults.

The scan is real. Its report is taken as JSON, and made into lines with colours as `keywatch report`
does on a terminal.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import NamedTuple

from rich.ansi import AnsiDecoder
from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment
from rich.style import Style

from examples import plant
from scanner.report import formats, saved

ROOT = Path(__file__).resolve().parents[1]
SCANNED = ("services/workers/agentaskit_workers/storage.py",)
COLUMNS = 164  # a finding is one line, however narrow the terminal
CELL, LINE, MARGIN = 8.4, 19, 20  # pixels
FOREGROUND, BACKGROUND = "#d6d9df", "#16181d"
# Black, red, green, yellow, blue, magenta, cyan, white: the order of a terminal.
COLORS = ("#5c6370", "#f07178", "#a5d075", "#e8c06a", "#7fb2f0", "#cfa1ee", "#72cbd5", FOREGROUND)
FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


class Piece(NamedTuple):
    """Text of one style; `start` counts cells from the left."""

    start: int
    text: str
    style: Style


def picture() -> str:
    """The SVG. The same rules and the same example give the same text."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "agentaskit"
        plant.plant(copy, plant.load_manifest())
        return _svg(["$ keywatch scan " + " ".join(SCANNED), "", *_listing(copy).splitlines()])


def _listing(copy: Path) -> str:
    argv = [sys.executable, "-I", "-m", "scanner", "scan", *SCANNED]
    argv += ["--now", plant.load_manifest().now, "--report", "json=-"]
    done = subprocess.run(argv, cwd=copy, capture_output=True, check=False)
    outcome, context = saved.read(done.stdout, "the scan")
    return formats.render("terminal", outcome, context._replace(color=True, width=COLUMNS))


def _svg(lines: list[str]) -> str:
    width, height = round(COLUMNS * CELL) + 2 * MARGIN, len(lines) * LINE + 2 * MARGIN
    shapes = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        "<title>What keywatch scan prints</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="{BACKGROUND}"/>',
        f'<g font-family="{FONT}" font-size="14" fill="{FOREGROUND}">',
    ]
    for number, line in enumerate(lines):
        base = MARGIN + number * LINE + 14
        shapes += [_text(piece, base) for piece in _pieces(line) if piece.text.strip()]
    return "\n".join([*shapes, "</g>", "</svg>", ""])


def _pieces(line: str) -> Iterator[Piece]:
    start = 0
    for text, style, _ in _segments(line):
        yield Piece(start=start, text=text, style=style or Style.null())
        start += cell_len(text)


def _segments(line: str) -> Iterator[Segment]:
    (decoded,) = AnsiDecoder().decode(line) if line else [""]
    yield from Console().render(decoded) if decoded else ()


def _text(piece: Piece, base: int) -> str:
    """`textLength` keeps the columns, whatever the reader's font is."""
    stripped = piece.text.strip()
    start = piece.start + cell_len(piece.text) - cell_len(piece.text.lstrip())
    style = piece.style
    number = style.color.number if style.color else None
    attributes = {
        "x": f"{MARGIN + start * CELL:.1f}",
        "y": str(base),
        "textLength": f"{cell_len(stripped) * CELL:.1f}",
        "fill": "" if number is None else COLORS[number % len(COLORS)],
        "font-weight": "bold" if style.bold else "",
        "opacity": "0.65" if style.dim else "",
    }
    said = "".join(f' {name}="{value}"' for name, value in attributes.items() if value)
    return f"<text{said}>{escape(stripped, quote=False)}</text>"
