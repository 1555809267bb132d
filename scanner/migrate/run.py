"""Convert one file of another scanner."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from scanner import cache
from scanner.configuration import repository
from scanner.console import Console
from scanner.detect.rules import rulebook
from scanner.exceptions import full_scan
from scanner.migrate import gitleaks, trufflehog
from scanner.migrate.gitleaks import Fingerprint
from scanner.migrate.model import Converted, Left
from scanner.model import Finding
from scanner.scan.request import ScanRequest

_TERMS = '--reason "..." --owner @team --until YYYY-MM-DD'
_EXAMPLES = (
    "the rules have no examples and only general advice yet: add both, then run "
    "keywatch rules test FILE"
)


class MigrateRequest(NamedTuple):
    """`tool` is gitleaks or trufflehog, `file` the name of its config or ignore file."""

    tool: str
    file: str


def migrate(request: MigrateRequest, console: Console, now: datetime) -> Converted:
    """Convert the file. ConfigError if it is not of the tool; UsageError if it cannot be read."""
    data = console.file(request.file)
    name = os.path.basename(request.file)
    if request.tool == "gitleaks" and not name.endswith(".toml"):
        return _ignored(list(gitleaks.fingerprints(data, request.file)), console, now)
    known = frozenset(rulebook.load((), cache_folder=cache.folder()).infos)
    if request.tool == "gitleaks":
        found = gitleaks.convert(data, request.file, known)
    elif trufflehog.is_config(data):
        found = trufflehog.convert(data, request.file, known)
    else:
        found = trufflehog.convert_paths(data)
    return found._replace(notes=(_EXAMPLES,)) if found.rules else found


def text(found: Converted) -> str:
    """A keywatch.yaml with what carries over, "" if nothing does."""
    if not found.exclude and not found.rules:
        return ""
    lines = ["version: 1"]
    if found.exclude:
        lines += ["scan:", "  exclude:", *(f"    - {_quoted(glob)}" for glob in found.exclude)]
    if found.rules:
        lines += ["rules:", *(line for rule in found.rules for line in _rule(rule))]
    whole = "\n".join(lines) + "\n"
    repository.load(whole.encode(), repository.NAME, None)  # what is printed must be valid
    return whole


def _rule(rule: dict[str, Any]) -> Iterator[str]:
    mark = "-"
    for key, value in rule.items():
        yield f"  {mark} {key}: {_quoted(value)}"
        mark = " "


def _quoted(value: Any) -> str:
    """The value as YAML: JSON is a part of it."""
    return json.dumps(value, ensure_ascii=False)


def _ignored(wanted: Sequence[Fingerprint], console: Console, now: datetime) -> Converted:
    """The commands that accept what keywatch finds at the places of a .gitleaksignore."""
    found: dict[tuple[str, int], list[Finding]] = {}
    if any(not one.commit for one in wanted):
        request = ScanRequest()
        selection = full_scan.select(request, console)
        outcome = full_scan.scan(request, console, selection, now).outcome
        for finding in outcome.findings:
            place = finding.location
            for line in range(place.line, place.end_line + 1):
                found.setdefault((place.path, line), []).append(finding)
    commands: dict[str, None] = {}
    left: list[Left] = []
    clean = 0
    for one in wanted:
        here = found.get((one.path, one.line), [])
        commands |= dict.fromkeys(f"keywatch allow {each.id} {_TERMS}" for each in here)
        clean += not here and not one.commit
        if one.commit:
            left.append(_of_commit(one))
    notes = [f"{clean:,} of the places hold no finding of keywatch: they need no exception"]
    return Converted(
        commands=tuple(commands), left=tuple(left), notes=tuple(notes) if clean else ()
    )


def _of_commit(one: Fingerprint) -> Left:
    return Left(
        f"{one.commit}:{one.path}:{one.rule}:{one.line}",
        "it is about a commit, and this command does not scan the history",
        "keywatch scan --history lists its findings; accept one with keywatch allow ID --history",
    )


def summary(left: Iterable[Left]) -> Iterator[str]:
    """Three lines for each setting that does not carry over."""
    for one in left:
        yield f"not carried over: {one.what}"
        yield f"  why: {one.why}"
        yield f"  do:  {one.todo}"
