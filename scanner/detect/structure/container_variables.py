"""Detect: find `$(NAME)` in Kubernetes containers that do not declare the variable."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from scanner.detect.structure import Path

_CONTAINER_LISTS = frozenset(("containers", "initContainers", "ephemeralContainers"))
_VARIABLE = re.compile(r"(?<!\$)\$\(([A-Za-z_][\w.\-]*)\)")


class Containers:
    """The containers of a document, with the variables that each declares, in their order.

    Containers without an image (patches) and with `envFrom` declare variables elsewhere, so they
    are left out.
    """

    def __init__(self, texts: Mapping[Path, str]) -> None:
        self._with_image: set[Path] = set()
        self._with_env_from: set[Path] = set()
        self._declared: dict[Path, dict[str, int]] = {}
        for path, text in texts.items():
            self._add(path, text)

    def undeclared(self, path: Path, value: str) -> Iterator[re.Match[str]]:
        """Yield the variables in a value that its container does not declare. Group 1 is the name.

        In the value of a variable, only variables that are declared before it count.
        """
        container = _container(path)
        if container not in self._with_image or container in self._with_env_from:
            return
        declared = self._declared.get(container, {})
        own = _variable_index(path, container)
        for found in _VARIABLE.finditer(value):
            index = declared.get(found[1])
            if index is None or (own is not None and index >= own):
                yield found

    def _add(self, path: Path, text: str) -> None:
        container = _container(path)
        rest = path[len(container) :]
        if not container or not rest:
            return
        if rest == ("image",):
            self._with_image.add(container)
        elif rest[0] == "envFrom":
            self._with_env_from.add(container)
        elif rest[2:] == ("name",):
            index = _variable_index(path, container)
            if index is not None:
                self._declared.setdefault(container, {}).setdefault(text, index)


def _container(path: Path) -> Path:
    """Return the path of the container that a value belongs to; () if there is none."""
    for at in range(len(path) - 1, 0, -1):
        if isinstance(path[at], int) and path[at - 1] in _CONTAINER_LISTS:
            return path[: at + 1]
    return ()


def _variable_index(path: Path, container: Path) -> int | None:
    """Return the index of the container's variable that a path belongs to; None if to none."""
    rest = path[len(container) :]
    return rest[1] if rest[:1] == ("env",) and isinstance(rest[1], int) else None
