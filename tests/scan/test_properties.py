"""What holds for any input: nothing raises, no secret is shown, no order matters."""

from __future__ import annotations

import base64
import codecs
import io
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scanner import document, globs
from scanner.cli import main
from scanner.detect.rules.samples import expand
from scanner.errors import ConfigError
from scanner.inputs import text_encoding
from scanner.inputs.interface import Blob
from scanner.policy.baselines import keywatch_baseline
from tests.support.helpers import NOW

ROOT = Path(__file__).resolve().parents[2]
FORMATS = ("terminal", "json", "sarif", "sarif-full")
HEXADECIMAL_ID = re.compile(r"\b(?:[0-9a-f]{32}|[0-9a-f]{12})\b")


class Result(NamedTuple):
    code: int
    out: bytes
    err: bytes


@contextmanager
def streams(folder: Path, stdin: bytes) -> Iterator[tuple[io.BytesIO, io.BytesIO]]:
    """A current folder and standard streams for a run of the command line in this process."""
    here, before = Path.cwd(), (sys.stdin, sys.stdout, sys.stderr)
    out, err = io.BytesIO(), io.BytesIO()
    os.chdir(folder)
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin))
    sys.stdout = io.TextIOWrapper(out, encoding="utf-8", write_through=True)
    sys.stderr = io.TextIOWrapper(err, encoding="utf-8", write_through=True)
    try:
        yield out, err
    finally:
        sys.stdin, sys.stdout, sys.stderr = before
        os.chdir(here)


def run(folder: Path, *arguments: str, stdin: bytes = b"") -> Result:
    with streams(folder, stdin) as (out, err):
        code = main(arguments)
        return Result(code, out.getvalue(), err.getvalue())


def emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def put(folder: Path, name: str, data: bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("properties")


class TestDecoding:
    @given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=3))
    @example(codecs.BOM_UTF8, [])
    @example(codecs.BOM_UTF32_LE + b"\xff" * 7, [5])
    def test_any_bytes_are_text_or_binary(self, data: bytes, cuts: list[int]) -> None:
        marks = sorted(min(cut, len(data)) for cut in cuts)
        edges = [0, *marks, len(data)]
        chunks = [data[a:b] for a, b in pairwise(edges)]
        got = text_encoding.blob("a", len(data), data, iter(chunks))
        if isinstance(got, Blob):
            whole = text_encoding.blob("a", len(data), data, iter([data]))
            assert isinstance(whole, Blob)
            assert b"".join(got.chunks) == b"".join(whole.chunks)

    @given(st.text(st.characters(exclude_characters="\0\ufeff", exclude_categories=["Cs"])))
    def test_text_with_a_mark_comes_back_whole(self, text: str) -> None:
        for name in ("utf-16", "utf-32"):
            data = text.encode(name)
            got = text_encoding.blob("a", len(data), data, iter([data]))
            assert isinstance(got, Blob)
            assert b"".join(got.chunks).decode() == text

    @given(st.text(st.characters(min_codepoint=1, max_codepoint=126), min_size=1))
    def test_western_text_in_utf_16_needs_no_mark(self, text: str) -> None:
        for name in ("utf-16-le", "utf-16-be"):
            data = text.encode(name)
            got = text_encoding.blob("a", len(data), data, iter([data]))
            assert isinstance(got, Blob)
            assert b"".join(got.chunks).decode() == text


class TestDocuments:
    PARTS = (
        *("version: 1\n", "scan:\n", "  exclude: [a]\n", "allow:\n", "- ", "{", "}", "[", "]", ":"),
        *("&a ", "*a", "<<: ", "!!binary ", "!!set ", "!x ", "? ", "| \n", "> \n", "'", '"', "\n"),
        *("  ", "\t", "# x\n", "---\n", "...\n", "%YAML 1.1\n", "0x", "1:1", ".nan", "~", "\u2028"),
        *("until: 2026-02-30\n", "rules: [{}]\n", "accept_gaps: [{kind: a}]\n", "\ufeff", "\x85"),
    )
    some = st.lists(st.one_of(st.sampled_from(PARTS), st.text(max_size=3)), max_size=12)

    @given(st.one_of(st.binary(), some.map("".join).map(lambda text: text.encode(errors="ignore"))))
    def test_any_document_is_read_or_refused(self, data: bytes) -> None:
        with suppress(ConfigError):
            parsed = document.parse(data, "some.yaml")
            document.check(parsed, "keywatch.schema.json")
            assert json.loads(json.dumps(parsed.data)) == parsed.data

    @given(
        st.one_of(
            st.binary(),
            st.lists(
                st.sampled_from(
                    ['{"v":1}', "{", "}", '"', ":", "fingerprint", "null", "[]", "1e999", "\n", " "]
                ),
                max_size=12,
            )
            .map("".join)
            .map(str.encode),
        )
    )
    def test_any_baseline_is_read_or_refused(self, data: bytes) -> None:
        with suppress(ConfigError):
            keywatch_baseline.parse(data, ".keywatch.baseline")


def matches(glob: str, path: str) -> bool:
    """A glob's meaning, said as simply as can be: exponential, and easy to believe."""
    if not glob:
        return path[:1] in ("", "/")
    if glob.startswith("**/"):
        rest = path.split("/")
        return any(matches(glob[3:], "/".join(rest[i:])) for i in range(len(rest)))
    if glob.startswith("**"):
        return any(matches_inside(glob[2:], path[i:]) for i in range(len(path) + 1))
    return matches_inside(glob, path)


def matches_inside(glob: str, path: str) -> bool:
    """Not at the beginning of a segment, so `**/` is nothing special."""
    if not glob:
        return path[:1] in ("", "/")
    if glob.startswith("**"):
        return any(matches_inside(glob[2:], path[i:]) for i in range(len(path) + 1))
    if glob[0] == "*":
        segment = len(path.partition("/")[0])
        return any(matches_inside(glob[1:], path[i:]) for i in range(segment + 1))
    if not path or (glob[0] not in ("?", path[0])) or (glob[0] == "?" and path[0] == "/"):
        return False
    return (matches if glob[0] == "/" else matches_inside)(glob[1:], path[1:])


class TestGlobs:
    pieces = st.sampled_from(["a", "b", "ab", "/", "*", "?", "**/", "/**", "/**/"])
    names = st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=4)

    @settings(max_examples=500)
    @given(st.lists(pieces, min_size=1, max_size=6).map("".join), names.map("/".join))
    def test_a_glob_means_what_it_says(self, glob: str, path: str) -> None:
        if "***" in glob or "//" in glob or not glob.strip("/"):
            return
        inner = glob.strip("/")
        anywhere = "" if "/" in glob.rstrip("/") else "**/"
        assert globs.matcher([glob])(path) == matches(anywhere + inner, path)

    @pytest.mark.unmeasured
    @pytest.mark.parametrize("glob", ["**/" * 100 + "x", "*a" * 150 + "z", "**a" * 150 + "z"])
    @pytest.mark.parametrize("path", ["a" * 4000, "a/" * 2000, "ab/ac/a" * 500])
    def test_a_hostile_glob_ends(self, glob: str, path: str) -> None:
        assert not globs.matcher([glob])(path)


def examples() -> Iterator[str]:
    """Those that are found in any file."""
    for path in sorted((ROOT / "rules" / "secrets").glob("*.yaml")):
        for rule in yaml.safe_load(path.read_bytes())["rules"]:
            yield from (each for each in rule["examples"] if isinstance(each, str))


def grams(text: str, size: int = 4) -> set[str]:
    return {text[i : i + size] for i in range(len(text) - size + 1)}


def strings(document: Any) -> Iterator[str]:
    """All that stands in a JSON document."""
    if isinstance(document, dict):
        document = [*document, *document.values()]
    if isinstance(document, list):
        for each in document:
            yield from strings(each)
    else:
        yield str(document)


def only_first(secret: set[str], shown: Sequence[set[str]]) -> set[str]:
    """Grams of the secrets that the first reports show, and the second do not. Most strings stand
    in both: those of the rules."""
    grams_shown = set[str]().union(*map(grams, shown[0] - shown[1]))
    return {gram for gram in secret & grams_shown if not any(gram in text for text in shown[1])}


def reports(folder: Path, *arguments: str) -> set[str]:
    """All that a scan of the folder shows, in every format: strings of JSON, and lines.

    Addresses are decoded: the `%A6` of an ellipsis and the two characters of a preview after it
    could otherwise be four characters of a secret by chance. IDs are left out for the same reason:
    they are hexadecimal digits that depend on the secret's place, and may hold any four of them.
    """
    out = folder.parent / "reports"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    asked = [f"--report={name}={out}/{name}" for name in FORMATS]
    done = run(folder, "scan", "--now", NOW, *asked, *arguments)
    assert done.code in (0, 1), done.err
    texts = [(out / name).read_text() for name in FORMATS]
    lines = "\n".join([done.out.decode(), done.err.decode(), texts[0]]).split("\n")
    shown = {*lines, *strings([json.loads(text) for text in texts[1:]])}
    return {HEXADECIMAL_ID.sub("ID", unquote(text)) for text in shown}


class TestNoSecretIsShown:
    """Two trees that differ in their secrets alone: what only the one's reports hold, and its
    secrets too, was shown."""

    def test_of_any_rule(self, place: Path) -> None:
        shown, values = [], []
        for seed in (1, 2):
            tree = emptied(place / "tree")
            texts = [expand(template, seed) for template in examples()]
            for number, text in enumerate(texts):
                put(tree, f"{number}.txt", text.encode())
            done = run(tree, "scan", "--report=json=-")
            found = json.loads(done.out)["findings"]
            assert len(found) > 0.9 * len(texts)
            values.append([value_at(texts, finding["location"]) for finding in found])
            shown.append(reports(tree))
        secret = set[str]().union(*map(grams, values[0])) - set[str]().union(*map(grams, values[1]))
        assert len(secret) > 5000
        assert only_first(secret, shown) == set()

    SITUATIONS = (
        'key = "{0}"',
        '"{0}": "{1}"',
        "{0} = '{1}'",
        "{0} {1} {0}",
        "{0}{1}",
        "- {0}: password: {1}",
        'x = "{0}"  # keywatch' + ': allow some-rule reason="fine" owner=@a until=2027-01-31',
        "# keywatch" + ': allow some-rule reason="it was {0}" owner=@a until=2027-01-31',
        "# keywatch" + ': allow some-rule reason="it was {0}, then {1}" owner=@a',
        "# keywatch" + ': allow some-rule reason="{0}',
        "# keywatch" + ': allow {0} reason="x" owner={1} until={0}',
        '"{0}"  # pragma: allowlist secret',
        "# pragma: allowlist nextline secret {0}\n{1}",
        "{0} gitleaks:allow {1}",
        "https://user:{0}@example.org/{1}?token={0}",
        "\u202e{0}\x1b[31m{1}\u00e9",
        '{{"a": "{0}", "b": ["{1}"]}}',
        "curl -H 'Authorization: Bearer {0}' -u {1}:x",
    )
    PREFIXED = ("ghp_{base62:30}{crc32}", "sk_live_{base62:24}", "glpat-{base64url:20}")

    @settings(max_examples=25)
    @example(lines=[], names=["{0}.txt"], encoding="utf-8", seed=1950)
    @given(
        st.lists(st.tuples(st.sampled_from(SITUATIONS), st.sampled_from(PREFIXED)), max_size=6),
        st.lists(st.sampled_from(["{0}.txt", "{0}/a.txt", "a/{0}/{1}", "skip/{0}", "{0}.bin"])),
        st.sampled_from(["utf-8", "utf-16", "utf-16-be"]),
        st.integers(1, 10_000),
    )
    def test_in_any_situation(
        self,
        place: Path,
        lines: Sequence[tuple[str, str]],
        names: Sequence[str],
        encoding: str,
        seed: int,
    ) -> None:
        shown, secret = [], []
        for which in (seed, seed + 10_000):
            pairs = [(expand(form, which), expand(form, -which)) for form in self.PREFIXED]
            secrets = dict(zip(self.PREFIXED, pairs, strict=True))
            text = "\n".join(line.format(*secrets[form]) for line, form in lines)
            tree = emptied(place / "tree")
            put(tree, "keywatch.yaml", b"version: 1\nscan: {exclude: [skip]}\n")
            put(tree, "a.txt", text.encode(encoding))
            for name in names:
                put(tree, name.format(*pairs[0]), b"\0" * 99 if name.endswith(".bin") else b"x\n")
            shown.append(reports(tree))
            bodies = [value.partition("_")[2] or value[6:] for pair in pairs for value in pair]
            secret.append(set[str]().union(*map(grams, bodies)))
        assert only_first(secret[0] - secret[1], shown) == set()

    @pytest.mark.parametrize("kind", ["pem", "password", "url"])
    def test_of_a_kind_without_a_prefix(self, place: Path, kind: str) -> None:
        template = {
            "pem": "{pem:RSA PRIVATE KEY}",
            "password": "db_password = '{base62:24}'\npassword: {base62:14}!\n",
            "url": "postgres://me:{base62:20}@db.internal/x\n",
        }[kind]
        shown, secret = [], []
        for seed in (1, 2):
            tree = emptied(place / "tree")
            text = expand(template, seed)
            put(tree, "config.ini", text.encode())
            shown.append(reports(tree))
            secret.append(grams(text))
        assert only_first(secret[0] - secret[1], shown) == set()


def value_at(texts: Sequence[str], location: dict[str, object]) -> str:
    """The text of a finding's place: the number of the file is its text's."""
    lines = texts[int(str(location["path"]).removesuffix(".txt"))].split("\n")
    first, last = int(str(location["line"])) - 1, int(str(location["end_line"])) - 1
    lines = lines[first : last + 1]
    lines[-1] = lines[-1][: int(str(location["end_column"])) - 1]
    lines[0] = lines[0][int(str(location["column"])) - 1 :]
    return "\n".join(lines)


@pytest.mark.slow
class TestAnyTree:
    NAMES = st.lists(
        st.sampled_from(
            ["a", ".", "..b", "-x", "é", "\n", "\x1b[2J", "\udcff", "::", "[red]", " "]
        ),
        min_size=1,
        max_size=4,
    ).map("".join)
    PARTS = st.one_of(
        st.binary(max_size=60),
        st.sampled_from(sorted(examples())[::5]).map(lambda each: expand(each, 3).encode()),
        st.sampled_from([b"\n", b"\r", b"\0", b"\xff\xfe", b"# pragma: allowlist secret", b'"""']),
    )

    @settings(max_examples=30)
    @given(st.dictionaries(NAMES, st.lists(PARTS, max_size=8).map(b"".join), min_size=1))
    def test_it_is_scanned_to_its_end(self, place: Path, files: dict[str, bytes]) -> None:
        tree = emptied(place / "any")
        kept = {name: data for name, data in files.items() if name not in (".", "..")}
        for name, data in kept.items():
            (tree / name).write_bytes(data)
        if not kept:
            return
        done = run(tree, "scan", "--now", NOW, "--report=json=-")
        assert done.code in (0, 1), done.err
        assert done.err == b""
        report = json.loads(done.out)
        skipped = sum(report["coverage"]["skipped"].values())
        assert report["coverage"]["files"] + skipped == len(kept)
        again = run(tree, "scan", "--now", NOW, "--report=json=-", "--matcher=re")
        assert json.loads(again.out)["findings"] == report["findings"]

    @settings(max_examples=60)
    @given(st.binary(max_size=300))
    def test_any_configuration_is_used_or_refused(self, place: Path, data: bytes) -> None:
        tree = emptied(place / "any")
        (tree / "keywatch.yaml").write_bytes(data)
        assert run(tree, "scan").code in (0, 1, 2)

    @settings(max_examples=60)
    @given(st.binary(max_size=300))
    def test_any_standard_input_is_read(self, place: Path, data: bytes) -> None:
        done = run(place, "scan", "--stdin", "--stdin-name=a", stdin=data)
        assert done.code in (0, 1)

    @settings(max_examples=100)
    @given(
        st.lists(
            st.sampled_from(
                [
                    *("scan", "hook", "rules", "baseline", "allow", "list", "show", "pre-commit"),
                    *("--staged", "--stdin", "--stdin-name", "--exclude", "--report", "json=-"),
                    *("--now", "2027-01-01", "--fail-on", "high", "--quiet", "-", "--", "", "\x1b"),
                    *(
                        "--config",
                        "--rules",
                        "--matcher",
                        "re",
                        "/nowhere",
                        ".",
                        "--detect-secrets",
                    ),
                ]
            ),
            max_size=5,
        )
    )
    def test_any_command_line_ends_with_a_known_code(
        self, place: Path, arguments: list[str]
    ) -> None:
        tree = emptied(place / "any")
        put(tree, "a.txt", b"x\n")
        done = run(tree, *arguments)
        assert done.code in (0, 1, 2, 3)
        assert b"\x1b" not in done.out + done.err


class TestOrder:
    """The same files and the same now: the same bytes, whatever came first."""

    def write(self, tree: Path, numbers: Sequence[int]) -> None:
        for number in numbers:
            token = expand("ghp_{base62:30}{crc32}", number)
            text = f"filler line {number}\n" * 2000 + f'a = "{token}"  # {number}\n' * (number % 3)
            put(tree, f"{number % 7}/{number}.txt", text.encode())

    def scan(self, tree: Path, processors: int) -> bytes:
        def limit() -> None:
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:processors])

        return subprocess.run(
            [sys.executable, "-m", "scanner", "scan", "--now", NOW, "--report=json=-"],
            cwd=tree,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            check=False,
            preexec_fn=limit if hasattr(os, "sched_setaffinity") else None,
        ).stdout

    def test_a_report_is_the_same_to_the_byte(self, tmp_path: Path) -> None:
        numbers = list(range(400))
        seen = set()
        for shuffle in range(3):
            tree = emptied(tmp_path / "tree")
            random.Random(shuffle).shuffle(numbers)
            self.write(tree, numbers)
            for processors in (1, 2):
                seen.add(self.scan(tree, processors))
        assert len(seen) == 1
        assert len(json.loads(seen.pop())["findings"]) == sum(number % 3 for number in numbers)

    def test_the_order_of_arguments_does_not_matter(self, place: Path) -> None:
        tree = emptied(place / "tree")
        self.write(tree, range(21))
        names = ["0", "1/1.txt", "2", "3", "4/4.txt"]
        reports = []
        for shuffle in range(4):
            random.Random(shuffle).shuffle(names)
            done = run(tree, "scan", "--now", NOW, "--report=json=-", *names)
            reports.append(json.loads(done.out))
        assert all(each["findings"] == reports[0]["findings"] for each in reports)
        assert reports[0]["coverage"]["files"] == 11


def test_the_encoding_of_a_secret_is_not_a_way_to_show_it(place: Path) -> None:
    """What hides a value must not be undone by a report's own escapes."""
    tree = emptied(place / "tree")
    token = expand("ghp_{base62:30}{crc32}", 5)
    put(tree, f"{token}.txt", token.encode())
    text = "\n".join(reports(tree))
    for form in (token, token.encode().hex(), base64.b64encode(token.encode()).decode()):
        assert form not in text
