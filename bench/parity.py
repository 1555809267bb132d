"""Compares `--detect-secrets exact` with detect-secrets itself over a tree.

    python bench/parity.py TREE [RESULTS]

Prints what is missing, what is too much and whose line differs; the last line sums up, with the CPU
time of both. Exit code 1 where anything differs. RESULTS is what
`detect-secrets scan --all-files -n` wrote for this tree, if that is at hand: it takes minutes.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

if __name__ == "__main__":  # a script: this checkout, not what may be installed
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from scanner.detect import detect_secrets
from scanner.detect.prefilter import matcher

Key = tuple[str, str, str]
SHOWN = 20


class Side(NamedTuple):
    """Lines by (file, type, hash), and the CPU seconds they cost; None where that is not known."""

    lines: dict[Key, int]
    cpu: float | None


def ours(tree: Path) -> Side:
    """The detect-secrets layer alone, on the files that detect-secrets would read."""
    settings = detect_secrets.default_settings()
    patterns = [matcher.Pattern(*one) for one in detect_secrets.prefilters(settings)]
    engine = matcher.build("auto", lambda: dict(enumerate(patterns)), "", None)
    before = time.process_time()
    found: dict[Key, int] = {}
    for name, data in files(tree):
        hits = sorted((end, number) for number, end in engine.hits(data))
        ends, numbers = [end for end, _ in hits], [number for _, number in hits]
        for one in detect_secrets.scan(name, data, ends, settings, numbers):
            found[name, one.kind, one.hashed_secret] = one.line
    return Side(found, time.process_time() - before)


def files(tree: Path) -> Iterator[tuple[str, bytes]]:
    """Names below the tree, links followed as detect-secrets does, and contents."""
    root = os.path.realpath(tree)
    seen = set()
    for folder, _, names in os.walk(root):
        for name in names:
            real = os.path.realpath(os.path.join(folder, name))
            if real.startswith(root + os.sep) and os.path.isfile(real) and real not in seen:
                seen.add(real)
                yield os.path.relpath(real, root), Path(real).read_bytes()


def theirs(tree: Path) -> Side:
    argv = [sys.executable, "-I", "-m", "detect_secrets", "scan", "--all-files", "-n"]
    before = _children()
    done = subprocess.run(argv, cwd=tree, capture_output=True, text=True, check=True)
    return Side(_lines(json.loads(done.stdout)), _children() - before)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _lines(document: dict[str, Any]) -> dict[Key, int]:
    return {
        (name, row["type"], row["hashed_secret"]): row["line_number"]
        for name, rows in document["results"].items()
        for row in rows
    }


def differences(mine: dict[Key, int], other: dict[Key, int]) -> dict[str, list[str]]:
    """What differs, by kind of difference, as lines to print. No hash is shown in full."""
    both = mine.keys() & other.keys()
    return {
        "missing": [_place(key, other[key]) for key in sorted(other.keys() - mine.keys())],
        "too much": [_place(key, mine[key]) for key in sorted(mine.keys() - other.keys())],
        "line": [
            f"{_place(key, other[key])}, ours {mine[key]}"
            for key in sorted(both)
            if mine[key] != other[key]
        ],
    }


def _place(key: Key, line: int) -> str:
    name, kind, hashed = key
    return f"{name}:{line} {kind} {hashed[:8]}"


def main(argv: list[str]) -> int:
    if len(argv) not in {2, 3}:
        print(__doc__, file=sys.stderr)
        return 2
    tree = Path(argv[1])
    other = (
        theirs(tree)
        if len(argv) == 2
        else Side(_lines(json.loads(Path(argv[2]).read_text())), None)
    )
    mine = ours(tree)
    found = differences(mine.lines, other.lines)
    for kind, places in found.items():
        for place in places[:SHOWN]:
            print(f"{kind}: {place}")
        if len(places) > SHOWN:
            print(f"{kind}: {len(places) - SHOWN} more")
    counts = ", ".join(f"{len(places)} {kind}" for kind, places in found.items())
    times = f"{other.cpu:.1f} and {mine.cpu:.2f} CPU s" if other.cpu else f"{mine.cpu:.2f} CPU s"
    print(f"{len(other.lines)} findings: {counts}; {times}")
    return int(any(found.values()))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
