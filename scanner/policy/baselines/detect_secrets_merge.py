"""Policy: three-way merge of `.secrets.baseline` files.

Entries are merged as a set and settings by name; line numbers and dates never conflict. A conflict
remains only if both sides changed the same label or setting differently.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from scanner.policy.baselines.detect_secrets_baseline import Row, results
from scanner.policy.baselines.detect_secrets_update import in_order

_ABSENT: Any = object()
_LISTS = {"plugins_used": "name", "filters_used": "path"}

Clash = Callable[[Any, Any, Any, Any], Any]  # (key, base, ours, theirs) -> the merged value


def merge(
    base: Mapping[str, Any], ours: Mapping[str, Any], theirs: Mapping[str, Any]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The merged document, and one line for each conflict.

    `base` is {} if both sides created the file. An entry that one side removed is removed, even if
    the other side changed it; if the secret still exists, the next scan reports it. If the labels
    of an entry differ, it gets none, so that the next audit asks for it. If a setting differs, ours
    is kept. ConfigError if the results of a side are invalid.
    """
    conflicts: list[str] = []

    def settle(name: str, old: Any, mine: Any, other: Any) -> Any:
        by = _LISTS.get(name, "")
        if all(side is _ABSENT or _is_named(side, by) for side in (old, mine, other)):
            items = _maps(settle, *(_by(by, side) for side in (old, mine, other)))
            return sorted(items.values(), key=lambda item: item[by].lower())
        if name in ("generated_at", "version"):
            return max(mine, other, key=_numbers)
        conflicts.append(f"{name} is set differently on each side: check which one is meant")
        return theirs if mine is _ABSENT else mine

    merged = _maps(settle, *({**side, "results": None} for side in (base, ours, theirs)))
    return {**merged, "results": _results(base, ours, theirs, conflicts)}, tuple(conflicts)


def _maps(clash: Clash, *sides: Mapping[Any, Any]) -> dict[Any, Any]:
    """Merge base, ours and theirs. `clash` decides values that both sides changed."""
    merged = {}
    for key in {**sides[1], **sides[2]}:
        old, mine, other = (side.get(key, _ABSENT) for side in sides)
        if other in (mine, old):
            merged[key] = mine
        else:
            merged[key] = other if mine == old else clash(key, old, mine, other)
    return {key: value for key, value in merged.items() if value is not _ABSENT}


def _results(
    base: Mapping[str, Any],
    ours: Mapping[str, Any],
    theirs: Mapping[str, Any],
    conflicts: list[str],
) -> dict[str, list[Row]]:
    def settle(key: tuple[str, str, str], old: Row, mine: Row, other: Row) -> Row:
        if mine is _ABSENT or other is _ABSENT:
            return _ABSENT
        before = {} if old is _ABSENT else old
        return _maps(lambda *field: one(key, *field), before, mine, other)

    def one(key: tuple[str, str, str], field: str, _old: Any, mine: Any, other: Any) -> Any:
        if field != "is_secret":
            return other if mine is _ABSENT else mine
        conflicts.append(f"{key[0]}: {key[1]} has a different label on each side; it has none now")
        return _ABSENT

    merged = _maps(settle, _rows(base) if base else {}, _rows(ours), _rows(theirs))
    files: dict[str, list[Row]] = {}
    for key, row in merged.items():
        files.setdefault(key[0], []).append(row)
    return {name: in_order(rows) for name, rows in sorted(files.items())}


def _rows(document: Mapping[str, Any]) -> dict[tuple[str, str, str], Row]:
    return {
        (name, row["type"], row["hashed_secret"]): row
        for name, rows in results(document, "").items()
        for row in rows
    }


def _by(name: str, side: Any) -> dict[str, Any]:
    return {} if side is _ABSENT else {item[name]: item for item in side}


def _is_named(value: object, by: str) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, dict) and isinstance(item.get(by), str) for item in value
    )


def _numbers(text: object) -> list[int]:
    return [int(part) for part in re.findall(r"[0-9]{1,9}", str(text))]
