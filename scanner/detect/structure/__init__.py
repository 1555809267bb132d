"""Detect: a structured file -> its values, with the keys that lead to each and where it stands.

`structures` is read only where the one pass found a candidate. A file that its reader does not
take raises NotParsedError: its lines were scanned, which is a note (degraded), never a pass.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from functools import cache

from scanner.detect.structure.kinds import FileKind, file_kind
from scanner.detect.structure.leaf import Leaf, NotParsedError, Path, Structure

__all__ = [
    "READERS",
    "FileKind",
    "Leaf",
    "NotParsedError",
    "Path",
    "Structure",
    "file_kind",
    "structures",
]

# The module and the function of each reader, loaded with the first file that needs it.
READERS = {
    "yaml": ("yaml_reader", "read_yaml"),
    "json": ("yaml_reader", "read_json"),
    "toml": ("line_reader", "read_lines"),
    "ini": ("line_reader", "read_lines"),
    "env": ("line_reader", "read_lines"),
    "shell": ("line_reader", "read_shell"),
    "dockerfile": ("docker_reader", "read_docker"),
    "xml": ("xml_reader", "read_xml"),
    "hcl": ("hcl_reader", "read_hcl"),
}


def structures(kind: FileKind, data: bytes) -> Iterator[Structure]:
    """The documents of a file whose kind has a reader. NotParsedError where it does not parse."""
    return _reader(kind.reader)(data)


@cache
def _reader(name: str) -> Callable[[bytes], Iterator[Structure]]:
    module, function = READERS[name]
    found: Callable[[bytes], Iterator[Structure]] = getattr(
        importlib.import_module(f"{__name__}.{module}"), function
    )
    return found
