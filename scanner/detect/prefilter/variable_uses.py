"""Detect: how configuration takes a variable from elsewhere, as the one pass looks for it.

Beside the rules, since a pass of its own would take a third of the time of theirs and in the same
pass it takes none. What a use needs and where it counts, references.py knows.
"""

from __future__ import annotations

from scanner.detect.prefilter.matcher import Pattern

USES = tuple(
    Pattern(anchor, keywords=keywords, once=True, scope="config")
    for anchor, keywords in (
        (r"\$\{(?:env:)?[A-Z][A-Za-z0-9_]+(?:\}|:?\?)", ("${",)),
        (r"\$\([A-Z][A-Za-z0-9_]+\)", ("$(",)),
        (r"(?:[eE]nv|env_var)[ \t(]{1,3}[\"'][A-Z]|ENV(?:\.fetch\(|\[)[\"'][A-Z]", ("env",)),
    )
)
