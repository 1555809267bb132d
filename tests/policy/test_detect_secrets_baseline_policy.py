"""`.secrets.baseline`: read, renewed and merged, and read again by detect-secrets itself."""

from __future__ import annotations

import json
import random
import string
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.errors import ConfigError
from scanner.model import DetectSecretsMatch
from scanner.policy.baselines.detect_secrets_baseline import parse
from scanner.policy.baselines.detect_secrets_merge import merge
from scanner.policy.baselines.detect_secrets_update import render, update
from tests.support.policy_values import NOW, match

TOOL = Path(sys.executable).with_name("detect-secrets")
OLD = "2024-01-01T00:00:00Z"


def secret(seed: int) -> str:
    return "".join(random.Random(seed).choices(string.ascii_letters + string.digits, k=24))


def row(value: str, path: str = "app.py", line: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "type": "Secret Keyword",
        "filename": path,
        "hashed_secret": match(value).hashed_secret,
        "is_verified": False,
        "line_number": line,
        **more,
    }


def document(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    results: dict[str, list[dict[str, Any]]] = {}
    for each in rows:
        results.setdefault(each["filename"], []).append(each)
    return {
        "version": "1.5.0",
        "plugins_used": [{"name": "KeywordDetector", "keyword_exclude": ""}],
        "filters_used": [{"path": "detect_secrets.filters.heuristic.is_lock_file"}],
        "results": results,
        "generated_at": OLD,
        **more,
    }


def renewed(
    before: Mapping[str, Any],
    found: Mapping[str, Sequence[DetectSecretsMatch]],
    files: Sequence[str] = ("app.py",),
    **more: Any,
) -> dict[str, Any]:
    return update(before, found, scanned=lambda path: path in files, now=NOW, **more)


# Reading


def test_labels_are_read_by_path_type_and_hash() -> None:
    read = parse(document(row("a", is_secret=False), row("b", "sub/b.py", is_secret=True)), "b")
    assert read.labels == {
        ("app.py", "Secret Keyword", match("a").hashed_secret): False,
        ("sub/b.py", "Secret Keyword", match("b").hashed_secret): True,
    }


@pytest.mark.parametrize("path", ["sub\\b.py", "./sub/b.py", "sub//b.py"])
def test_paths_are_read_as_they_were_written_elsewhere(path: str) -> None:
    read = parse(document(row("a", path)), "b")
    assert [key[0] for key in read.labels] == ["sub/b.py"]


def test_an_entry_of_a_slim_file_or_of_an_old_one_has_no_line_and_no_file_name() -> None:
    bare = {"type": "Secret Keyword", "hashed_secret": match("a").hashed_secret}
    assert len(parse({"results": {"app.py": [bare]}}, "b").labels) == 1


def test_an_entry_that_names_another_file_covers_nothing() -> None:
    odd = {"results": {"app.py": [row("a", "other.py")]}}
    assert parse(odd, "b").labels == {}


@pytest.mark.parametrize(
    "damaged",
    [
        None,
        [],
        {},
        {"results": []},
        {"results": {"a": {}}},
        {"results": {"a": [[]]}},
        {"results": {"a": [{"type": "x"}]}},
        {"results": {"a": [{"type": 1, "hashed_secret": "x"}]}},
        {"results": {"a": [{"type": "x", "hashed_secret": ["x"]}]}},
        {"results": {"a": [{"type": "x", "hashed_secret": "x", "line_number": "1"}]}},
        {"results": {"a": [{"type": "x", "hashed_secret": "x", "is_secret": "no"}]}},
        {"results": {"a": [{"type": "x", "hashed_secret": "x", "filename": {}}]}},
    ],
)
def test_a_damaged_document_is_an_error(damaged: Any) -> None:
    with pytest.raises(ConfigError, match=r"\S") as error:
        parse(damaged, ".secrets.baseline")
    assert error.value.where == ".secrets.baseline"
    assert error.value.todo


# Renewing


def test_where_nothing_changed_the_document_stays_as_it_is() -> None:
    before = document(row("a", line=3), row("b", line=2))  # not even sorted
    after = renewed(before, {"app.py": [match("a", line=3), match("b", line=2)]})
    assert after == before
    assert render(after, render(before)) == render(before)


def test_a_new_match_is_added_in_order_with_a_new_date_and_the_others_keep_their_bytes() -> None:
    before = document(row("b", line=4, is_secret=False, extra="kept"))
    found = {"app.py": [match("b", line=4), match("a", line=2)], "new.py": [match("c", line=9)]}
    after = renewed(before, found, ("app.py", "new.py"))
    assert after["results"] == {
        "app.py": [row("a", line=2), row("b", line=4, is_secret=False, extra="kept")],
        "new.py": [row("c", "new.py", line=9)],
    }
    assert after["generated_at"] == "2026-11-24T12:00:00Z"
    assert [*after] == [*before]


def test_vanished_entries_go_from_the_files_that_were_scanned_alone() -> None:
    before = document(row("a"), row("b", line=2), row("c", "other.py"))
    after = renewed(before, {"app.py": [match("b", line=2)]})
    assert after["results"] == {"app.py": [row("b", line=2)], "other.py": [row("c", "other.py")]}


def test_pruning_adds_nothing() -> None:
    before = document(row("a"), row("gone", line=2))
    found = {"app.py": [match("a"), match("new", line=5)], "new.py": [match("new")]}
    after = renewed(before, found, ("app.py", "new.py"), add=False)
    assert after["results"] == {"app.py": [row("a")]}


def test_a_line_that_is_wrong_is_put_right_and_one_of_several_is_left() -> None:
    before = document(row("moved", line=3), row("twice", line=9))
    found = [match("moved", line=5), match("twice", line=2), match("twice", line=9)]
    after = renewed(before, {"app.py": found})
    assert after["results"]["app.py"] == [row("moved", line=5), row("twice", line=9)]


def test_a_slim_file_stays_slim() -> None:
    slim = document(row("a"))
    del slim["generated_at"], slim["results"]["app.py"][0]["line_number"]
    after = renewed(slim, {"app.py": [match("a", line=4), match("b", line=6)]})
    assert "generated_at" not in after
    assert ["line_number" in each for each in after["results"]["app.py"]] == [False, False]


def test_an_entry_written_on_windows_keeps_its_spelling() -> None:
    before = document(row("a", "sub\\b.py"))
    found = {"sub/b.py": [match("a"), match("b", line=2)]}
    after = renewed(before, found, ("sub/b.py",))
    assert [each["filename"] for each in after["results"]["sub\\b.py"]] == ["sub\\b.py"] * 2
    assert len(parse(after, "b").labels) == 2


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("sort_keys", [True, False])
@pytest.mark.parametrize("indent", [2, 4, "\t"])
@pytest.mark.parametrize("last", ["\n", ""])
def test_a_file_keeps_the_form_that_a_formatter_gave_it(
    newline: str, sort_keys: bool, indent: int | str, last: str
) -> None:
    def dump(data: dict[str, Any]) -> bytes:
        body = json.dumps(data, indent=indent, sort_keys=sort_keys)
        return (body + last).replace("\n", newline).encode()

    before = document(row("a"))
    after = renewed(before, {"app.py": [match("a"), match("b", line=2)]})
    assert render(after, dump(before)) == dump(after)


paths = st.sampled_from(["app.py", "b.py"])
rows = st.builds(
    row,
    st.sampled_from("abcdef"),
    paths,
    st.integers(1, 9),
)
documents = st.lists(rows, max_size=8, unique_by=lambda r: (r["filename"], r["hashed_secret"])).map(
    lambda some: document(*some)
)


@given(documents, documents)
def test_a_renewed_document_covers_exactly_what_was_found(
    before: dict[str, Any], now: dict[str, Any]
) -> None:
    found = {
        path: [
            DetectSecretsMatch(
                kind=r["type"], hashed_secret=r["hashed_secret"], line=r["line_number"]
            )
            for r in rows
        ]
        for path, rows in now["results"].items()
    }
    after = renewed(before, found, ("app.py", "b.py"))
    assert set(parse(after, "b").labels) == set(parse(now, "b").labels)
    assert renewed(after, found, ("app.py", "b.py")) == after


# Merging


def change(base: dict[str, Any], *, add: Sequence[Any] = (), drop: str = "") -> dict[str, Any]:
    kept = [r for some in base["results"].values() for r in some]
    gone = match(drop).hashed_secret
    return document(*(r for r in kept if r["hashed_secret"] != gone), *add)


def values(data: dict[str, Any]) -> set[str]:
    known = {match(v).hashed_secret: v for v in "abcdef"}
    return {known[r["hashed_secret"]] for some in data["results"].values() for r in some}


def test_independent_changes_of_two_sides_never_conflict() -> None:
    base = document(row("a"), row("b", line=2), row("c", line=3))
    ours = change(base, add=[row("d", line=4)], drop="a")
    theirs = change(base, add=[row("e", line=4), row("f", "other.py")], drop="b")
    ours["generated_at"], theirs["generated_at"] = "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"
    merged, conflicts = merge(base, ours, theirs)
    assert conflicts == ()
    assert values(merged) == {"c", "d", "e", "f"}
    assert merged["generated_at"] == "2026-03-01T00:00:00Z"
    assert [*merged] == [*base]


def test_lines_that_both_sides_moved_are_no_conflict() -> None:
    base, ours, theirs = (document(row("a", line=n)) for n in (1, 5, 9))
    merged, conflicts = merge(base, ours, theirs)
    assert (merged["results"], conflicts) == (ours["results"], ())


def test_a_label_of_one_side_and_a_moved_line_of_the_other_are_both_kept() -> None:
    base = document(row("a", line=1))
    merged, conflicts = merge(
        base, document(row("a", line=1, is_secret=False)), document(row("a", line=9))
    )
    assert conflicts == ()
    assert merged["results"]["app.py"] == [row("a", line=9, is_secret=False)]


def test_what_one_side_removed_is_gone_although_the_other_labelled_it() -> None:
    base = document(row("a"), row("b", line=2))
    merged, conflicts = merge(
        base, change(base, drop="a"), document(row("a", is_secret=True), row("b", line=2))
    )
    assert (values(merged), conflicts) == ({"b"}, ())


def test_two_labels_of_one_entry_are_a_conflict_and_it_is_asked_for_again() -> None:
    base = document(row("a"))
    ours, theirs = (document(row("a", is_secret=label)) for label in (True, False))
    merged, conflicts = merge(base, ours, theirs)
    assert "is_secret" not in merged["results"]["app.py"][0]
    assert len(conflicts) == 1
    assert "app.py" in conflicts[0]
    assert match("a").hashed_secret not in conflicts[0]


def test_both_sides_may_have_made_the_file() -> None:
    merged, conflicts = merge({}, document(row("a")), document(row("b"), version="1.4.0"))
    assert (values(merged), merged["version"], conflicts) == ({"a", "b"}, "1.5.0", ())


def test_settings_are_merged_by_name_and_one_set_in_two_ways_is_a_conflict() -> None:
    hexes = [{"name": "HexHighEntropyString", "limit": limit} for limit in (3.0, 3.5, 4.0)]
    keyword, aws = {"name": "KeywordDetector"}, {"name": "AWSKeyDetector"}
    base = document(plugins_used=[hexes[0], keyword])
    ours = document(plugins_used=[hexes[0], keyword, aws])
    theirs = document(plugins_used=[hexes[1]])
    merged, conflicts = merge(base, ours, theirs)
    assert (merged["plugins_used"], conflicts) == ([aws, hexes[1]], ())
    _, conflicts = merge(base, document(plugins_used=[hexes[2], keyword]), theirs)
    assert len(conflicts) == 1
    assert "HexHighEntropyString" in conflicts[0]


@pytest.mark.parametrize("odd", [None, 3, ["x"], [{"name": 1}], [{}]])
def test_settings_of_an_unexpected_shape_are_a_conflict_and_no_crash(odd: Any) -> None:
    base, ours = document(), document(plugins_used=[{"name": "AWSKeyDetector"}])
    _, conflicts = merge(base, ours, document(plugins_used=odd))
    assert len(conflicts) == 1


@given(documents, documents, documents)
def test_a_merge_is_the_same_from_both_sides_and_sorted(
    base: dict[str, Any], ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    merged, conflicts = merge(base, ours, theirs)
    other, _ = merge(base, theirs, ours)
    keys = [set(parse(each, "b").labels) for each in (base, ours, theirs, merged, other)]
    assert conflicts == ()
    assert keys[3] == keys[4] == (keys[1] | keys[2]) - (keys[0] - (keys[1] & keys[2]))
    assert [*merged["results"]] == sorted(merged["results"])


# detect-secrets itself


def run(folder: Path, *arguments: str, answers: str = "") -> str:
    done = subprocess.run(
        [TOOL, *arguments], cwd=folder, input=answers, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_detect_secrets_writes_a_file_that_we_write_with_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(f'password = "{secret(1)}"\n')
    data = run(tmp_path, "scan", "--all-files", "-n").encode()
    assert render(json.loads(data)) == data
    assert render(json.loads(data), data) == data


def test_detect_secrets_loads_audits_and_keeps_what_we_add(tmp_path: Path) -> None:
    old, new = secret(1), secret(2)
    file = tmp_path / "app.py"
    file.write_text(f'password = "{old}"\n')
    data = run(tmp_path, "scan", "--all-files", "-n").encode()
    kinds = [r["type"] for r in json.loads(data)["results"]["app.py"]]
    file.write_text(f'\n\npassword = "{old}"\npassword = "{new}"\n')
    found = [match(v, kind=k, line=n) for v, n in ((old, 3), (new, 4)) for k in kinds]

    after = render(renewed(json.loads(data), {"app.py": found}), data)
    (tmp_path / ".secrets.baseline").write_bytes(after)
    audit = run(tmp_path, "audit", ".secrets.baseline", answers="y\n" * len(found))
    assert "Saving progress" in audit
    assert "ERROR" not in audit
    labelled = json.loads((tmp_path / ".secrets.baseline").read_bytes())
    assert [r["is_secret"] for r in labelled["results"]["app.py"]] == [False] * len(found)

    run(tmp_path, "scan", "--all-files", "--baseline", ".secrets.baseline")
    again = json.loads((tmp_path / ".secrets.baseline").read_bytes())
    assert again["results"] == labelled["results"]
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    hook = TOOL.with_name("detect-secrets-hook")
    arguments = [str(hook), "--baseline", ".secrets.baseline", "app.py"]
    assert subprocess.run(arguments, cwd=tmp_path, check=False).returncode == 0
