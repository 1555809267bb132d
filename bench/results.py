"""Benchmark: what a section found, whether each demand is met, and the Markdown that says so. Pure
but for `save` and `load`, which keep the raw numbers between runs of single sections.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """One number that was promised. `value` is None where it could not be measured: not met."""

    text: str
    value: float | None
    limit: float
    unit: str = ""
    at_least: bool = False
    aim: float | None = None

    @property
    def met(self) -> bool:
        return self.value is not None and self._reaches(self.value, self.limit)

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "NOT MET (not measured)"
        if not self.met:
            return "NOT MET"
        if self.aim is not None and self._reaches(self.value, self.aim):
            return "met, with the aim"
        return "met"

    def _reaches(self, value: float, limit: float) -> bool:
        return value >= limit if self.at_least else value <= limit

    def row(self) -> tuple[str, ...]:
        sign = "≥" if self.at_least else "≤"
        aim = "" if self.aim is None else f" (aim {number(self.aim)})"
        value = "-" if self.value is None else f"{number(self.value)}{self.unit}"
        limit = f"{sign} {number(self.limit)}{self.unit}{aim}"
        return (self.text, value, limit, self.verdict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A titled table; cells are text already."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """All that one part of the benchmark has to say. `raw` is kept, not printed."""

    name: str
    title: str
    intro: str
    tables: tuple[Table, ...] = ()
    demands: tuple[Demand, ...] = ()
    facts: dict[str, str] = field(default_factory=dict)
    raw: dict[str, Any] = field(default_factory=dict)


def ratio(value: float, others: Iterable[float | None]) -> float | None:
    """`value` over the smallest of the others; None where there is none to compare with."""
    known = [other for other in others if other]
    return value / min(known) if known else None


def worst(values: Mapping[str, float | None], *, least: bool = False) -> tuple[str, float | None]:
    """The largest value and its name (with `least` the smallest). One that is missing is worst."""
    for name, value in values.items():
        if value is None:
            return name, None
    known = {name: value for name, value in values.items() if value is not None}
    if not known:
        return "nothing measured", None
    name = (min if least else max)(known, key=known.__getitem__)
    return name, known[name]


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value == 0:
        return "0"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:.{digits}f}"


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


_VERDICT = re.compile(r"\| (met[^|\n]*|NOT MET) \|$", re.MULTILINE)


def page(sections: Sequence[Section], before: str = "") -> str:
    """The whole of RESULTS.md: these sections, and of the page `before` those that are not among
    them, since another machine measured them."""
    kept = {part.partition("\n")[0]: part.rstrip() for part in before.split("\n## ")[1:]}
    texts = kept | {each.title: _section(each).removeprefix("## ") for each in sections}
    verdicts = _VERDICT.findall("\n".join(texts.values()))
    met = sum(verdict.startswith("met") for verdict in verdicts)
    intro = (
        "# Benchmark results\n\n"
        "Written by `make bench` (`python bench/run.py`); `python bench/run.py SECTION…` measures "
        "only some sections again\nand leaves the others as they were. A time means something only "
        "beside the other times of the same section: they were\ntaken in one run, in turn.\n\n"
        f"**{met} of {len(verdicts)} demands met.**"
    )
    return "\n\n".join([intro, *(f"## {text}" for text in texts.values())]) + "\n"


def save(folder: Path, section: Section) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(section), indent=1, ensure_ascii=False)
    (folder / f"{section.name}.json").write_text(text, encoding="utf-8")


def load(folder: Path, name: str) -> Section | None:
    """The section as it was last measured, or None."""
    path = folder / f"{name}.json"
    if not path.exists():
        return None
    data = json.loads(path.read_text(encoding="utf-8"))
    tables = tuple(
        Table(**table | {"head": tuple(table["head"]), "rows": tuple(map(tuple, table["rows"]))})
        for table in data.pop("tables")
    )
    demands = tuple(Demand(**demand) for demand in data.pop("demands"))
    return Section(**data, tables=tables, demands=demands)


def _section(section: Section) -> str:
    parts = [f"## {section.title}", section.intro]
    if section.demands:
        head = ("Demand", "Measured", "Limit", "Verdict")
        parts.append(markdown(head, (demand.row() for demand in section.demands)))
    for table in section.tables:
        parts += [f"### {table.title}", markdown(table.head, table.rows)]
        parts += [table.note] if table.note else []
    facts = "\n".join(f"- {name}: {value}" for name, value in section.facts.items())
    return "\n\n".join([*parts, facts] if facts else parts)
