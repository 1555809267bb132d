"""YAML and INI as the detect-secrets layer reads them, against the library's own transformers."""

from __future__ import annotations

import io
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from scanner.detect.detect_secrets import library
from scanner.detect.detect_secrets.ini import ini_lines
from scanner.detect.detect_secrets.yaml_lines import YamlLines, transformed, yaml_lines
from scanner.detect.detect_secrets.yaml_texts import DoubtError, InvalidError, texts

CRASHED = object()
WORDS = ("alpha", "b", "pass word", "x1", "yes", "12", "1.5", "~", "null", "a#b", "http://x", "")
RARE = ("=", "<<", "%x", "-x", '"', "!", "*", "&", "?x", "q?", "2020-01-01", "é", 'a"b')
KEYS = ("a", "b", "c", "password", "secret key", '"q"', "'s'", "1", "2", "yes", "true", "1.0", "<<")
RARE_KEYS = ("?", '"a\\x41"', "{a: b}", "[a]", "? x\n", "*A", "&K k", "!!str t", "=", "''", "")


class Writer:
    """Writes YAML at random, most of it valid."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def seldom(self, share: float) -> bool:
        return self.rng.random() < share

    def choice(self, *options: str) -> str:
        return self.rng.choice(options)

    def scalar(self, *, flow: bool) -> str:
        word = self.choice(*WORDS) if not self.seldom(0.04) else self.choice(*RARE)
        kind = self.rng.random()
        if kind < 0.5:
            return word
        if kind < 0.7:
            end = self.choice("", "", "\\n", "\\x41", "\\\n   c", "\n   d", "\t")
            return '"' + word.replace('"', '\\"') + end + '"'
        if kind < 0.85:
            return "'" + word.replace("'", "''") + self.choice("", "", "\n    e") + "'"
        return word if flow else word + self.choice(" two", "\n      folded", "")

    def key(self) -> str:
        return self.choice(*KEYS) if not self.seldom(0.02) else self.choice(*RARE_KEYS)

    def properties(self) -> str:
        return self.choice("&A ", "&B ", "!!str ", "!x ", "!!map ") if self.seldom(0.05) else ""

    def gap(self, *, wide: bool) -> str:
        return self.choice(" ", " ", "", "\n    ", " # c\n    ") if wide else self.choice(" ", "")

    def flow(self, depth: int, *, wide: bool) -> str:
        if not depth or self.seldom(0.3):
            return "*A" if self.seldom(0.05) else self.scalar(flow=True)
        count = self.rng.choice([0, 1, 1, 2, 2, 3])
        mapping = self.seldom(0.65)
        parts = []
        for _ in range(count):
            value = self.flow(depth - 1, wide=wide)
            if mapping:
                key = self.key()
                parts.append(self.choice(*[f"{key}: {value}"] * 8, key, f'"j":{value}'))
            else:
                parts.append(value if not self.seldom(0.05) else f"p: {value}")
        text = ""
        for number, part in enumerate(parts):
            before = "," + self.gap(wide=wide)
            if self.seldom(0.1):
                before = self.gap(wide=wide) + before
            text += (before if number else "") + part
        left, right = "{}" if mapping else "[]"
        return left + self.gap(wide=wide) + text + self.gap(wide=wide) + right

    def block(self, indent: int, depth: int) -> list[str]:
        pad = " " * indent
        sequence = self.seldom(0.35)
        out = []
        for _ in range(self.rng.choice([1, 1, 2, 3])):
            if self.seldom(0.08):
                out.append(self.choice("", pad + "# pragma: allowlist nextline secret"))
            head = pad + ("- " if sequence else self.key() + ": ")
            kind = self.rng.random()
            if depth and kind < 0.3:
                inner = self.block(indent + 2, depth - 1)
                if sequence:
                    out.append(pad + "- " + "\n".join(inner)[indent + 2 :])
                else:
                    out += [head + self.properties() + self.choice("", " # c"), *inner]
            elif kind < 0.5:
                flow = self.flow(2, wide=self.seldom(0.5))
                out.append(head + self.properties() + flow + self.choice("", " # c"))
            elif kind < 0.6:
                out += [head + self.choice("|", ">", "|-", ">-", "|2", "|#"), *self.text(indent)]
            elif kind < 0.65:
                out.append(head + self.choice("*A", "*B", "", "\n" + pad + "   next"))
            else:
                tail = self.choice("", " # c", " ", "\t# t") if self.seldom(0.2) else ""
                out.append(head + self.properties() + self.scalar(flow=False) + tail)
        return out

    def text(self, indent: int) -> list[str]:
        pad = " " * (indent + 4)
        lines = (pad + 'line "q" text', pad + "  more", "", pad + "\ttab", pad + "# no")
        return [self.rng.choice(lines) for _ in range(self.rng.choice([1, 2, 3]))]

    def document(self) -> str:
        head = self.choice("---\n", "%YAML 1.1\n---\n", "# top\n\n", "\ufeff")
        tail = self.choice("\n---\na: b", "\n...", "\n", "\n# end")
        wide = self.seldom(0.15)
        body = self.flow(4, wide=True) if wide else "\n".join(self.block(0, 3))
        before = head if self.seldom(0.2) else ""
        return before + body + (tail if self.seldom(0.15) else "") + self.choice("\n", "\n", "")

    def aliases(self) -> str:
        """Mappings that are named, repeated and merged."""
        out: list[str] = []
        names = 0
        for number in range(self.rng.randrange(2, 6)):
            kind = self.rng.random()
            named = [f"M{self.rng.randrange(names)}" for _ in range(3)] if names else []
            if kind < 0.4 or not named:
                out.append(f"m{number}: &M{names} {self.one_line()}")
                names += 1
            elif kind < 0.8:
                inner = [
                    f"  <<: *{named[0]}",
                    f"  {self.choice('a', 'e')}: v2",
                    f"  x: *{named[1]}",
                ]
                out += [f"m{number}:", *self.rng.sample(inner, self.rng.randrange(1, 4))]
            else:
                out.append(f"m{number}: [*{named[0]}, {{a: b, c: *{named[1]}}}]")
        return "\n".join(out) + "\n"

    def one_line(self) -> str:
        values = ("x", "y", "zz", "{p: q, r: s}")
        return "{" + ", ".join(f"{key}: {self.choice(*values)}" for key in "abd") + "}"


def lines_of_library(name: str, transformer: str, text: str) -> Any:
    """Its lines; None where it refuses the text."""
    file = io.StringIO(text)
    file.name = "a"
    try:
        return getattr(library.module(f"transformers.{name}"), transformer)().parse_file(file)
    except library.module("transformers.exceptions").ParsingError:
        return None
    except (AttributeError, LookupError, TypeError, ValueError):
        return CRASHED


def own_lines(text: str) -> Any:
    """As `yaml_lines`, without the library's help: DoubtError where it would be asked."""
    try:
        lines = transformed(texts(text), text)
    except InvalidError:
        return None
    assert lines is not None
    return list_of(lines)


def list_of(lines: YamlLines) -> list[str]:
    return [lines[index] for index in range(len(lines))]


@pytest.mark.parametrize(
    ("make", "count"),
    [(Writer.document, 4000), (Writer.aliases, 1000)],
    ids=["document", "aliases"],
)
def test_yaml_is_read_as_the_library_reads_it(make: Callable[[Writer], str], count: int) -> None:
    seen: Counter[str] = Counter()
    for seed in range(count):
        text = make(Writer(seed))
        try:
            own = own_lines(text)
        except DoubtError:
            seen["doubt"] += 1
            continue
        expected = lines_of_library("yaml", "YAMLTransformer", text)
        if expected is not CRASHED:
            assert own == expected, text
            seen["lines" if own else "none"] += 1
    assert seen["lines"] > 500, seen


def test_where_only_the_library_knows_it_is_asked() -> None:
    asked = 0
    for seed in range(1500):
        text = Writer(seed).document()
        expected = lines_of_library("yaml", "YAMLTransformer", text)
        try:
            texts(text)
        except DoubtError:
            if expected is not CRASHED:
                lines = yaml_lines(text)
                assert (list_of(lines) if lines else None) == (expected or None), text
                asked += bool(expected)
        except InvalidError:
            pass
    assert asked > 10


def test_the_lines_of_a_file_that_a_text_was_made_of() -> None:
    text = "a: x\nb:\n  c: |\n    one\n    two\n  d: >-\n    three\ne: f\n"
    found = {one.key: (one.line, one.first) for one in texts(text)}
    assert found == {"a": (1, 1), "c": (3, 3), "d": (6, 6), "e": (8, 8)}
    lasts = {one.key: one.last for one in texts(text)}
    assert lasts["c"] >= 5
    assert lasts["d"] >= 7


INI_VALUES = (
    *("val", "two words", '"quoted"', "'s'", "x=y", 'v"w', "%(a)s", "%%", "%", "%(zz)s", "==", ""),
    *("# pragma: allowlist nextline secret", ";c", "\x0b", "\u2028x", "\x1cy", "é", ":= z"),
)
INI_LINES = (
    *("[s]", "[t]", "[u v]", "[DEFAULT]", "  [s]", "[s", "[]", "[x] y", "# c", "; c", "", "  # x"),
    *("# pragma: allowlist nextline secret", "  ; pragma: allowlist nextline secret", "bare"),
)


def ini_text(rng: random.Random) -> str:
    lines = ["[s0]"] if rng.random() < 0.7 else []
    for _ in range(rng.randrange(1, 9)):
        kind = rng.random()
        if kind < 0.3:
            lines.append(rng.choice(INI_LINES))
        elif kind < 0.8:
            name = rng.choice(["a", "b", "c", "key one", "Pass", "d e", "f", "g", "h"])
            operator = rng.choice(["=", " = ", ":", " : ", "= ", " == ", ":="])
            lines.append(name + operator + rng.choice(INI_VALUES))
        else:
            lines.append(rng.choice(["  ", "\t", "\u2003"]) + rng.choice([*INI_VALUES, "k = v"]))
    return "\n".join(lines) + rng.choice(["", "\n"])


@pytest.mark.parametrize("sectionless", [False, True])
def test_ini_is_read_as_the_library_reads_it(*, sectionless: bool) -> None:
    allowlist = library.module("filters.allowlist")
    pragmas = [allowlist.get_allowlist_regexes((mark, ""), nextline=True) for mark in "#;"]
    name = "EagerConfigFileTransformer" if sectionless else "ConfigFileTransformer"
    rng = random.Random(11)
    read = 0
    for _ in range(6000):
        text = ini_text(rng)
        own = ini_lines(
            text, lambda line: any(one.search(line) for one in pragmas), sectionless=sectionless
        )
        assert own == lines_of_library("config", name, text), text
        read += bool(own)
    assert read > 1000
