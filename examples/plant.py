"""Example: write the planted faults of `planted.yaml` into a copy of `agentaskit/`.

    python examples/plant.py plant TARGET          make the copy, a git repository of its own
    python examples/plant.py check REPORT.json     compare a JSON report of it with the manifest
    python examples/plant.py now                   the moment for which the manifest holds

The tree in this repository is clean; every secret is made up here, from a template and a seed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scanner.detect.rules.samples import expand

HERE = Path(__file__).resolve().parent
TREE = HERE / "agentaskit"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Expected:
    """One finding that the scan of the copy must report: path in the copy, line from 1, rule."""

    path: str
    line: int
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """Text for one place of the copy.

    `anchor` stands exactly once in `file` and is replaced by the expanded `template`; without an
    anchor the file is new, and its name is a template as well.
    """

    file: str
    template: str
    anchor: str = ""
    encoding: str = "utf-8"
    expect: tuple[Expected, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookalike:
    """Text of the clean tree that looks like a secret and is none."""

    file: str
    text: str
    encoding: str = "utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """`planted.yaml`: `now` is the moment for which the expected findings hold."""

    now: str
    plants: tuple[Plant, ...]
    lookalikes: tuple[Lookalike, ...]

    @property
    def expected(self) -> list[Expected]:
        """Every finding that must be reported, sorted; nothing else may be."""
        return sorted(one for plant in self.plants for one in plant.expect)


def load_manifest(path: Path = HERE / "planted.yaml") -> Manifest:
    """Read the manifest and expand its templates with its seed."""
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    return Manifest(
        now=raw["now"],
        plants=tuple(_plant(entry, raw["seed"]) for entry in raw["plants"]),
        lookalikes=tuple(Lookalike(**entry) for entry in raw["lookalikes"]),
    )


def _plant(entry: dict[str, Any], seed: int) -> Plant:
    file = expand(entry["file"], seed)
    return Plant(
        file=file,
        template=expand(entry["template"], seed),
        anchor=entry.get("anchor", ""),
        encoding=entry.get("encoding", "utf-8"),
        expect=tuple(
            Expected(path=entry.get("reported_as", file), line=one["line"], rule=one["rule"])
            for one in entry.get("expect", ())
        ),
    )


def plant(target: Path, manifest: Manifest) -> None:
    """Copy the tree to `target`, which must not exist, and write the faults into the copy."""
    shutil.copytree(TREE, target, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    for one in manifest.plants:
        _write(target / one.file, one)
    _make_repository(target)


def _write(path: Path, one: Plant) -> None:
    if not one.anchor:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(one.template, encoding=one.encoding, newline="")
        return
    before = path.read_bytes().decode(one.encoding)
    if before.count(one.anchor) != 1:
        raise ValueError(f"{one.file}: the anchor {one.anchor!r} must stand there exactly once")
    path.write_bytes(before.replace(one.anchor, one.template).encode(one.encoding))


def _make_repository(target: Path) -> None:
    """Track everything, ignored files too: a secret that was committed by force is a usual one."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    for arguments in (["init", "--quiet", "--template="], ["add", "--all", "--force"]):
        subprocess.run(["git", *arguments], cwd=target, env=environ, check=True)


def compare(reported: Iterable[Expected], expected: Iterable[Expected]) -> list[str]:
    """One line for each finding that is missing or was not expected; empty when all is right."""
    have, want = Counter(reported), Counter(expected)
    return [f"missing:    {_text(one)}" for one in sorted((want - have).elements())] + [
        f"unexpected: {_text(one)}" for one in sorted((have - want).elements())
    ]


def _text(one: Expected) -> str:
    return f"{one.path}:{one.line} {one.rule}"


def reported_in(report: Path) -> list[Expected]:
    """The findings of a report that `keywatch scan --report json=FILE` wrote."""
    findings = json.loads(report.read_text(encoding="utf-8"))["findings"]
    return [
        Expected(path=one["location"]["path"], line=one["location"]["line"], rule=one["rule"])
        for one in findings
    ]


def main() -> int:
    """Run one of the three verbs; 0 is success, 1 a difference or a target that exists."""
    parser = argparse.ArgumentParser(description="Plant the example's faults, or check a report.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("plant").add_argument("target", type=Path)
    verbs.add_parser("check").add_argument("report", type=Path)
    verbs.add_parser("now")
    arguments = parser.parse_args()
    manifest = load_manifest()
    if arguments.verb == "now":
        sys.stdout.write(f"{manifest.now}\n")
        return 0
    if arguments.verb == "check":
        return _check(arguments.report, manifest)
    if arguments.target.exists():
        sys.stderr.write(f"{arguments.target} exists: remove it or name another folder\n")
        return 1
    plant(arguments.target, manifest)
    return 0


def _check(report: Path, manifest: Manifest) -> int:
    differences = compare(reported_in(report), manifest.expected)
    for line in differences:
        sys.stderr.write(f"{line}\n")
    if not differences:
        sys.stdout.write(f"exactly the {len(manifest.expected)} planted faults were found\n")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
