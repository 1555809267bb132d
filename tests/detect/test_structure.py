"""Structured files: paths to values and where they stand, on files as people write them and as
nobody should."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.detect.structure import (
    READERS,
    Leaf,
    NotParsedError,
    Path,
    Structure,
    file_kind,
    structures,
)
from scanner.detect.structure.json_reader import read_json

Shown = dict[str, str]


def leaves(path: str, data: bytes) -> list[Leaf]:
    return [leaf for each in structures(file_kind(path), data) for leaf in each.leaves]


def shown(path: str, text: str) -> Shown:
    """Each value's bytes by its keys and indexes, joined."""
    data = text.encode()
    found = leaves(path, data)
    return {".".join(map(str, one.path)): data[one.start : one.end].decode() for one in found}


CASES: tuple[tuple[str, str, Shown], ...] = (
    (
        "a.yaml",
        (
            "a: 1  # one\nb:\n  - x: 'y z'\n  - {p: \"q\", r: [s, t]}\n---\n"
            "c: |\n  two\n  lines\nd: >-\n  e\n"
        ),
        {
            "a": "1",
            "b.0.x": "y z",
            "b.1.p": "q",
            "b.1.r.0": "s",
            "b.1.r.1": "t",
            "c": "two\n  lines",
            "d": "e",
        },
    ),
    ("a.yaml", "a: &x 1\nb: *x\nc: !Ref d\n? e\n: f\n", {"a": "1", "b": "1", "c": "d", "e": "f"}),
    (
        "chart/templates/a.yaml",
        (
            "{{- if .Values.a }}\na: {{ .Values.b | quote }}\n"
            "{{ end }}  # c\n{{ .d }}: e\nf: {{ .g }}\n"
        ),
        {"a": "{{ .Values.b | quote }}", "{{ .d }}": "e", "f": "{{ .g }}"},
    ),
    (
        "a.yaml.j2",
        "{# a comment #}\n{% for x in y %}\na: '{{ x }}'\n{% endfor %}\nb: {{ z }}s\n",
        {"a": "{{ x }}", "b": "{{ z }}s"},
    ),
    ("a.yaml", "\ufeffa: b\r\nc:\r\n  d: e\r\n", {"a": "b", "c.d": "e"}),
    (
        "a.json",
        '{"a": "b", // c\n "d": [1, {"e": "f\\"g"}], /* h */ "i": null,}\n',
        {"a": "b", "d.0": "1", "d.1.e": 'f\\"g', "i": "null"},
    ),
    (
        "a.toml",
        "[a.b]\nc = \"d\" # e\nf = '''g\nh'''\ni = {j = 'k', l = \"m\"}\n[[n]]\no = 1\n",
        {"a.b.c": "d", "a.b.f": "g\nh", "a.b.i.j": "k", "a.b.i.l": "m", "n.o": "1"},
    ),
    ("a.ini", "\ufeffa=b\n", {"a": "b"}),
    ("a.xml", "\ufeff<a><b>c</b></a>", {"a.0.b.0": "c"}),
    ("a.tf", '\ufeffa = "b"\n', {"a": "b"}),
    (
        "a.ini",
        "; a\n[b]\nc = d e ; f\n# g = h\n  i: j\r\nk=\\\n  l\n",
        {"b.c": "d e", "b.i": "j", "b.k": "l"},
    ),
    ("a.properties", "a.b=c=d\n! e = f\n", {"a.b": "c=d"}),
    (".npmrc", "//a.b:80/c/:_d=e:f\n//g/:h = i\n// j\n//k:l\n", {"_d": "e:f", "h": "i"}),
    (
        ".env",
        "export A='b c'\nD=\"e\nf\"\nG= # h\nI=j#k\n",
        {"A": "b c", "D": "e\nf", "G": "", "I": "j#k"},
    ),
    (
        "a.tf",
        (
            'resource "a" "b" {\n  c = "d"\n'
            '  e = { f = "g", h = ["i"] }\n  j {\n    k = var.l\n  }\n}\n'
        ),
        {"resource.a.b.c": "d", "resource.a.b.e.f": "g", "resource.a.b.e.h.0": "i"},
    ),
    (
        "a.tf",
        'a = coalesce(var.b, "c")\nd = <<-E\n  {\n  e\n  E\n/* } */\nf = "}"\n',
        {"a": "c", "d": "{\n  e", "f": "}"},
    ),
    (
        "a.xml",
        (
            "<?xml version='1.0'?>\n<!DOCTYPE a [<!ENTITY e \"f\">]>\n"
            '<a b="c"><d>e &amp; f</d><d> g </d></a>\n'
        ),
        {"a.0.@b": "c", "a.0.d.0": "e &amp; f", "a.0.d.1": "g"},
    ),
    (
        "Dockerfile",
        'FROM a AS b\nENV C=d E="f g" \\\n  # h\n  I=j\nENV K l m\nFROM n\nARG O=p\nRUN Q=r s\n',
        {
            "ENV.C": "d",
            "ENV.E": "f g",
            "ENV.I": "j",
            "ENV.K": "l m",
            "ARG.O": "p",
            "RUN.Q": "r",
        },
    ),
    ("Dockerfile", "RUN <<E\nA=b\nE\nENV C=d\n", {"RUN.A": "b", "ENV.C": "d"}),
    (
        "a.sh",
        "export A=b; C='d e' f # G=h\nI=$(j \"k\")\n",
        {"A": "b", "C": "d e", "I": '$(j "k")'},
    ),
)


@pytest.mark.parametrize(("path", "text", "wanted"), CASES)
def test_a_file_gives_its_values_by_their_keys(path: str, text: str, wanted: Shown) -> None:
    assert shown(path, text) == wanted


@pytest.mark.parametrize(
    ("text", "styles"),
    [
        ("a: b\n", ["plain"]),
        ("a: 'b'\n", ["quoted"]),
        ("a: |\n  b\n", ["block"]),
        ('a: "b"\nc: d\n', ["quoted", "plain"]),
    ],
)
def test_a_value_says_how_it_is_written(text: str, styles: list[str]) -> None:
    assert [leaf.style for leaf in leaves("a.yaml", text.encode())] == styles


def test_the_branches_of_an_expression_are_fallbacks() -> None:
    found = leaves("a.tf", b'a = coalesce(var.b, "c")\nd = var.e ? "f" : "g"\nh = "i"\n')
    assert [leaf.style for leaf in found] == ["fallback", "fallback", "fallback", "quoted"]


def test_a_tag_of_yaml_is_told_for_all_that_is_in_it() -> None:
    found = leaves("a.yaml", b"a: !vault |\n  b\nc: !Join\n  - d\n  - [e]\nf: g\n")
    assert [leaf.tag for leaf in found] == ["!vault", "!Join", "!Join", ""]


def test_what_a_document_holds_tells_its_kind() -> None:
    texts = (
        b"apiVersion: v1\nkind: A\n",
        b"services: {a: {image: b}}\n",
        b"- hosts: a\n  tasks: []\n",
    )
    kinds = [next(structures(file_kind("a.yaml"), text)).kinds for text in texts]
    assert kinds == [{"kubernetes"}, {"compose"}, {"ansible"}]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.yaml", "a: [b\n"),
        ("a.yaml", "a: 'b\n"),
        ("a.yaml", "a: b\n\tc: d\n"),
        ("a.yaml", "[" * 200 + "]" * 200),
        ("a.yaml", "- a\n" * 60_000),
        ("a.yaml", "#" * 1_000_001),
        ("a.json", '{"a": '),
        ("a.json", '{"a": "b'),
        ("a.xml", "<a><b></a>"),
        ("a.xml", "<a>" * 300 + "</a>" * 300),
        ("a.tf", "}}} not a word of it"),
        ("a.tf", "a = [\n" + '  "b",\n' * 8_000 + "]\n"),
        ("a.tf", "a = " + "[" * 300 + "]" * 300),
    ],
    ids=lambda text: repr(text[:20]),
)
def test_a_file_that_is_broken_or_too_much_is_not_parsed(path: str, text: str) -> None:
    with pytest.raises(NotParsedError):
        shown(path, text)


def test_a_template_hides_nothing_between_its_line_and_the_next() -> None:
    text = "{{ .a }}: b\npassword: c\nd: {{ .e }}\n"
    assert shown("chart/templates/a.yaml", text)["password"] == "c"


NAMES = {
    "yaml": "a.yaml",
    "json": "a.json",
    "toml": "a.toml",
    "ini": "a.ini",
    "env": "a.env",
    "shell": "a.sh",
    "dockerfile": "Dockerfile",
    "xml": "a.xml",
    "hcl": "a.tf",
    "sql": "a.sql",
}
PIECES = (
    *(
        b"a",
        b"b.c",
        b"=",
        b": ",
        b":",
        b"\n",
        b"\r\n",
        b"  ",
        b"\t",
        b"- ",
        b"? ",
        b"{",
        b"}",
        b"[",
        b"]",
    ),
    *(
        b"'",
        b'"',
        b'"""',
        b"'''",
        b"`",
        b"\\",
        b"\\\n",
        b"#",
        b"//",
        b"/*",
        b"*/",
        b"<",
        b">",
        b"</",
    ),
    *(
        b"{{",
        b"}}",
        b"{%",
        b"%}",
        b"{#",
        b"#}",
        b"<%",
        b"%>",
        b"${",
        b"$(",
        b"$[[",
        b"]]",
        b"|\n",
        b">-\n",
    ),
    *(
        b"---\n",
        b"&a ",
        b"*a",
        b"!b ",
        b"<<E\n",
        b"E\n",
        b"ENV ",
        b"RUN ",
        b"export ",
        b"a = ",
        b"a {\n",
        b"insert into a (b, c) values ",
        b"('a', ",
        b"copy a (b) from stdin;\n",
        b"\\.\n",
    ),
    *(
        b"<a b='c'>",
        b"<!DOCTYPE a [",
        b"<!ENTITY",
        b"<![CDATA[",
        b"<?xml",
        b"\0",
        b"\xff",
        b"\xef\xbb\xbf",
    ),
)
FILES = st.one_of(
    st.binary(max_size=60), st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join)
)


def test_every_reader_is_tried() -> None:
    assert set(NAMES) == set(READERS)
    assert {file_kind(name).reader for name in NAMES.values()} == set(READERS)


@pytest.mark.parametrize("name", NAMES.values())
@given(data=FILES)
def test_any_bytes_give_values_within_them_or_are_not_parsed(name: str, data: bytes) -> None:
    try:
        found = leaves(name, data)
    except NotParsedError:
        return
    assert all(0 <= leaf.start <= leaf.end <= len(data) for leaf in found)


ENDLESS = [piece * 12_000 for piece in PIECES] + [
    *(b'\\"' * 12_000, b"/* " * 12_000, b"a={{" * 9_000, b"a=${" * 9_000, b"a =" * 9_000),
    *(b"a = [" + b"x" * 40_000, b"<a b='c'>" + b"x" * 40_000, b"a = '" + b"x\n" * 15_000),
    *(
        b"RUN <<A\n" * 5_000,
        b"{{ }} " * 6_000,
        b"\n{{ a" * 8_000,
        b"a=\\\n" * 9_000,
        b"<a" + b" b" * 9_000,
    ),
]


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", NAMES.values())
def test_hostile_files_take_little_time(name: str) -> None:
    for data in ENDLESS:
        start = time.process_time()
        with contextlib.suppress(NotParsedError):
            leaves(name, data)
        assert time.process_time() - start < 5, data[:20]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
        ),
        max_leaves=30,
    ),
    st.integers(0, 60),
    st.integers(0, 10),
)
def test_json_around_a_place_reads_as_json_as_a_whole(value: Any, line: int, lines: int) -> None:
    data = json.dumps({"a": [value], "b": value}, indent=2).encode()
    starts = [0, *(at + 1 for at, byte in enumerate(data) if byte == 0x0A)]
    first = min(line, len(starts) - 1)
    end = starts[first + lines + 1] - 1 if first + lines + 1 < len(starts) else len(data)
    zone = (starts[first], end)

    def within(structures: Iterable[Structure]) -> set[tuple[tuple[str, ...], int, int]]:
        return {
            (tuple(key for key in leaf.path if isinstance(key, str)), leaf.start, leaf.end)
            for each in structures
            for leaf in each.leaves
            if zone[0] <= leaf.start and leaf.end <= zone[1]
        }

    assert within(read_json(data, (zone,))) == within(read_json(data))


class TestSql:
    def leaves(self, text: str) -> list[tuple[Path, str]]:
        data = text.encode()
        found = list(structures(file_kind("a.sql"), data))
        return [
            (leaf.path, data[leaf.start : leaf.end].decode()) for s in found for leaf in s.leaves
        ]

    def test_the_rows_of_an_insert_have_the_names_of_its_columns(self) -> None:
        text = 'INSERT INTO app."users" (id, `login`, [pw])\n'
        text += "VALUES (1, 'a', 'x'), (2, 'it''s', NULL);"
        assert self.leaves(text) == [
            (("users", 0, "login"), "a"),
            (("users", 0, "pw"), "x"),
            (("users", 1, "login"), "it''s"),
        ]

    def test_of_an_expression_the_first_string_is_the_value(self) -> None:
        text = (
            "insert into u (n, p) values ('a', crypt('x', gen_salt('bf'))) on conflict do nothing;"
        )
        assert self.leaves(text) == [(("u", 0, "n"), "a"), (("u", 0, "p"), "x")]

    def test_the_lines_after_copy_are_rows_up_to_the_mark_that_ends_them(self) -> None:
        text = "COPY u (n, p) FROM stdin;\na\tx\nb\t\\N\n\\.\nSELECT 'c';\n"
        assert self.leaves(text) == [
            (("u", 0, "n"), "a"),
            (("u", 0, "p"), "x"),
            (("u", 1, "n"), "b"),
        ]

    def test_rows_without_the_names_of_columns_and_other_statements_are_passed_over(self) -> None:
        assert self.leaves("INSERT INTO u VALUES ('a', 'x'); SELECT f(a) FROM b;") == []

    @pytest.mark.unmeasured
    def test_a_string_without_its_end_takes_no_long_time(self) -> None:
        text = "INSERT INTO u (p) VALUES (" + "'" * 99_999 + "(" * 99_999
        before = time.monotonic()
        self.leaves(text + text)
        assert time.monotonic() - before < 20
