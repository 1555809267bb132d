"""Benchmark section: false alarms on real charts, manifests, compose files and Terraform.

Every finding there was read and judged by hand: bench/judged.csv says true or false of each. One
that is not in it makes the demand unmet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bench import judged, machine, peers, real_configs
from bench.results import Demand, Section, Table

KINDS = ("helm", "kubernetes", "compose", "hcl")
JUDGED = Path(__file__).with_name("judged.csv")


def section() -> Section:
    load = machine.load()
    archives = [each for each in real_configs.ARCHIVES if each.group == "real"]
    for archive in archives:
        real_configs.tree(archive)
    root = real_configs.TREES / "real"
    kinds, lines = _kinds([root / archive.label for archive in archives])
    found = [each for each in judged.scanned(root, "real-configs", JUDGED) if each.path in kinds]
    rate = judged.false_in(found, lines, 10_000)
    return Section(
        name="configs",
        title="False alarms on real configuration",
        intro=_intro(lines, found),
        demands=(Demand(text="false findings per 10,000 lines", value=rate, limit=1.0),),
        tables=(_table(found, kinds), _archives(archives, root)),
        facts=machine.facts((peers.keywatch(),), load),
    )


def _intro(lines: int, found: list[judged.Judged]) -> str:
    return (
        "Helm charts, Kubernetes manifests, compose files and Terraform as archives of package\n"
        "registries carry them (bench/real_configs.py; no tests, no CRDs): "
        f"{lines:,} lines. keywatch reports\n{len(found)} findings in them, each judged by reading "
        f"(bench/judged.csv); {judged.unread(found)} are not judged.\nTrue is a literal secret "
        "where a reference belongs, a weak or well-known one, too, and a variable\nthat nothing in "
        "its tree declares."
    )


def _kinds(folders: Sequence[Path]) -> tuple[dict[str, str], int]:
    """The kind of each file that counts, and the number of their lines."""
    kinds, lines = {}, Counter[str]()
    for folder in folders:
        for path, kind, length in real_configs.sorted_out(folder):
            if kind in KINDS and not real_configs.is_test(path):
                kinds[f"{folder.name}/{path}"] = kind
                lines[kind] += length
    return kinds, lines.total()


def _table(found: list[judged.Judged], kinds: dict[str, str]) -> Table:
    rows = tuple(
        (each.verdict, each.rule, kinds[each.path], each.place)
        for each in sorted(found, key=lambda each: (each.path, str(each.line), each.rule))
    )
    return Table(title="The findings", head=("Verdict", "Rule", "Kind", "Place"), rows=rows)


def _archives(archives: list[real_configs.Archive], root: Path) -> Table:
    rows = []
    for archive in archives:
        held = real_configs.counted(root / archive.label)
        size = sum(held.lines[kind] for kind in KINDS)
        if size:
            rows.append((archive.label, *(f"{held.lines[kind]:,}" for kind in KINDS)))
    return Table(title="The archives, in lines", head=("Archive", *KINDS), rows=tuple(rows))
