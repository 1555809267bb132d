"""Detect: parse structured files into values with their paths and offsets.

The engine calls `structures` only for files in which the prefilter found a candidate. A file that
does not parse raises NotParsedError. The engine then judges its lines and adds a note.
"""

from __future__ import annotations

import importlib
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Sequence
from functools import cache

from scanner.detect.structure.file_kinds import KINDS, PATH_KINDS, FileKind, file_kind
from scanner.detect.structure.leaf import Leaf, NotParsedError, Path, Structure
from scanner.detect.structure.nested_documents import nested
from scanner.detect.structure.yaml_excerpt import excerpt

__all__ = [
    "KINDS",
    "PATH_KINDS",
    "READERS",
    "FileKind",
    "Leaf",
    "NotParsedError",
    "Path",
    "Structure",
    "file_kind",
    "structures",
]

_MAY_NEST = frozenset(("yaml", "json", "hcl", "toml"))
_Read = Callable[..., Iterator[Structure]]
_LineRanges = Sequence[tuple[int, int]]
# The module and the function of each reader. It is imported with the first file that needs it.
READERS = {
    "yaml": ("yaml_reader", "read_yaml"),
    "json": ("json_reader", "read_json"),
    "toml": ("line_reader", "read_lines"),
    "ini": ("line_reader", "read_lines"),
    "env": ("line_reader", "read_lines"),
    "shell": ("line_reader", "read_shell"),
    "dockerfile": ("docker_reader", "read_docker"),
    "xml": ("xml_reader", "read_xml"),
    "hcl": ("hcl_reader", "read_hcl"),
    "sql": ("sql_reader", "read_sql"),
}


def structures(
    kind: FileKind, data: bytes, ranges: Sequence[tuple[int, int]] = ()
) -> Iterator[Structure]:
    """Yield the documents of a file whose kind has a reader, each followed by those nested in it.

    ranges: sorted ranges of whole lines; empty for the whole file. If they are given, only these
        lines and the lines that their paths need are parsed in YAML, JSON and shell.

    Raises NotParsedError if the file does not parse.
    """
    if data.startswith(BOM_UTF8):  # it does not belong to the first key
        data = data.replace(BOM_UTF8, b"\n" * len(BOM_UTF8), 1)
    read = _reader(kind.reader)
    read_part = _PARTIAL_READERS.get(kind.reader)
    documents = read_part(read, data, ranges) if ranges and read_part else None
    for document in documents or list(read(data)):
        limited = document._replace(ranges=ranges)
        yield limited
        if kind.reader in _MAY_NEST:
            leaves = [leaf for leaf in document.leaves if limited.is_in_range(leaf)]
            yield from (inner._replace(ranges=ranges) for inner in nested(leaves, data, _reader))


def _read_ranges(read: _Read, data: bytes, ranges: _LineRanges) -> list[Structure] | None:
    """Return the documents in some ranges; None if the whole file must be parsed."""
    try:
        return list(read(data, ranges))
    except NotParsedError:
        return None


def _read_excerpt(read: _Read, data: bytes, ranges: _LineRanges) -> list[Structure] | None:
    """Return the documents of a YAML excerpt; None if the whole file must be parsed."""
    part = excerpt(data, ranges)
    try:
        documents = list(read(part.data))
    except NotParsedError:
        return None
    return [each._replace(leaves=tuple(map(part.in_file, each.leaves))) for each in documents]


_PARTIAL_READERS = {"json": _read_ranges, "shell": _read_ranges, "yaml": _read_excerpt}


@cache
def _reader(name: str) -> _Read:
    module, function = READERS[name]
    found: _Read = getattr(importlib.import_module(f"{__name__}.{module}"), function)
    return found
