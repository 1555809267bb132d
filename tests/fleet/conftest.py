"""Fixtures for the tests of a fleet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import fleets
from tests.support.fleets import Cluster


@pytest.fixture(scope="session")
def cluster(
    few_rules: Path, hermetic: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """A cluster for all tests that do not harm it."""
    with fleets.cluster(few_rules, tmp_path_factory.mktemp("cluster")) as made:
        yield made
