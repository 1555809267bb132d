"""Detect: files and scripts that are values of another file, as documents of their own.

A ConfigMap holds whole files, a workflow whole scripts. What is assigned in them counts as much.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from scanner.detect.structure.file_kinds import file_kind
from scanner.detect.structure.leaf import Leaf, NotParsedError, Structure

_SCRIPT = re.compile(
    r"(?i)^(?:run|scripts?|commands?|cmd|args?|entrypoint|shell|bash|sh|pwsh|powershell|exec|inline"
    r"|inline_?script|user_?data|(?:before|after|pre|post)_?\w*|execstart\w*|healthcheck|test)$"
)
_ASSIGNS = re.compile(rb"[A-Za-z_\]\"']\s*[:?+]?[=:]")
_JSON = re.compile(rb"""\s*(?:\{\s*|\[\s*(?:\{\s*)?)\\?"[^"\\]+\\?"\s*:[^\x00]*[}\]]\s*\Z""")
_LARGEST = 200_000


def nested(
    leaves: Sequence[Leaf],
    data: bytes,
    read: Callable[[str], Callable[[bytes], Iterator[Structure]]],
) -> Iterator[Structure]:
    """The documents within the values of one. `read`: gives the reader of a format."""
    for leaf in leaves:
        text = data[leaf.start : leaf.end]
        format_name = _format(leaf, text)
        if format_name and len(text) <= _LARGEST and _ASSIGNS.search(text):
            start = data.rfind(b"\n", 0, leaf.start) + 1 if leaf.style == "block" else leaf.start
            yield from _moved(read(format_name), data, start, leaf.end)


def _format(leaf: Leaf, text: bytes) -> str:
    """How a value is read, "" for one that is no file and no script."""
    keys = [part for part in leaf.path if isinstance(part, str)]
    if not keys:
        return ""
    if keys[-1].endswith("last-applied-configuration"):
        return "json"
    is_file = leaf.style == "block" or text[:1] == b"{"
    if is_file and "." in keys[-1] and (reader := file_kind(keys[-1]).reader):
        return reader
    if _JSON.match(text):  # an answer that a test replays, a policy, a message
        return "json"
    return "shell" if any(_SCRIPT.match(key) for key in keys[-2:]) else ""


def _moved(
    read: Callable[[bytes], Iterator[Structure]], data: bytes, start: int, end: int
) -> Iterator[Structure]:
    """The documents of a part of the data, at their places in all of it."""
    text = data[start:end]
    if b'\\"' in text and b"\\\\" not in text:  # JSON in a JSON string: each place stays
        text = text.replace(b'\\"', b' "')
    try:
        found = list(read(text))
    except NotParsedError:
        return
    for each in found:
        leaves = (
            leaf._replace(start=leaf.start + start, end=leaf.end + start) for leaf in each.leaves
        )
        yield each._replace(leaves=tuple(leaves))
