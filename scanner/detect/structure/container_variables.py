"""Detect: variables of Kubernetes containers, `$(NAME)`, that nothing replaces."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from scanner.detect.structure import Path

_KINDS = frozenset(("containers", "initContainers", "ephemeralContainers"))
_VARIABLE = re.compile(r"(?<!\$)\$\(([A-Za-z_][\w.\-]*)\)")


class Containers:
    """The containers of a document, with the variables that each declares, in their order.

    A part of a container, as a patch has it, declares the rest elsewhere; so does envFrom.
    """

    def __init__(self, texts: Mapping[Path, str]) -> None:
        self._whole: set[Path] = set()
        self._open: set[Path] = set()
        self._declared: dict[Path, dict[str, int]] = {}
        for path, text in texts.items():
            self._note(path, text)

    def undeclared(self, path: Path, value: str) -> Iterator[re.Match[str]]:
        """The variables (group 1: their names) in a value that its container does not declare, or
        not before the variable that the value is for."""
        container = _container(path)
        if container not in self._whole or container in self._open:
            return
        declared = self._declared.get(container, {})
        own = _item(path, container)
        for found in _VARIABLE.finditer(value):
            at = declared.get(found[1])
            if at is None or (own is not None and at >= own):
                yield found

    def _note(self, path: Path, text: str) -> None:
        container = _container(path)
        rest = path[len(container) :]
        if not container or not rest:
            return
        if rest == ("image",):
            self._whole.add(container)
        elif rest[0] == "envFrom":
            self._open.add(container)
        elif rest[2:] == ("name",) and (at := _item(path, container)) is not None:
            self._declared.setdefault(container, {}).setdefault(text, at)


def _container(path: Path) -> Path:
    for at in range(len(path) - 1, 0, -1):
        if isinstance(path[at], int) and path[at - 1] in _KINDS:
            return path[: at + 1]
    return ()


def _item(path: Path, container: Path) -> int | None:
    """Which of the container's variables a path is about, None for what is no variable."""
    rest = path[len(container) :]
    return rest[1] if rest[:1] == ("env",) and isinstance(rest[1], int) else None
