"""Example: what `make demo` shows: an introduction, a heading for each part, and a summary.

python examples/story.py PART FOLDER      FOLDER is what the demo writes to
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from scanner.report.text import count

_INTRODUCTION = """\
This demo shows what keywatch finds. agentaskit is an example: an application with a few services,
a chart, CI jobs and a secret store. The demo copies it to {folder}/agentaskit and plants faults in
the copy. All secrets are made up. It takes about a minute, and nothing leaves this machine.
"""


class _Part(NamedTuple):
    title: str
    words: str


_HEADINGS = {
    "scan": _Part(
        "1. Secrets in the repository",
        "keywatch reads all files of the copy. Each finding has one line, with a masked value. What"
        " to do about each rule follows once.",
    ),
    "access": _Part(
        "2. Who may read which secret",
        "keywatch compares the policies of the secret store with what each service needs.",
    ),
    "audit": _Part(
        "3. How old the live secrets are",
        "A real OpenBao server starts on this machine with the example's secrets: one is too old,"
        " one is missing, one is not declared. keywatch reads dates and never a value. Then it"
        " rotates the old key, sends the alerts to a receiver on this machine, and verifies the"
        " ledger of both audits.",
    ),
    "trail": _Part(
        "4. Attacks in the server's audit log",
        "Two services log in to another server. One searches for secrets of others, and one reads a"
        " secret that it does not need.",
    ),
}
_REPORTS = {
    "the scan": "keywatch.json",
    "the audit": "audit.json",
    "the audit log": "trail.json",
}
_NEXT = """\
Each line "to accept one" above can be copied and run here. It changes only the copy.
Or look at the copy with other commands:
  cd {folder}/agentaskit
  {keywatch} scan -v            # explain each rule
  {keywatch} explain .env:3     # why this line was reported
  {keywatch} fix --templates    # how its literals become references
"""


def main() -> int:
    parser = argparse.ArgumentParser(description="Print a part of the demo's text.")
    parser.add_argument("part", choices=("introduction", *_HEADINGS, "summary"))
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    if given.part == "introduction":
        sys.stdout.write(_INTRODUCTION.format(folder=given.folder))
    elif given.part == "summary":
        sys.stdout.writelines(_summary(given.folder))
    else:
        title, words = _HEADINGS[given.part]
        shown = "\n".join(textwrap.wrap(words, 100))
        sys.stdout.write(f"\n{title}\n{'=' * len(title)}\n{shown}\n\n")
    return 0


def _summary(folder: Path) -> list[str]:
    """What each part found, where its reports are, and what to try next."""
    lines = ["\nSummary\n=======\n"]
    for part, name in _REPORTS.items():
        if (folder / name).exists():
            found = _found(json.loads((folder / name).read_bytes()))
            sarif = (folder / name).with_suffix(".sarif")
            lines.append(f"{part + ':':15} {found}; reports: {folder / name}, {sarif}\n")
    keywatch = Path(sys.executable).with_name("keywatch")
    return [*lines, "\n", _NEXT.format(folder=folder, keywatch=keywatch)]


def _found(report: Any) -> str:
    severities = Counter(each["severity"] for each in report["findings"])
    levels = ("critical", "high", "medium", "low")
    counts = ", ".join(f"{severities[each]} {each}" for each in levels if severities[each])
    return f"{count(len(report['findings']), 'finding')} ({counts})"


if __name__ == "__main__":
    sys.exit(main())
