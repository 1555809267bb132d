"""docs/rotate.md: a row for each executor, and how to recover from each state."""

from __future__ import annotations

from pathlib import Path

from scanner.rotate.executors.table import EXECUTORS
from scanner.rotate.model import State

PAGE = (Path(__file__).parents[2] / "docs" / "rotate.md").read_text(encoding="utf-8")


def test_the_page_has_a_row_and_the_rights_of_each_executor() -> None:
    for executor in EXECUTORS.values():
        traits = executor.TRAITS
        row = f"| {traits.what} | {traits.overlap} | {traits.rollback} | {traits.idempotent} |"
        assert row in PAGE
        assert f"- {traits.what}: {'; '.join(traits.rights)}" in PAGE


def test_the_page_says_how_to_recover_from_each_state_that_status_can_print() -> None:
    for state in State:
        assert f"| `{state.value}` |" in PAGE
