"""Benchmark section: false alarms on real charts, manifests, compose files and Terraform.

Every finding there was read and judged by hand: bench/judged.csv says true or false of each. One
that is not in it makes the demand unmet.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import corpora, machine, measure, peers, real_configs
from bench.results import Demand, Section, Table

KINDS = ("helm", "kubernetes", "compose", "hcl")
JUDGED = Path(__file__).with_name("judged.csv")
_Key = tuple[str, str, str]


def section() -> Section:
    load = machine.load()
    archives = [each for each in real_configs.ARCHIVES if each.group == "real"]
    for archive in archives:
        real_configs.tree(archive)
    ours = peers.keywatch()
    root = real_configs.TREES / "real"
    if not (root / ".git").exists():  # the project's own policy and baseline must not apply to it
        corpora.run_git(root, *corpora.INIT)
    measure.run(ours.on(root, label="real-configs", limit=600.0))
    kinds, lines = _kinds([root / archive.label for archive in archives])
    report = json.loads(peers.outfile("real-configs.keywatch.json").read_text(encoding="utf-8"))
    found = [key for key in map(_key, report["findings"]) if key[0] in kinds]
    verdicts = _verdicts()
    false = sum(verdicts.get(key) == "false" for key in found)
    unjudged = sum(key not in verdicts for key in found)
    rate = None if unjudged else 10_000 * false / lines
    return Section(
        name="configs",
        title="False alarms on real configuration",
        intro=_intro(lines, len(found), unjudged),
        demands=(Demand(text="false findings per 10,000 lines", value=rate, limit=1.0),),
        tables=(_table(found, verdicts, kinds), _archives(archives, root)),
        facts=machine.facts((ours,), load),
    )


def _intro(lines: int, found: int, unjudged: int) -> str:
    return (
        "Helm charts, Kubernetes manifests, compose files and Terraform as archives of package\n"
        "registries carry them (bench/real_configs.py; no tests, no CRDs): "
        f"{lines:,} lines. keywatch reports\n{found} findings in them, each judged by reading "
        f"(bench/judged.csv); {unjudged} are not judged.\nTrue is a literal secret where a "
        "reference belongs, a weak or well-known one, too, and a variable\nthat nothing in its "
        "tree declares."
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


def _key(finding: dict[str, Any]) -> _Key:
    place = finding["location"]
    return place["path"], str(place["line"]), finding["rule"]


def _verdicts() -> dict[_Key, str]:
    with JUDGED.open(encoding="utf-8", newline="") as file:
        return {(r["path"], r["line"], r["rule"]): r["verdict"] for r in csv.DictReader(file)}


def _table(found: list[_Key], verdicts: dict[_Key, str], kinds: dict[str, str]) -> Table:
    rows = tuple(
        (verdicts.get(key, "not judged"), key[2], kinds[key[0]], f"{key[0]}:{key[1]}")
        for key in sorted(found)
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
