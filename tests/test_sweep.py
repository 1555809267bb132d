"""What one odd file may cost: itself, and no other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from scanner.cli.sweep import Task
from scanner.detect.detector import Detector, Named
from scanner.inputs.interface import Blob
from scanner.model import Observation

QUOTED = "a line of the file"


class Files:
    root = "."
    whole_tree = True

    def paths(self, _steps: object = (), /) -> Sequence[str]:
        return ("odd", "plain")

    def read(self, path: str, most: int) -> Blob:
        return Blob(path=path, size=most, chunks=(b"x",))

    def open(self, path: str, most: int) -> None:
        raise NotImplementedError(path)

    def control(self, path: str) -> bytes | None:
        raise NotImplementedError(path)


class Faulty:
    """A detector with a defect, which one file meets."""

    def names(self, paths: Sequence[str]) -> dict[str, Named]:
        return {}

    def is_heavy(self, size: int) -> bool:
        return False

    def observe(self, path: str, *_more: object) -> Observation | None:
        if path == "odd":
            raise LookupError(QUOTED)
        return Observation(path=path, size=1)


def test_a_defect_costs_one_file_and_is_a_gap_without_its_text() -> None:
    task = Task(Files(), cast("Detector", Faulty()), 1, lambda _path: False)
    swept = task.scan(("odd", "plain"))
    assert [seen.path for seen in swept.observations] == ["plain"]
    (gap,) = swept.gaps
    assert (gap.kind, gap.path) == ("internal", "odd")
    assert "LookupError in observe:" in gap.reason
    assert QUOTED not in gap.reason
