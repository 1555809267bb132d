"""The command line: `.secrets.baseline` kept by `keywatch baseline`, for detect-secrets to read."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

from scanner.cli import debt, output
from scanner.cli.debt import Debt
from scanner.cli.inputs import Selection
from scanner.cli.survey import Survey
from scanner.cli.terminal import Io, moment
from scanner.model import ClassicMatch
from scanner.policy import classic_update
from scanner.report.text import count


def file_of(args: argparse.Namespace, io: Io, selection: Selection, owed: Debt) -> str | None:
    """The file that this run is to write, or None.

    `create` writes one only where --detect-secrets exact asks for it; what is there already is
    kept by `update` and `prune`.
    """
    if owed.settings is None:
        return None
    if args.action == "create":
        asked = args.detect_secrets == "exact"
        return os.path.join(selection.source.root, args.output) if asked else None
    if owed.document is None:
        return None
    return (
        os.path.join(io.cwd, args.baseline)
        if owed.classic_name == args.baseline
        else os.path.join(selection.source.root, debt.CLASSIC)
    )


def record(
    args: argparse.Namespace,
    io: Io,
    selection: Selection,
    seen: Survey,
    scanned: Callable[[str], bool],
) -> None:
    """Write what detect-secrets would find now."""
    path = file_of(args, io, selection, seen.owed)
    if path is None or seen.owed.settings is None:
        return
    now = moment(args.now)
    before = b""
    document = seen.owed.document
    if args.action == "create":
        from scanner.detect import classic

        document = classic.empty_document(seen.owed.settings)
        document["generated_at"] = f"{now:%Y-%m-%dT%H:%M:%SZ}"
    else:
        with open(path, "rb") as file:
            before = file.read()
    assert document is not None  # noqa: S101 - file_of() said so
    renewed = classic_update.update(
        document, _found(seen), scanned=scanned, now=now, add=args.action != "prune"
    )
    if renewed != document or not before:
        output.write_file(path, classic_update.render(renewed, before))
    entries = sum(map(len, renewed["results"].values()))
    io.write(f"{os.path.relpath(path, io.cwd)}: {count(entries, 'secret')}\n")


def _found(seen: Survey) -> dict[str, list[ClassicMatch]]:
    """By path, whatever covers it here: detect-secrets knows nothing of our exceptions."""
    found: dict[str, list[ClassicMatch]] = {}
    for observation in seen.swept.observations:
        for finding in observation.findings:
            if finding.classic:
                found.setdefault(observation.path, []).extend(finding.classic)
    return found
