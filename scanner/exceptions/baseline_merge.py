"""List the findings of both baselines, and merge two versions of one baseline for git."""

from __future__ import annotations

import os
from typing import NamedTuple

from scanner import cache, files
from scanner.configuration.repository import SECRETS_BASELINE
from scanner.console import Console
from scanner.detect import detect_secrets
from scanner.policy.baselines import (
    detect_secrets_baseline,
    detect_secrets_merge,
    detect_secrets_update,
    keywatch_baseline,
)
from scanner.scan import baselines, sources
from scanner.scan.request import ScanRequest
from scanner.scan.sources import Selection

_LABELS = {True: "labelled real", False: "labelled false", None: "not audited"}


class AcceptedFinding(NamedTuple):
    """One entry of a baseline. For detect-secrets, `name` is its audit label, never a hash."""

    baseline: str
    path: str
    rule: str
    name: str


def accepted(console: Console) -> list[AcceptedFinding]:
    """The entries of both baselines. ConfigError if one of them is invalid."""
    selection = sources.select(ScanRequest(), console, cache.folder())
    name = keywatch_baseline.FILE
    data = selection.source.control(name)
    entries = () if data is None else keywatch_baseline.parse(data, name).entries
    own = [AcceptedFinding(name, each.path, each.rule, each.name) for each in entries]
    return own + _of_detect_secrets(selection)


def _of_detect_secrets(selection: Selection) -> list[AcceptedFinding]:
    data = selection.source.control(SECRETS_BASELINE)
    if data is None:
        return []
    document = baselines.detect_secrets_document(data, SECRETS_BASELINE)
    # A baseline that a scan would refuse is refused here, too.
    detect_secrets.settings_from_baseline(document, SECRETS_BASELINE)
    return [
        AcceptedFinding(
            SECRETS_BASELINE,
            detect_secrets_baseline.normal(path),
            row["type"],
            _LABELS[row.get("is_secret")],
        )
        for path, found in detect_secrets_baseline.results(document, SECRETS_BASELINE).items()
        for row in found
    ]


def merge(base: str, ours: str, theirs: str, name: str, console: Console) -> tuple[str, ...]:
    """Merge three versions of a baseline into the file `ours`. Returns the conflicts.

    ConfigError if a version is invalid.
    """
    sides = [*map(console.file, (base, ours, theirs))]
    conflicts: tuple[str, ...] = ()
    if any(map(keywatch_baseline.is_one, sides)):
        entries = [keywatch_baseline.parse(side, name).entries if side else () for side in sides]
        data = keywatch_baseline.render(keywatch_baseline.merge(*entries))
    else:
        documents = [
            baselines.detect_secrets_document(side, name) if side else {} for side in sides
        ]
        merged, conflicts = detect_secrets_merge.merge(*documents)
        # A baseline that a scan would refuse is not written.
        detect_secrets.settings_from_baseline(merged, name)
        data = detect_secrets_update.render(merged, sides[1])
    files.write_file(os.path.join(console.cwd, ours), data)
    return conflicts
