"""The page model: what the template shows, as words and numbers that need no more decisions.

All text is still hostile; the template's environment makes it visible and escapes it. `tone` is one
of: critical, high, medium, low, bad, warn, soon, ok, plain. It chooses a colour, and a text always
says the same. A section without rows does not appear.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Label(NamedTuple):
    """A short text in a coloured field."""

    tone: str
    text: str


class Fact(NamedTuple):
    """A name and its value. `is_code` is for paths and commands."""

    name: str
    value: str
    is_code: bool = False


class Tile(NamedTuple):
    """A large number at the top, as a link to the section `anchor`, "" for no link."""

    tone: str
    number: str
    words: str
    anchor: str = ""


class Cell(NamedTuple):
    """A cell of a table: labels, a main text, an age bar, and less important text. `kind` is code
    for a path or an ID, short for a text that must not be wrapped, such as a date, or ""."""

    text: str = ""
    more: str = ""
    labels: tuple[Label, ...] = ()
    kind: str = ""
    bar: AgeBar | None = None


class Table(NamedTuple):
    """A table. `remark` is a sentence below the title, `name` chooses the widths of the columns.
    One that is not open shows only its title until it is opened."""

    title: str
    head: tuple[str, ...]
    rows: Sequence[Sequence[Cell]]
    remark: str = ""
    name: str = ""
    is_open: bool = True


class AgeBar(NamedTuple):
    """An age bar in units of its own: the width is WIDTH, and every number is a position in it.

    The value is at least `least` and at most `most` old. `grace` is where the grace period ends,
    and the same as `limit` if there is none. `beyond`: the age does not fit.
    """

    tone: str
    least: int
    most: int
    limit: int
    grace: int
    beyond: bool


class FoundRow(NamedTuple):
    """A finding. `anchor` is unique on the page: its fingerprint, if that is a plain word."""

    anchor: str
    severity: str
    place: str
    names: tuple[str, ...]
    detail: str
    id: str


class FoundGroup(NamedTuple):
    """The findings of one rule. `steps` are what to do, as (step, words). `source` is a web
    address."""

    severity: str
    title: str
    rule: str
    facts: str
    why: str
    steps: tuple[Fact, ...]
    source: str
    rows: tuple[FoundRow, ...]


class Choice(NamedTuple):
    """A severity to filter by, and how many findings it has."""

    severity: str
    number: str


class Found(NamedTuple):
    """The findings, the most severe rule first. `total` is their number."""

    title: str
    total: int
    choices: tuple[Choice, ...]
    groups: tuple[FoundGroup, ...]
    accept: str


class Grid(NamedTuple):
    """Secrets by services. A cell is None if the service neither needs nor has access."""

    services: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[Label | None, ...]], ...]


class Access(NamedTuple):
    """`grid` is None if it would be too large to read. `policies` are (service, lines)."""

    summary: str
    grid: Grid | None
    tables: tuple[Table, ...]
    policies: tuple[tuple[str, tuple[str, ...]], ...]


class Segment(NamedTuple):
    """A part of a column: from `bottom` up to `top`, in pixels from the top of the chart."""

    kind: str
    top: int
    bottom: int


class Column(NamedTuple):
    """One run. `middle` is its place in pixels, `label` its day or "" if there is no room."""

    middle: int
    label: str
    words: str
    is_complete: bool
    segments: tuple[Segment, ...]


class Tick(NamedTuple):
    """A line of the grid and its number."""

    y: int
    words: str


class Chart(NamedTuple):
    """Stacked columns, the oldest run first. `keys` are (kind, words), from the bottom up."""

    title: str
    summary: str
    width: int
    height: int
    bottom: int
    thickness: int
    ticks: tuple[Tick, ...]
    columns: tuple[Column, ...]
    keys: tuple[tuple[str, str], ...]
    numbers: Table


class Section(NamedTuple):
    """An entry of the navigation. `size` is the number of its rows, or ""."""

    anchor: str
    title: str
    size: str = ""


class Page(NamedTuple):
    """Everything on the page. `tables` of a section appear in order."""

    title: str
    kind: str
    subject: str
    when: str
    verdict: Label
    advice: str
    tiles: tuple[Tile, ...]
    facts: tuple[Fact, ...]
    covered: tuple[Fact, ...]
    coverage: tuple[Table, ...]
    gaps: Table | None
    notes: tuple[Table, ...]
    repositories: Table | None
    found: Found | None
    rotation: tuple[Table, ...]
    changes: Table | None
    access: Access | None
    exceptions: tuple[Table, ...]
    charts: tuple[Chart, ...]
    controls: tuple[Table, ...]
    evidence: str
    version: str
    sections: tuple[Section, ...]
