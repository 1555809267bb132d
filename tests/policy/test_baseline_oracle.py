"""How much of a value the entries of a baseline reveal, from outside."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.helpers import Keywatch, scan, write_files
from tests.support.repositories import password


def test_entries_of_five_files_with_one_value_reveal_no_more_than_one(
    tmp_path: Path, keywatch: Keywatch
) -> None:
    write_files(tmp_path, {f"f{number}.py": password(5) for number in range(5)})
    write_files(tmp_path, {"other.py": password(6)})
    keywatch("baseline", "create", cwd=tmp_path)
    lines = (tmp_path / ".keywatch.baseline").read_text().splitlines()[1:]
    tags = {json.loads(line)["path"]: json.loads(line)["tag"] for line in lines}
    assert len(tags) == 6
    assert len({*tags.values()}) == 2
    assert scan(keywatch, ".", cwd=tmp_path).code == 0
