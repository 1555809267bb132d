"""Files that the detect-secrets layer would need much memory for: a Gap, or one after the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from scanner.detect import detect_secrets
from scanner.detect.detect_secrets.limits import MAX_LINES, MAX_OPTIONS, MAX_VALUES, SplitLines
from tests.support.helpers import Keywatch, scan
from tests.support.repositories import password

SETTINGS = detect_secrets.default_settings()
VALUES = "".join(f"k{n}: some words\n" for n in range(MAX_VALUES + 1))
OPTIONS = "[part]\n" + "".join(f"k{n} = some words\n" for n in range(MAX_OPTIONS))
BREAKS = "x\r" * (MAX_LINES + 1)
LARGE = {
    "values.yaml": VALUES,
    "flow.yaml": "x: [" + "a, " * (MAX_VALUES + 1) + "]\n",
    "options.ini": OPTIONS,
    "breaks.txt": BREAKS,
}


@pytest.mark.parametrize("name", LARGE)
def test_what_is_too_large_for_the_layer_is_a_gap_and_keywatch_itself_reads_it(
    keywatch: Keywatch, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes((LARGE[name] + password(3).replace(" = ", ": ")).encode())
    seen = scan(keywatch, "--no-git", "--detect-secrets=exact", cwd=tmp_path)
    assert seen.gaps == [("too-large-for-exact", name)]
    assert seen.files == 1


def test_many_documents_of_yaml_are_lines_however_large_the_file_is() -> None:
    text = "a: b\n---\n" + VALUES + password(3)
    (one,) = detect_secrets.scan("many.yaml", text.encode(), [len(text) - 3], SETTINGS)
    assert one.line == text.count("\n")


def test_a_large_file_is_read_once_and_beside_no_other(keywatch: Keywatch, tmp_path: Path) -> None:
    filler = "some words that say nothing at all\n" * 70_000
    for number in range(3):
        (tmp_path / f"large{number}.py").write_text(filler + password(number))
    (tmp_path / "small.py").write_text(password(9))
    seen = scan(keywatch, "--no-git", "--detect-secrets=exact", cwd=tmp_path)
    assert seen.paths == ["large0.py", "large1.py", "large2.py", "small.py"]
    assert seen.files == 4


@pytest.mark.parametrize("text", ["", "a", "\n", "a\nb", "a\n\nb\n", "é\n\U0001f600\n"])
def test_a_split_text_has_the_lines_that_str_split_gives(text: str) -> None:
    lines = SplitLines(text)
    assert [lines[index] for index in range(len(lines))] == text.split("\n")
