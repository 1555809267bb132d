"""Findings are where they are said to be, and do not depend on how a file is read."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator, Sequence
from datetime import date
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.detect.detector import Detector
from scanner.detect.engine import allow_comments, engine
from scanner.detect.engine.chunks import Cursor, buffers
from scanner.detect.rules.samples import expand
from scanner.model import AllowComment, CommentKind, Finding, Observation
from tests.support import helpers

# Formats that are found whatever stands around them.
FORMATS = (
    "ghp_{base62:30}{crc32}",
    "xoxb-{digits:12}-{digits:12}-{base62:24}",
    "sk_live_{base62:24}",
    "AKIA{base32:16}",
    "glpat-{base64url:20}",
    "AIza{base62:35}",
)
FILLERS = ("plain words ", "日本語 ", "😀 é ", "x = 1; ", "\t", "\r\n", "\n", "\n\n", "ключ: да\n")


class Planted(NamedTuple):
    text: str
    values: tuple[str, ...]


@pytest.fixture(scope="module")
def detector() -> Detector:
    return helpers.detector()


def plant(source: random.Random, pieces: int, fillers: Sequence[str] = FILLERS) -> Planted:
    """A text with values of known formats in it, each among filler of its own."""
    parts: list[str] = []
    values = []
    for number in range(pieces):
        parts += source.choices(fillers, k=source.randint(1, 30))
        if source.random() < 0.5:
            value = expand(source.choice(FORMATS), number)
            values.append(value)
            parts += [" '", value, "' "]
    return Planted("".join(parts), tuple(values))


def observe(detector: Detector, *chunks: bytes) -> Observation:
    return detector.observe("a.txt", chunks) or Observation(path="a.txt", size=0)


def at(text: str, finding: Finding) -> str:
    """What stands at a finding's place."""
    place = finding.location
    assert place.line == place.end_line
    line = text.split("\n")[place.line - 1]
    return line[place.column - 1 : place.end_column - 1]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("seed", range(15))
def test_what_stands_at_a_findings_place_is_its_value(
    detector: Detector, seed: int, encoding: str
) -> None:
    fillers = FILLERS if encoding == "utf-8" else ("plain words ", "é è ", "x = 1; ", "\t", "\n")
    text, values = plant(random.Random(seed), 40, fillers)
    found = observe(detector, text.encode(encoding)).findings
    assert [at(text, finding) for finding in found] == list(values)


@pytest.mark.parametrize("seed", range(15))
def test_in_one_endless_line_too(detector: Detector, seed: int) -> None:
    text, values = plant(random.Random(seed), 300, ["plain words ", "日本語 ", "😀 é ", "x=1; "])
    found = observe(detector, text.encode()).findings
    assert [at(text, finding) for finding in found] == list(values)


def cut(data: bytes, source: random.Random, least: int, most: int) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        end = start + source.randint(least, most)
        yield data[start:end]
        start = end


@pytest.mark.parametrize("lines", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_findings_are_the_same_however_a_file_is_cut(
    detector: Detector, seed: int, lines: bool
) -> None:
    source = random.Random(seed)
    fillers = FILLERS if lines else ["plain words ", "日本語 ", "😀 é ", "x = 1; "]
    text, values = plant(source, 1500, fillers)
    data = text.encode()
    assert len(data) > 150_000
    whole = observe(detector, data)
    assert len(whole.findings) == len(values)
    for least, most in ((1, 5000), (20_000, 90_000), (65_536, 65_536), (70_000, 400_000)):
        pieces = observe(detector, *cut(data, source, least, most))
        assert pieces.findings == whole.findings


@pytest.mark.parametrize("size", [1, 1000, 65_535, 65_536, 65_537, 100_000])
def test_a_key_over_several_lines_is_found_wherever_a_piece_ends(
    detector: Detector, size: int
) -> None:
    key = expand("{pem:RSA PRIVATE KEY}", 3)
    data = b"words\n" * 20_000 + key.encode() + b"\n" + b"words\n" * 20_000
    whole = observe(detector, data)
    assert [(f.location.line, f.location.end_line) for f in whole.findings] == [
        (20_001, 20_001 + key.strip().count("\n"))
    ]
    step = max(size, 10_000)
    pieces = [data[:size], *(data[i : i + step] for i in range(size, len(data), step))]
    assert observe(detector, *pieces).findings == whole.findings


def jwt(source: random.Random, size: int) -> str:
    """A token whose payload holds `size` random bytes, in hex."""

    def part(data: object) -> str:
        text = data if isinstance(data, bytes) else json.dumps(data).encode()
        return base64.urlsafe_b64encode(text).rstrip(b"=").decode()

    payload = {"sub": "somebody", "data": source.randbytes(size).hex()}
    return ".".join((part({"alg": "HS256"}), part(payload), part(source.randbytes(32))))


@pytest.mark.parametrize("size", [10, 400, 1000, 2500])
def test_a_token_of_any_length_is_found(detector: Detector, size: int) -> None:
    text = f"bearer = '{jwt(random.Random(size), size)}'\n"
    (found,) = observe(detector, text.encode()).findings
    assert at(text, found) == text[10:-2]


@pytest.mark.parametrize("seed", range(3))
def test_long_and_short_values_in_one_line_are_all_found_however_it_is_cut(
    detector: Detector, seed: int
) -> None:
    source = random.Random(seed)
    parts, values = [], []
    for number in range(150):
        kind = source.random()
        if kind < 0.6:
            value = (
                jwt(source, source.choice([10, 200, 700, 1500, 2500]))
                if kind < 0.3
                else expand("{pem-escaped:RSA PRIVATE KEY}", number)
                if kind < 0.4
                else expand(source.choice(FORMATS), number)
            )
            values.append(value)
            parts.append(f'"k": "{value}", ')
        else:
            parts.append("filler words " * source.randint(1, 200))
    text = "".join(parts)
    whole = observe(detector, text.encode())
    assert [at(text, finding) for finding in whole.findings] == values
    for most in (3000, 50_000, 200_000):
        pieces = observe(detector, *cut(text.encode(), source, 1, most))
        assert pieces.findings == whole.findings


def test_comments_are_the_same_however_a_file_is_cut(detector: Detector) -> None:
    said = "keywatch" + ": allow some-rule reason='x' owner=@a until=2027-01-31\n"
    lines = [f"value {number} # {said}" for number in range(4000)]
    data = "".join(lines).encode()
    whole = observe(detector, data)
    assert [comment.line for comment in whole.comments] == list(range(1, 4001))
    for seed in range(5):
        pieces = cut(data, random.Random(seed), 1000, 150_000)
        assert observe(detector, *pieces).comments == whole.comments


@given(st.lists(st.binary(max_size=300_000), max_size=6))
def test_every_place_of_a_file_belongs_to_one_piece(chunks: list[bytes]) -> None:
    base, expected = 0, 0
    for buffer in buffers(chunks):
        assert base + buffer.first == expected
        assert buffer.data == b"".join(chunks)[base : base + len(buffer.data)]
        expected = base + buffer.last
        base += buffer.following
    assert expected == sum(map(len, chunks)) + 1


@given(st.text(), st.lists(st.integers(0, 200)))
def test_a_place_is_a_line_and_a_column_in_characters(text: str, stops: list[int]) -> None:
    data = text.encode(errors="ignore")
    text = data.decode()
    place = Cursor()
    for stop in sorted(min(stop, len(text)) for stop in stops):
        before = text[:stop]
        line, column = place.move(data, len(before.encode()))
        assert line == before.count("\n") + 1
        assert column == len(before.rpartition("\n")[2]) + 1


class TestComments:
    WORDS = (
        *("keywatch:", "allow", "keywatch: allow ", "some-rule", 'reason="', 'a "b" c', '"', "'"),
        *("owner=@a", "until=2027-01-31", "until=2027-02-30", "reason=x", "reason=", "=", "#"),
        *("//", "/*", "*/", "<!--", "-->", "{#", "#}", "REM ", "pragma: allowlist secret", " "),
        *("pragma: whitelist nextline secret", "gitleaks:allow", "é", "\x1b[31m", "\u202e", "\0"),
    )

    @given(st.lists(st.one_of(st.sampled_from(WORDS), st.text()), max_size=12).map("".join))
    def test_any_line_is_read_without_an_error(self, line: str) -> None:
        said = allow_comments.parse(line, "a.txt", 7)
        if said is None:
            return
        assert (said.path, said.line) == ("a.txt", 7)
        assert said.covers in (7, 8)
        for field in (said.rule, said.reason, said.owner, said.until):
            assert field in line
        if said.kind is CommentKind.KEYWATCH and not said.problem:
            assert said.rule
            assert said.reason.strip()
            assert said.owner.strip()
            date.fromisoformat(said.until)

    @given(
        st.text(st.characters(exclude_characters='"\n'), min_size=1).filter(str.strip),
        st.dates(),
        st.sampled_from(["# ", "// ", "/* ", "-- ", "; ", "<!-- ", "x = 1  # "]),
    )
    def test_what_a_comment_says_is_read_as_it_was_said(
        self, reason: str, until: date, opener: str
    ) -> None:
        words = f'allow some-rule reason="{reason}" owner=@team until={until.isoformat()}'
        assert allow_comments.parse(f"{opener}keywatch: {words}", "a", 1) == AllowComment(
            path="a",
            line=1,
            covers=1 if opener.startswith("x") else 2,
            kind=CommentKind.KEYWATCH,
            rule="some-rule",
            reason=reason,
            owner="@team",
            until=until.isoformat(),
        )


@pytest.mark.parametrize("path", ["a.py", "a.yaml", "a.json", "a.txt"])
def test_lines_that_come_again_are_judged_as_if_they_came_once(
    detector: Detector, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = expand("{alnum:20}", 1)
    lines = (
        'token = "x"',
        'password: "{{ db_password }}"',
        f'api_key = "{secret}"',
        f'"DB_PASSWORD": "{secret}",',
        "mysql -h db \\",
        f"  -p{secret} shop",
        '"token": {',
        '  "type": "string",',
        f'  "default": "{secret}"',
        "},",
    )
    for seed in range(30):
        text = "\n".join(random.Random(seed).choices(lines, k=40)).encode()
        seen = detector.observe(path, (text,))
        with monkeypatch.context() as patch:
            patch.setattr(engine, "_MAX_REMEMBERED", 0)
            assert detector.observe(path, (text,)) == seen
