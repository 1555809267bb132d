"""Detect: read files and scripts that are values of another file.

A ConfigMap holds whole files, a workflow holds scripts. Their settings count like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from scanner.detect.structure.file_kinds import file_kind
from scanner.detect.structure.leaf import Leaf, NotParsedError, Structure
from scanner.lazy_pattern import lazy

# Keys whose values are scripts: `run`, `before_script`, `userData`, `ExecStart`.
_SCRIPT_KEY = lazy(
    r"(?i)^(?:run|scripts?|commands?|cmd|args?|entrypoint|shell|bash|sh|pwsh|powershell|exec|inline"
    r"|inline_?script|user_?data|(?:before|after|pre|post)_?\w*|execstart\w*|healthcheck|test)$"
)
_HAS_ASSIGNMENT = lazy(rb"[A-Za-z_\]\"']\s*[:?+]?[=:]")
# `{"key": …}` or `[{"key": …}]`, maybe with escaped quotes.
_JSON = lazy(rb"""\s*(?:\{\s*|\[\s*(?:\{\s*)?)\\?"[^"\\]+\\?"\s*:[^\x00]*[}\]]\s*\Z""")
_MAX_SIZE = 200_000


def nested(
    leaves: Sequence[Leaf],
    data: bytes,
    read: Callable[[str], Callable[[bytes], Iterator[Structure]]],
) -> Iterator[Structure]:
    """Yield the documents nested in these values of `data`. `read` returns the reader of a format.

    Values that do not parse have none.
    """
    for leaf in leaves:
        text = data[leaf.start : leaf.end]
        format_name = _format(leaf, text)
        if format_name and len(text) <= _MAX_SIZE and _HAS_ASSIGNMENT.search(text):
            start = data.rfind(b"\n", 0, leaf.start) + 1 if leaf.style == "block" else leaf.start
            yield from _read_span(read(format_name), data, start, leaf.end)


def _format(leaf: Leaf, text: bytes) -> str:
    """Return the format of a value, a key of READERS; "" if it is neither a file nor a script."""
    keys = [part for part in leaf.path if isinstance(part, str)]
    if not keys:
        return ""
    if keys[-1].endswith("last-applied-configuration"):
        return "json"
    is_file = leaf.style == "block" or text[:1] == b"{"
    if is_file and "." in keys[-1] and (reader := file_kind(keys[-1]).reader):
        return reader
    if _JSON.match(text):  # a recorded response, a policy or a message
        return "json"
    return "shell" if any(_SCRIPT_KEY.match(key) for key in keys[-2:]) else ""


def _read_span(
    read: Callable[[bytes], Iterator[Structure]], data: bytes, start: int, end: int
) -> Iterator[Structure]:
    """Yield the documents in a span of the data, with offsets in the whole data."""
    text = data[start:end]
    if b'\\"' in text and b"\\\\" not in text:  # JSON in a JSON string; keep all offsets
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
