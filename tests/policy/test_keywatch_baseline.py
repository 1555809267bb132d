"""`.keywatch.baseline`: its format, its errors, its merges."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from random import Random

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.cli import main
from scanner.errors import ConfigError
from scanner.policy.baselines import keywatch_baseline
from scanner.policy.baselines.keywatch_baseline import (
    BaselineEntry,
    entries_of,
    merge,
    parse,
    render,
)
from scanner.policy.judge import judge
from tests.support.policy_values import NOW, finding, seen

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = jsonschema.Draft202012Validator(
    json.loads((ROOT / "rules/schema/baseline.schema.json").read_bytes())
)
HEADER = b'{"keywatch-baseline":1}\n'

text = st.text(st.characters(exclude_categories=()), max_size=12)
entries = st.builds(
    BaselineEntry,
    path=text,
    rule=st.sampled_from(["generic-password", "aws-access-key"]),
    name=text,
    tag=st.integers(-1, 65535),
    copy=st.integers(0, 2),
)
entry_sets = st.sets(entries, max_size=8)


def lines_of(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True)


def test_a_line_holds_what_identifies_the_debt_and_nothing_of_the_value() -> None:
    one = finding("hunter", line=77, rule="generic-password", context="db.password")
    data = render(entries_of([one]))
    assert lines_of(data)[0] == HEADER
    assert json.loads(lines_of(data)[1]) == {
        "path": "app.py",
        "rule": "generic-password",
        "name": "db.password",
        "tag": one.tag,
    }
    assert b"77" not in data.replace(str(one.tag).encode(), b"")


def test_a_new_finding_leaves_every_other_line_as_it_was() -> None:
    old = [finding("b", line=3), finding("c", line=5), finding("b", line=9)]
    before = render(entries_of(old))
    after = render(entries_of([finding("a", line=1), *old]))
    assert len(lines_of(after)) == len(lines_of(before)) + 1
    assert set(lines_of(before)) < set(lines_of(after))


@given(entry_sets)
def test_what_is_written_is_read_again(written: set[BaselineEntry]) -> None:
    data = render(written)
    assert data.isascii()
    read = parse(data, "b")
    assert set(read.entries) == written
    assert render(read.entries) == data
    assert [*read.entries] == sorted(read.entries)
    for entry, line in zip(read.entries, read.lines, strict=True):
        assert lines_of(data)[line - 1] == lines_of(render([entry]))[1]


@given(entry_sets)
def test_every_line_fits_the_published_schema(written: set[BaselineEntry]) -> None:
    for line in lines_of(render(written)):
        SCHEMA.validate(json.loads(line))


@given(entry_sets, st.randoms())
def test_order_and_repeated_lines_are_of_no_account(
    written: set[BaselineEntry], order: Random
) -> None:
    rows = lines_of(render(written)) * 2
    order.shuffle(rows)
    assert set(parse(b"\r\n".join(rows), "b").entries) == written


@pytest.mark.parametrize(
    ("data", "line", "said"),
    [
        (b"", 1, "missing"),
        (b'{"path":"a","rule":"r","name":""}\n', 1, "missing"),
        (b'{"keywatch-baseline":2}\n', 1, "version"),
        (b'{"keywatch-baseline":1,"more":1}\n', 1, "version"),
        (HEADER + b"nonsense\n", 2, "not a JSON object"),
        (HEADER + b"[1]\n", 2, "not a JSON object"),
        (HEADER + b"\xff\xfe\n", 2, "not a JSON object"),
        (HEADER + b"[" * 100_000 + b"\n", 2, "not a JSON object"),
        (HEADER + b"1" * 10_000 + b"\n", 2, "not a JSON object"),
        (HEADER + b'{"path":"a","rule":"r"}\n', 2, "missing"),
        (HEADER + b'{"path":"a","rule":"r","name":"","line":4}\n', 2, "'line' is unknown"),
        (HEADER + b'{"path":"a","rule":"r","name":"","tag":true}\n', 2, "'tag'"),
        (
            HEADER + b'{"path":"a","rule":"r","name":"","tag":65536}\n',
            2,
            "the field 'tag' must be from 0",
        ),
        (
            HEADER + b'{"path":"a","rule":"r","name":"","tag":-1}\n',
            2,
            "the field 'tag' must be from 0",
        ),
        (HEADER + b'{"path":1,"rule":"r","name":""}\n', 2, "'path'"),
        (HEADER + b'{"path":"a"\n', 2, "not a JSON object"),
        (HEADER + b"<<<<<<< HEAD\n", 2, "merge conflict"),
        (HEADER + b"=======\n", 2, "merge conflict"),
    ],
)
def test_a_damaged_file_is_an_error_with_its_line(data: bytes, line: int, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(data, ".keywatch.baseline")
    assert error.value.where == f".keywatch.baseline:{line}"
    assert said in error.value.what
    assert error.value.todo


@given(entry_sets, entry_sets, entry_sets)
def test_a_merge_holds_both_sides_additions_and_neither_sides_removals(
    base: set[BaselineEntry], ours: set[BaselineEntry], theirs: set[BaselineEntry]
) -> None:
    merged = set(merge([*base], [*ours], [*theirs]))
    assert (ours - base) | (theirs - base) <= merged
    assert not merged & ((base - ours) | (base - theirs))
    assert merged <= ours | theirs
    assert merge([*base], [*theirs], [*ours]) == tuple(sorted(merged))


@settings(max_examples=40)
@given(entry_sets, entry_sets, entry_sets)
def test_gits_union_merge_of_two_branches_is_again_a_baseline_that_covers_both(
    tmp_path_factory: pytest.TempPathFactory,
    base: set[BaselineEntry],
    ours: set[BaselineEntry],
    theirs: set[BaselineEntry],
) -> None:
    folder = tmp_path_factory.mktemp("merge")
    sides = {"ours": base | ours, "base": base, "theirs": base | theirs}
    for name, side in sides.items():
        (folder / name).write_bytes(render(side))
    git = ["git", "merge-file", "-p", "--union", *sides]
    done = subprocess.run(git, cwd=folder, capture_output=True, check=True)
    assert set(parse(done.stdout, "b").entries) == base | ours | theirs


def test_500_entries_cost_a_hook_a_few_milliseconds() -> None:
    debt = [
        finding(str(i), rule=f"rule-{i % 9}", context=f"settings.services.name{i}.password")
        for i in range(500)
    ]
    data = render(entries_of(debt))
    one = seen(debt[0], finding("new"))

    def cost() -> float:
        start = time.process_time()
        known = parse(data, "b")
        outcome = judge([one], baseline=known, whole_tree=False, now=NOW)
        spent = time.process_time() - start
        assert len(outcome.findings) == 1
        return spent

    assert min(cost() for _ in range(5)) < 0.02


def test_scanners_find_nothing_in_a_baseline(tmp_path: Path) -> None:
    from detect_secrets.core.secrets_collection import SecretsCollection
    from detect_secrets.settings import default_settings

    names = ("api_key", "password", "client-secret", "AUTH_TOKEN", "db.credentials.password")
    debt = [
        finding(f"{name}{i}", rule=f"generic-{name.lower()}", context=name)
        for name in names
        for i in range(40)
    ]
    file = tmp_path / keywatch_baseline.FILE
    file.write_bytes(render(entries_of(debt)))
    with default_settings():
        secrets = SecretsCollection()
        secrets.scan_file(str(file))
    assert not secrets.data
    assert main(["scan", "--no-git", "--quiet", str(tmp_path)]) == 0
