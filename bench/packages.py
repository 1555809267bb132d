"""Benchmark section: false alarms on installed packages, which hold few secrets and many names of
them.

The environment is of pinned versions: bench/packages.txt. It lists this project's dependencies and
those of its tests, and clients of secret stores and clouds with all that they need. Every finding
there of medium confidence or more was read and judged by hand: bench/judged_packages.csv.
"""

from __future__ import annotations

from pathlib import Path

from bench import corpora, judged, machine, peers
from bench.results import Demand, Section, Table

PINS = Path(__file__).with_name("packages.txt")
JUDGED = Path(__file__).with_name("judged_packages.csv")
_LINES = 100_000


def section() -> Section:
    load = machine.load()
    site = _site_packages()
    found = [each for each in judged.scanned(site, "packages", JUDGED) if each.confidence != "low"]
    lines = text_lines(site)
    rate = judged.false_in(found, lines, _LINES)
    return Section(
        name="packages",
        title="False alarms on installed packages",
        intro=_intro(lines, found),
        demands=(Demand(text=f"false findings per {_LINES:,} lines", value=rate, limit=1.0),),
        tables=(judged.by_rule(found), _false(found)),
        facts=machine.facts((peers.keywatch(),), load),
    )


def text_lines(folder: Path) -> int:
    """The lines of all files in which no byte is zero."""
    texts = (path.read_bytes() for path in corpora.regular_files(folder))
    return sum(len(text.splitlines()) for text in texts if b"\0" not in text)


def _site_packages() -> Path:
    wanted = PINS.read_text(encoding="utf-8")
    folder = peers.filled("packages", wanted, "--no-deps", "-r", str(PINS))
    return next(folder.glob("lib/python*/site-packages"))


def _intro(lines: int, found: list[judged.Judged]) -> str:
    return (
        "The site-packages of an environment with this project's dependencies, those of its\n"
        "tests, and hvac, kubernetes, boto3 and azure-identity (bench/packages.txt): "
        f"{lines:,}\nlines of text. keywatch reports {len(found)} findings of medium confidence or "
        "more there, each\njudged by reading (bench/judged_packages.csv); "
        f"{judged.unread(found)} are not judged. True is a literal that\na person would call a "
        "secret, keys of tests and examples that look like real ones among them."
    )


def _false(found: list[judged.Judged]) -> Table:
    rows = tuple(
        (each.rule, each.severity, each.confidence, each.place)
        for each in found
        if each.verdict != judged.TRUE
    )
    return Table(
        title="The false ones", head=("Rule", "Severity", "Confidence", "Place"), rows=rows
    )
