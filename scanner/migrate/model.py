"""What a conversion reads and returns."""

from __future__ import annotations

from typing import Any, NamedTuple

BY_FINDING = "accept each finding by its ID: keywatch allow ID --reason ... --owner ... --until ..."
"""What to do instead of hiding values by what they contain."""


class Left(NamedTuple):
    """A setting that does not carry over: its name in the file, why, and what to do instead."""

    what: str
    why: str
    todo: str


class Converted(NamedTuple):
    """Excluded paths (globs) and rules for keywatch.yaml, and what does not carry over.

    `commands` are commands that the user completes and runs, `notes` are other remarks.
    """

    exclude: tuple[str, ...] = ()
    rules: tuple[dict[str, Any], ...] = ()
    left: tuple[Left, ...] = ()
    commands: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
