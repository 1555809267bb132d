"""Detect: replace the `value` of a container's variable with `valueFrom.secretKeyRef`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from scanner.detect.fixes.edits import Edit, Site, UnfixableError
from scanner.detect.structure import Path

_KUBERNETES_NAME = re.compile(r"[a-z0-9][a-z0-9.\-]*|.*\{\{.*", re.DOTALL)
_VALUE_KEY = re.compile(
    rb"""(?P<quote>["']?)value(?P=quote)[ \t]*:[ \t]*(?:[|>][^\n]*\n[ \t]*)?["']?\Z"""
)


def is_pair(site: Site) -> bool:
    """Is the secret the `value` beside a `name` in a list of environment variables?"""
    path = site.leaf.path
    keys = [part for part in path if isinstance(part, str)]
    in_env = any("env" in key.lower() for key in keys)
    return in_env and path[-1:] == ("value",) and (*path[:-1], "name") in site.texts


def is_argument(path: Path) -> bool:
    """Is the leaf an argument of a container's command?

    Kubernetes expands `$(NAME)` there. In a probe or a hook it does not.
    """
    match path:
        case (
            *_,
            "containers" | "initContainers" | "ephemeralContainers",
            int(),
            "command" | "args",
            int(),
        ):
            return True
    return False


def secret_key_ref(site: Site) -> Edit:
    """Return the edit for a pair. Raises UnfixableError if its `value` is written unusually."""
    low = max(site.data.rfind(b"\n", 0, site.leaf.start - 1) - 200, 0)
    key = _VALUE_KEY.search(site.data, low, site.leaf.start)
    if not key:
        raise UnfixableError("keywatch cannot edit this form of `value:`")
    owner = site.texts.get(("metadata", "name"), "")
    owner = owner if owner and _KUBERNETES_NAME.fullmatch(owner) else "app"
    names = {"name": f"{owner}-secrets", "key": site.name}
    if site.is_in_flow:
        mark = key["quote"].decode()
        inner = ", ".join(f"{mark}{k}{mark}: {mark}{v}{mark}" for k, v in names.items())
        text = f"{mark}valueFrom{mark}: {{{mark}secretKeyRef{mark}: {{{inner}}}}}"
    else:
        text = _block(site.data, key.start(), names)
    end = site.leaf.end + len(site.quote)
    todo = f"add {site.name} to the Secret {names['name']}, or name the Secret that has it"
    return Edit(key.start(), end, text.encode("latin-1"), site.name, todo)


def _block(data: bytes, at: int, names: Mapping[str, str]) -> str:
    """Return `valueFrom` as YAML lines with the indentation of the key that it replaces."""
    line = data.rfind(b"\n", 0, at) + 1
    end = "\r\n" if data.find(b"\r\n", line, line + 4096) >= 0 else "\n"
    deep = end + " " * (at - line)
    inner = "".join(f"{deep}    {key}: {value}" for key, value in names.items())
    return f"valueFrom:{deep}  secretKeyRef:{inner}"
