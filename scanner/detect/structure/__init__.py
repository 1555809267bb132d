"""Detect: a structured file -> its values, with the keys that lead to each and where it stands.

`structures` is read only where the one pass found a candidate. A file that its reader does not
take raises NotParsedError: its lines were scanned, which is a note (degraded), never a pass.
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

_HOLDERS = frozenset(("yaml", "json", "hcl", "toml"))
_Read = Callable[..., Iterator[Structure]]
_Zones = Sequence[tuple[int, int]]
# The module and the function of each reader, loaded with the first file that needs it.
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
    kind: FileKind, data: bytes, zones: Sequence[tuple[int, int]] = ()
) -> Iterator[Structure]:
    """The documents of a file whose kind has a reader. NotParsedError where it does not parse.

    `zones`: the stretches of whole lines that are asked for, in order; all where there are none. Of
    YAML, JSON and shell only these and what leads to them are parsed. After each document come
    those that stand in its values.
    """
    if data.startswith(BOM_UTF8):  # no part of the first key
        data = data.replace(BOM_UTF8, b"\n" * len(BOM_UTF8), 1)
    read = _reader(kind.reader)
    some = _SOME.get(kind.reader)
    found = some(read, data, zones) if zones and some else None
    for each in found or list(read(data)):
        looked_at = each._replace(zones=zones)
        yield looked_at
        if kind.reader in _HOLDERS:
            leaves = [leaf for leaf in each.leaves if looked_at.is_looked_at(leaf)]
            yield from (inner._replace(zones=zones) for inner in nested(leaves, data, _reader))


def _of_zones(read: _Read, data: bytes, zones: _Zones) -> list[Structure] | None:
    """The documents around some zones; None where all of it must be read."""
    try:
        return list(read(data, zones))
    except NotParsedError:
        return None


def _of_yaml(read: _Read, data: bytes, zones: _Zones) -> list[Structure] | None:
    """The documents of an excerpt; None where it does not parse without the rest."""
    some = excerpt(data, zones)
    try:
        found = list(read(some.data))
    except NotParsedError:
        return None
    return [each._replace(leaves=tuple(map(some.in_file, each.leaves))) for each in found]


_SOME = {"json": _of_zones, "shell": _of_zones, "yaml": _of_yaml}


@cache
def _reader(name: str) -> _Read:
    module, function = READERS[name]
    found: _Read = getattr(importlib.import_module(f"{__name__}.{module}"), function)
    return found
