"""Only the lines around a candidate are parsed, and give the same as the whole document."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from scanner.detect.structure import Leaf, file_kind, structures
from scanner.detect.structure.yaml_excerpt import documents_around, excerpt
from tests.support.calls import watched
from tests.support.helpers import detector

excerpt_module = import_module(
    "scanner.detect.structure.yaml_excerpt"
)  # its function hides its name
KIND = file_kind("k8s/app.yaml")
KEYS = st.sampled_from(["a", "b", "name", "value", "password", "env", "spec", "c-d", "1"])
SCALARS = st.one_of(
    st.sampled_from(["x", "x y", "two\nlines", "- no item", "#", "k: v", "", "{{ .x }}", "'", '"']),
    st.integers(0, 9),
    st.booleans(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=25,
)


def leaves(data: bytes, *ranges: tuple[int, int]) -> Iterator[tuple[int, Leaf]]:
    """Yield the values, each with the number of its document."""
    for number, each in enumerate(structures(KIND, data, ranges)):
        yield from ((number, leaf) for leaf in each.leaves if each.is_in_range(leaf))


def whole_lines(data: bytes, leaf: Leaf) -> tuple[int, int]:
    """Return the range of the whole lines of a value, as the engine requests it."""
    start = data.rfind(b"\n", 0, leaf.start) + 1
    end = data.find(b"\n", leaf.end)
    return start, len(data) if end < 0 else end


@given(
    st.lists(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4), min_size=1, max_size=3),
    st.data(),
)
def test_a_value_read_around_its_line_is_the_one_of_the_whole_file(
    documents: list[Any], data: st.DataObject
) -> None:
    text = yaml.safe_dump_all(documents, sort_keys=False).encode()
    every = [(number, leaf) for number, leaf in leaves(text) if leaf.end > leaf.start]
    if not every:
        return
    _, leaf = data.draw(st.sampled_from(every))
    near = [
        found for found in leaves(text, whole_lines(text, leaf)) if found[1].start == leaf.start
    ]
    assert [one._replace(path=keys(one)) for _, one in near] == [leaf._replace(path=keys(leaf))]


def keys(leaf: Leaf) -> tuple[str, ...]:
    """The path without the indexes: items that are left out do not count."""
    return tuple(part for part in leaf.path if isinstance(part, str))


LINES = st.lists(
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["", "", "  ", "    ", "      ", " ", "\t"]),
        st.sampled_from(["", "", "- ", "- - ", "-"]),
        st.sampled_from(["a: b", "k:", "", "# c", "{{ x }}", "{% y %}", "x", "---", '"q": 1']),
    ),
    min_size=1,
    max_size=30,
)


@given(LINES, st.data())
def test_what_leads_to_a_line_is_kept_whatever_others_are_asked_for(
    lines: list[str], data: st.DataObject
) -> None:
    text = "\n".join(lines).encode()
    ends = [len("\n".join(lines[: n + 1])) for n in range(len(lines))]
    wanted = data.draw(st.sets(st.integers(0, len(lines) - 1), min_size=1))
    ranges = [(ends[n] - len(lines[n]), ends[n]) for n in sorted(wanted)]
    alone = set[int]().union(*(kept(text, [each]) for each in ranges))
    assert kept(text, ranges) == alone


def kept(text: bytes, ranges: list[tuple[int, int]]) -> set[int]:
    """Return the offsets in the file of the lines that an excerpt holds."""
    some = excerpt(text, ranges)
    found = set()
    ends = [*some.starts[1:], len(some.data)] if some.starts else []
    for start, end, origin in zip(some.starts, ends, some.origins, strict=True):
        piece = some.data[start : end - 1]
        found |= {origin} | {origin + n + 1 for n, byte in enumerate(piece) if byte == 10}
    return found


def test_a_long_list_is_read_only_once_for_all_its_lines() -> None:
    calls: list[object] = []
    items = 500
    text = b"rules:\n" + b"  - id: x\n    named: y\n    z: 1\n" * items
    starts = [n for n in range(len(text)) if text.startswith(b"    named", n)]
    ranges = [(at, text.index(b"\n", at)) for at in starts]
    with watched(excerpt_module._indent, calls.append):
        excerpt(text, ranges)
    assert items < len(calls) < 10 * items


def test_only_documents_with_a_candidate_are_parsed() -> None:
    parts = [b"a: 1\n", b"---\nb: 2\n", b"---\nc: 3"]
    data = b"".join(parts)
    at = [data.index(letter) for letter in (b"a", b"b", b"c")]
    assert [data[low:high] for low, high in documents_around(data, [at[1], at[1] + 1])] == [
        b"---\nb: 2"
    ]
    assert [data[low:high] for low, high in documents_around(data, [at[2], at[0]])] == [
        b"a: 1",
        b"---\nc: 3",
    ]
    assert documents_around(data, at) == ()


def test_a_secret_is_found_in_each_of_many_documents() -> None:
    filler = b"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
    secret = b"---\napiVersion: v1\nkind: Secret\nstringData:\n  cookie: Zq8Lw2RtXy71Bn\n"
    seen = detector().observe("k8s/all.yaml", [(filler * 3 + secret + filler) * 2])
    assert seen is not None
    assert [finding.rule for finding in seen.findings] == ["kubernetes-secret-manifest"] * 2
