"""One crash of each executor. `bench/run.py rotation` has a thousand, at random moments.

The slow tests crash each executor at every moment.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.rotation_places import Rotated, places
from tests.support.rotations import Rotator


@pytest.fixture(scope="module")
def stores(
    tmp_path_factory: pytest.TempPathFactory, openbao: None
) -> Iterator[tuple[Rotator, list[Rotated]]]:
    with places(tmp_path_factory.mktemp("places")) as found:
        yield found


def test_each_executor_ends_with_one_current_credential_after_a_crash(
    stores: tuple[Rotator, list[Rotated]],
) -> None:
    rotator, found = stores
    assert len(found) >= 9
    for number, each in enumerate(found):
        before = each.snapshot()
        rotator.crashed(each.secret(), 4 + number % 3)
        assert (each.name, each.wrong(before)) == (each.name, "")
        record = rotator.records[-1]
        assert record["result"] == "finished"
