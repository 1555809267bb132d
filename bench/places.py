"""Benchmark: where a tool's report says that it found something, whatever the report's form."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bench import peers

Place = tuple[str, int, int]
"""A path as the tool writes it, and the first and the last line."""


def reported(tool: str, label: str) -> Iterator[Place]:
    """The places in the report that a tool wrote for a run of this label."""
    suffix, read = _REPORTS[tool]
    yield from read(json.loads(peers.outfile(f"{label}.{tool}.{suffix}").read_bytes()))


def _keywatch(report: Any) -> Iterator[Place]:
    for each in report["findings"]:
        place = each["location"]
        yield place["path"], place["line"], place["end_line"]


def _kingfisher(report: Any) -> Iterator[Place]:
    for each in report["findings"]:
        found = each["finding"]
        yield found["path"], found["line"], found["line"]


def _betterleaks(report: Any) -> Iterator[Place]:
    for each in report["findings"]:
        place = each["location"]
        if "start_line" in place:  # a finding in a binary file has no line
            yield place["path"], place["start_line"], place["end_line"]


def _gitleaks(report: Any) -> Iterator[Place]:
    for each in report:
        yield each["File"], each["StartLine"], each["EndLine"]


def _detect_secrets(report: Any) -> Iterator[Place]:
    for path, found in report["results"].items():
        yield from ((path, each["line_number"], each["line_number"]) for each in found)


_REPORTS: Mapping[str, tuple[str, Callable[[Any], Iterator[Place]]]] = {
    "keywatch": ("json", _keywatch),
    "kingfisher": ("json", _kingfisher),
    "betterleaks": ("json", _betterleaks),
    "gitleaks": ("json", _gitleaks),
    "detect-secrets": ("stdout", _detect_secrets),
}
