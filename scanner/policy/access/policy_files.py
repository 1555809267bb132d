"""Policy: which files of a repository are Vault policies."""

from __future__ import annotations

import json
import re

from scanner.policy.access.hcl import MAX_BYTES

_PLACE = re.compile(r"polic|vault|openbao", re.IGNORECASE)
_OTHER = (".pkr.hcl", ".nomad.hcl", ".lock.hcl", "terragrunt.hcl")
_BLOCK = re.compile(r'^\s*"?path"?\s+"|^\s*(?:\{\s*)?"path"\s*:', re.MULTILINE)
MOST = 2 * MAX_BYTES
"""Bytes that are read of one file, so that the parser can say that it is over the limit."""


def may_be_policy(path: str) -> bool:
    """A .hcl or .json file in a folder, or of a name, that speaks of policies or of Vault."""
    if not _PLACE.search(path) or path.endswith(_OTHER):
        return False
    return path.endswith((".hcl", ".json"))


def is_policy(path: str, data: bytes) -> bool:
    """Does it have a path block? A JSON file must be one object with `path`."""
    text = data.decode(errors="replace")
    if not _BLOCK.search(text):
        return False
    if path.endswith(".json"):
        try:
            read = json.loads(text)
        except (ValueError, RecursionError):
            return False
        return isinstance(read, dict) and isinstance(read.get("path"), (dict, list))
    return True


def name_of(path: str) -> str:
    """A policy is named after its file."""
    return path.rpartition("/")[2].rpartition(".")[0]
