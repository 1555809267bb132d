"""The table of peers in README.md: some figures of bench/RESULTS.md, as `make bench` wrote them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

TOOLS = ("keywatch", "kingfisher", "betterleaks", "gitleaks", "detect-secrets")
_ROW = re.compile(r"(?m)^\| (.*) \|$")


class Figure(NamedTuple):
    """One line of the table, and where RESULTS.md has it; `{tool}` is the name of a tool."""

    words: str
    section: str
    heading: str
    row: str
    column: str


FIGURES = (
    Figure(
        words="django, 6,918 files in git, 45 MB: seconds",
        section="Whole trees, own rules",
        heading="Wall time, seconds",
        row="django, git",
        column="{tool}",
    ),
    Figure(
        words="ansible-core, 5,446 files in a folder, 15 MB: seconds",
        section="Whole trees, own rules",
        heading="Wall time, seconds",
        row="ansible-core, plain",
        column="{tool}",
    ),
    Figure(
        words="botocore, 143 MB: most memory at one time, MB",
        section="Whole trees, own rules",
        heading="Peak memory over all processes, MB",
        row="botocore",
        column="{tool}",
    ),
    Figure(
        words="pre-commit hook, one small file: milliseconds",
        section="The pre-commit hook",
        heading="Wall time, milliseconds (and exit code)",
        row="no candidate line, no baseline",
        column="{tool}",
    ),
    Figure(
        words="django, the findings of detect-secrets: seconds of CPU",
        section="The detect-secrets layer",
        heading="CPU and wall time, seconds",
        row="django",
        column="{tool} CPU",
    ),
    Figure(
        words="a history of 50,000 commits: seconds",
        section="Histories and pull requests",
        heading="50,000 commits",
        row="{tool}",
        column="Wall, s",
    ),
    Figure(
        words="18,329 labelled lines, all categories: F1",
        section="Detection quality",
        heading="All categories",
        row="{tool}",
        column="F1",
    ),
)


def table(results: str) -> str:
    """The lines of the table, and of the machine and the days; `results` is RESULTS.md."""
    sections = dict(_parts(results, "## "))
    lines = ["| | " + " | ".join(TOOLS) + " |", "|---" * (len(TOOLS) + 1) + "|"]
    for figure in FIGURES:
        rows = _rows(dict(_parts(sections[figure.section], "### "))[figure.heading])
        lines.append(f"| {figure.words} | " + " | ".join(_cells(figure, rows)) + " |")
    used = "".join(sections[figure.section] for figure in FIGURES)
    machines, days = (
        " and ".join(sorted(set(re.findall(pattern, used))))
        for pattern in (r"(?m)^- Machine: (.+)$", r"(?m)^- Date: (\S+)")
    )
    return "\n".join([*lines, "", f"Machine: {machines}. Measured on {days}.", ""])


def _parts(text: str, mark: str) -> Iterator[tuple[str, str]]:
    for part in re.split(rf"(?m)^{mark}", text)[1:]:
        title, _, rest = part.partition("\n")
        yield title, rest


def _rows(text: str) -> Mapping[str, Mapping[str, str]]:
    """The first table of the text: each row by its first cell, each cell by its column."""
    names, _, *rows = (
        line.split(" | ") for line in _ROW.findall(text.strip().partition("\n\n")[0])
    )
    return {row[0]: dict(zip(names, row, strict=True)) for row in rows}


def _cells(figure: Figure, rows: Mapping[str, Mapping[str, str]]) -> Sequence[str]:
    """The figure of each tool, without the range in parentheses; a dash where none was taken."""
    found = (
        rows.get(figure.row.format(tool=tool), {}).get(figure.column.format(tool=tool), "-")
        for tool in TOOLS
    )
    return [cell.split()[0] for cell in found]
