"""The key for MACs of values, which a worker holds for the comparison of one run.

Only a process that has the key can tell whether two values are equal. The key is never stored, and
is in no task, result or log.
"""

from __future__ import annotations

from typing import Any

from distributed import WorkerPlugin

NAME = "keywatch-key"


class KeyPlugin(WorkerPlugin):
    """A plugin of Dask's workers that holds the key. Its text does not show it."""

    name = NAME

    def __init__(self, key: bytes) -> None:
        self._key = key

    def setup(self, worker: Any) -> None:  # noqa: ARG002 - the interface of Dask
        """Called on each worker, also on those that join later."""
        global _key  # noqa: PLW0603 - one for each worker process
        _key = self._key

    def teardown(self, worker: Any) -> None:  # noqa: ARG002 - the same
        global _key  # noqa: PLW0603
        _key = None

    def __repr__(self) -> str:
        return "KeyPlugin()"


_key: bytes | None = None


def current() -> bytes | None:
    """The key of this process, None if it has none."""
    return _key
