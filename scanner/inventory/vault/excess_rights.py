"""Inventory: the permissions that the auditor of a Vault holds but does not need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scanner.inventory.errors import shortened
from scanner.inventory.vault.engine_types import ENGINES
from scanner.inventory.vault.kv import VERSION_1
from scanner.inventory.vault.mounts import Namespace, Samples

_PROBES = sorted(
    {
        f"{entry_type.read_path}keywatch-probe"
        for engine_types in ENGINES.values()
        for entry_type in engine_types
        if entry_type.read_path
    }
)
"""Paths that rules for other engines allow. In a mount of KV version 1, each one is a value."""
_VERSION_1_VALUE = "in a mount of KV version 1, a secret at such a path could be read"


def excess(namespace: Namespace) -> Iterator[str]:
    """What the token may do with sample entries besides reading metadata, one sentence each.

    `namespace` is where the token comes from. ReadError if Vault does not say.
    """
    expected = dict(_sample_paths(namespace.samples, namespace.path))
    if not expected:
        return
    held: Mapping[str, Any] = namespace.client.sys.get_capabilities(list(expected))["data"]
    for path, (needed, why) in expected.items():
        if held[path] == ["root"]:
            yield "its token is a root token: it may read every value and change everything"
            return
        if beyond := sorted({*held[path]} - {*needed, "deny"}):
            yield f"{', '.join(beyond)} on {shortened(path)}: {why}"


def _sample_paths(samples: Samples, own: str) -> Iterator[tuple[str, tuple[Sequence[str], str]]]:
    """Paths in the namespace `own`, each with what is needed and why more is too much."""
    for (mount, entry_type), names in samples.items():
        prefix = mount.removeprefix(f"{own}/")
        if entry_type in VERSION_1:
            for probe in _PROBES:
                yield f"{prefix}/{probe}", (("list",), _VERSION_1_VALUE)
        needed = ("list",) if entry_type.read_path is None else ("list", "read")
        for name in names:
            path = f"{prefix}/{entry_type.read_path or entry_type.list_path}{name}"
            yield path, (needed, f"only {' and '.join(needed)} is needed")
            if entry_type.value_path:
                value = f"{prefix}/{entry_type.value_path.format(name)}"
                yield value, (("list",), "this path contains a value")
