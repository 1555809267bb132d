"""Runs of `keywatch access review` in this process, and what they found."""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from scanner.cli import access
from scanner.console import Console


class Review(NamedTuple):
    """A finished review: its exit code and JSON report."""

    code: int
    report: Any
    err: str

    @property
    def rows(self) -> list[Any]:
        return list(self.report["access"]["rows"])

    @property
    def gaps(self) -> list[Any]:
        return list(self.report["gaps"])

    @property
    def findings(self) -> list[tuple[str, str, int]]:
        return [
            (one["rule"], one["location"]["path"], one["location"]["line"])
            for one in self.report["findings"]
        ]

    @property
    def rules(self) -> list[str]:
        return sorted({one["rule"] for one in self.report["findings"]})

    @property
    def details(self) -> list[tuple[str, str]]:
        return [(one["rule"], one["detail"]) for one in self.report["findings"]]


def reviewed(root: Path, *more: str, environ: Mapping[str, str] | None = None) -> Review:
    out, err = io.StringIO(), io.StringIO()
    console = Console(io.BytesIO(), out, err, dict(environ or {}), ("access", "review"))
    parser = argparse.ArgumentParser()
    access.add_arguments(parser)
    args = parser.parse_args(["review", str(root), "--report", "json=-", *more])
    code = access.run(args, console)
    report = json.loads(out.getvalue()) if out.getvalue() else {}
    return Review(int(code), report, err.getvalue())
