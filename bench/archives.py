"""Benchmark section: the first findings that a new user sees of three large, unrelated projects.

The findings that the report ranks highest were read and judged by hand: bench/judged_archives.csv.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench import corpora, judged, machine, packages, peers, real_configs
from bench.results import Section, Table

# Home automation with 1,000 integrations, virtual machines of a cloud, a chat server.
PINS = ("homeassistant==2024.3.3", "nova==34.0.0", "matrix-synapse==1.163.2")
JUDGED = Path(__file__).with_name("judged_archives.csv")
READ = 50


def section() -> Section:
    load = machine.load()
    trees = {pin: _tree(pin) for pin in PINS}
    found = {pin: judged.scanned(tree, f"archives-{pin}", JUDGED) for pin, tree in trees.items()}
    first = {pin: highest(each) for pin, each in found.items()}
    rows = tuple(
        (
            pin,
            f"{packages.text_lines(trees[pin]):,}",
            str(len(found[pin])),
            *(_right(first[pin], sure) for sure in ("high", "medium", "low")),
            _right(first[pin]),
        )
        for pin in PINS
    )
    head = ("Archive", "Lines", "Findings", "High", "Medium", "Low", f"Of the first {READ}")
    every = [each for some in first.values() for each in some]
    return Section(
        name="archives",
        title="The first findings in three archives",
        intro=_intro(judged.unread(every)),
        tables=(
            Table(title="Right ones of those that were read", head=head, rows=rows),
            judged.by_rule(every),
        ),
        facts=machine.facts((peers.keywatch(),), load),
    )


def highest(found: Sequence[judged.Judged]) -> list[judged.Judged]:
    """Return the findings that a report shows first."""
    return sorted(found, key=judged.Judged.rank)[:READ]


def _tree(pin: str) -> Path:
    """Return the folder of the source archive, unpacked once."""
    file = real_configs.fetched(real_configs.Archive("real", "pypi", pin))
    return corpora.make(peers.BUILD / "archives" / pin, lambda part: corpora.extract(file, part))


def _right(found: Sequence[judged.Judged], confidence: str = "") -> str:
    """Return how many findings of a confidence are right, and how many there are."""
    some = [each for each in found if confidence in {"", each.confidence}]
    return f"{sum(each.verdict == judged.TRUE for each in some)} of {len(some)}" if some else "-"


def _intro(unread: int) -> str:
    return (
        "Each source archive was unpacked and scanned with the defaults, and the findings that\n"
        f"the report ranks highest were read one by one, {READ} of each archive where there are so "
        f"many\n(bench/judged_archives.csv); {unread} are not judged. Right is a literal that a "
        "person would\ncall a secret, keys of tests and examples that look like real ones among "
        "them. The kinds of\nfalse ones that were seen first are refused by now, where that could "
        "be said in general: an\narchive that nobody read may do worse."
    )
