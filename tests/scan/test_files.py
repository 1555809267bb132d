"""What one odd file may cost: itself, and no other. And what the first run on a machine costs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import cast

import pytest

from scanner.detect.detector import SCOPES, Detector, NameResult
from scanner.detect.prefilter import matcher
from scanner.detect.rules import rulebook
from scanner.inputs.interface import Blob
from scanner.model import Observation
from scanner.scan.worker import FileScanner, WorkerConfig
from tests.support.calls import watched
from tests.support.helpers import forks, processors

QUOTED = "a line of the file"


class Files:
    root = "."
    whole_tree = True

    def paths(self) -> Sequence[str]:
        return ("odd", "plain")

    def read(self, path: str, most: int) -> Blob:
        return Blob(path=path, size=most, chunks=(b"x",))

    def open(self, path: str, most: int) -> None:
        raise NotImplementedError(path)

    def control(self, path: str) -> bytes | None:
        raise NotImplementedError(path)


class Faulty:
    """A detector with a defect, which one file meets."""

    def names(self, paths: Sequence[str]) -> dict[str, NameResult]:
        return {}

    def is_heavy(self, size: int) -> bool:
        return False

    def observe(self, path: str, *_more: object) -> Observation | None:
        if path == "odd":
            raise LookupError(QUOTED)
        return Observation(path=path, size=1)


def test_a_defect_costs_one_file_and_is_a_gap_without_its_text() -> None:
    task = FileScanner(Files(), cast("Detector", Faulty()), 1, lambda _path: False)
    swept = task.scan(("odd", "plain"))
    assert [seen.path for seen in swept.observations] == ["plain"]
    (gap,) = swept.gaps
    assert (gap.kind, gap.path) == ("internal", "odd")
    assert "LookupError in observe:" in gap.reason
    assert QUOTED not in gap.reason


class TestEmptyCache:
    def recipe(self, folder: Path) -> WorkerConfig:
        where = str(folder)
        return WorkerConfig(
            source=Files(),
            rulebook=rulebook.load(cache_folder=where),
            matcher="hyperscan",
            max_size=1,
            cache_folder=where,
            settings=None,
            exclude=(),
        )

    @pytest.fixture
    def compiled(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        """A file that gets a line with name and process for each database that is compiled."""
        log = tmp_path / "log"
        log.touch()

        def note(frame: FrameType) -> None:
            with log.open("a") as file:
                file.write(f"{frame.f_locals['self']._name} {os.getpid()}\n")

        processors(monkeypatch, 2)
        with watched(matcher._Hyperscan._compile, note):
            yield log

    @forks
    def test_it_is_filled_by_all_processors_each_with_something_else(
        self, tmp_path: Path, compiled: Path
    ) -> None:
        recipe = self.recipe(tmp_path / "cache")
        recipe.compile(lambda: {"name", "code"})
        names, processes = zip(*map(str.split, compiled.read_text().splitlines()), strict=True)
        assert sorted(names) == ["code", "common", "name"]
        assert len({*processes, str(os.getpid())}) == 3
        assert sorted(recipe.detector().missing(SCOPES)) == ["config"]
        recipe.detector().prepare(("name", "code"))
        recipe.compile(lambda: {"name", "code", "any"})  # for one, there is nothing to be shared
        assert len(compiled.read_text().splitlines()) == 3

    def test_nothing_is_compiled_for_one_that_keeps_nothing(
        self, tmp_path: Path, compiled: Path
    ) -> None:
        (tmp_path / "file").touch()
        self.recipe(tmp_path / "file").compile()
        assert not compiled.read_text()
