"""The detect-secrets layer against detect-secrets itself, and against hostile files."""

from __future__ import annotations

import inspect
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from scanner.detect import detect_secrets
from scanner.detect.detect_secrets import DetectSecretsSettings, filters, library
from scanner.detect.detect_secrets.found import FoundSecret
from scanner.detect.prefilter import matcher
from tests.support import detect_secrets_samples as samples

SETTINGS = detect_secrets.default_settings()
FILES = 700
Findings = dict[tuple[str, str, str], int]
"""Lines by file, type and hash."""

Engine = matcher.Matcher


@pytest.fixture(scope="module", params=["hyperscan", "re"])
def engine(request: pytest.FixtureRequest) -> Engine:
    return ready(str(request.param), SETTINGS)


@pytest.fixture(scope="module")
def hyperscan() -> Engine:
    return ready("hyperscan", SETTINGS)


def ready(name: str, settings: DetectSecretsSettings) -> Engine:
    if name == "hyperscan":
        pytest.importorskip("hyperscan")
    patterns = [matcher.Pattern(*one) for one in detect_secrets.prefilters(settings)]
    return matcher.build(name, lambda: dict(enumerate(patterns)), "", None)


def scan(
    engine: Engine,
    name: str,
    data: bytes,
    settings: DetectSecretsSettings = SETTINGS,
    *,
    numbered: bool = True,
) -> tuple[FoundSecret, ...]:
    hits = sorted((end, number) for number, end in engine.hits(data))
    ends, numbers = [end for end, _ in hits], [number for _, number in hits]
    return detect_secrets.scan(name, data, ends, settings, numbers if numbered else None)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree")
    for seed in range(FILES):
        name, data = samples.file(seed)
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture(scope="module")
def theirs(tree: Path) -> Findings:
    return of_detect_secrets(tree)


def of_detect_secrets(tree: Path, *options: str) -> Findings:
    argv = [sys.executable, "-I", "-m", "detect_secrets", "scan", "--all-files", "-n", *options]
    done = subprocess.run(argv, cwd=tree, capture_output=True, text=True, check=True)
    return {
        (name, row["type"], row["hashed_secret"]): row["line_number"]
        for name, rows in json.loads(done.stdout)["results"].items()
        for row in rows
    }


def ours(
    engine: Engine, tree: Path, settings: DetectSecretsSettings = SETTINGS, *, numbered: bool = True
) -> Findings:
    return {
        (path.name, one.kind, one.hashed_secret): one.line
        for path in sorted(tree.iterdir())
        for one in scan(engine, path.name, path.read_bytes(), settings, numbered=numbered)
    }


def test_findings_and_lines_are_those_of_detect_secrets(
    engine: Engine, tree: Path, theirs: Findings
) -> None:
    assert len({kind for _, kind, _ in theirs}) == 26  # each plugin but that for addresses
    assert ours(engine, tree) == theirs


def test_without_numbers_of_prefilters_the_findings_are_the_same(
    hyperscan: Engine, tree: Path, theirs: Findings
) -> None:
    assert ours(hyperscan, tree, numbered=False) == theirs


@pytest.mark.parametrize("limits", [(0.5, 0.5), (3.0, 2.0), (5.5, 3.9), (8.0, 8.0)])
def test_other_limits_give_what_detect_secrets_gives_with_them(
    limits: tuple[float, float], tmp_path: Path
) -> None:
    for seed in range(FILES, FILES + 150):
        name, data = samples.file(seed)
        (tmp_path / name).write_bytes(data)
    options = ["--base64-limit", str(limits[0]), "--hex-limit", str(limits[1])]
    expected = of_detect_secrets(tmp_path, *options)
    document = detect_secrets.empty_document(SETTINGS)
    for entry in document["plugins_used"]:
        if "limit" in entry:
            entry["limit"] = limits[entry["name"].startswith("Hex")]
    settings = detect_secrets.settings_from_baseline(document, ".secrets.baseline")
    assert ours(ready("hyperscan", settings), tmp_path, settings) == expected


def test_addresses_are_found_where_the_filter_that_wants_letters_is_off(
    hyperscan: Engine, tmp_path: Path
) -> None:
    (tmp_path / "a.py").write_text("".join(f"x = '{a}'\n" for a in addresses(300)))
    off = "detect_secrets.filters.heuristic.is_not_alphanumeric_string"
    expected = of_detect_secrets(tmp_path, "--disable-filter", off)
    kept = tuple(each for each in SETTINGS.filters if each.name != off)
    settings = SETTINGS._replace(filters=kept)
    assert {kind for _, kind, _ in expected} == {"Public IP (ipv4)"}
    assert ours(ready("hyperscan", settings), tmp_path, settings) == expected
    assert not ours(hyperscan, tmp_path)


def addresses(count: int) -> list[str]:
    rng = random.Random(7)
    return [samples.address(rng) for _ in range(count)]


def test_a_span_is_where_the_secret_stands(hyperscan: Engine, tree: Path) -> None:
    located = total = 0
    for path in sorted(tree.iterdir()):
        data = path.read_bytes()
        for one in scan(hyperscan, path.name, data):
            total += 1
            if one.start >= 0:
                located += 1
                assert data[one.start : one.end] == one.secret.encode()
    assert located > 0.9 * total


def test_a_secret_that_also_stands_elsewhere_in_its_line_is_found_in_its_quotes(
    hyperscan: Engine,
) -> None:
    name = "pass" + "word"
    data = f'{name} = "{name}1"; {name} = "{name}"\n'.encode()
    spans = {data[: one.start] for one in scan(hyperscan, "a.py", data)}
    assert spans == {f'{name} = "'.encode()}


def test_what_is_found_shows_no_secret_in_its_repr(hyperscan: Engine) -> None:
    value = "v" * 3 + "1x2y3z"
    (found,) = scan(hyperscan, "a.py", f'pass{"word"} = "{value}"\n'.encode())
    assert found.secret == value
    assert value not in repr(found)
    assert found.hashed_secret not in repr(found)


@pytest.mark.parametrize("name", ["a.png", "yarn.lock", "swagger/a.py", "package-lock.json"])
def test_files_that_detect_secrets_passes_over_have_no_findings(
    name: str, hyperscan: Engine
) -> None:
    data = f'pass{"word"} = "v1w2x3"\n'.encode()
    assert scan(hyperscan, "a.py", data)
    assert not scan(hyperscan, name, data)


def test_a_file_that_detect_secrets_cannot_read_has_no_findings(hyperscan: Engine) -> None:
    data = f'pass{"word"} = "v1w2x3" # caf\u00e9\n'
    assert scan(hyperscan, "a.py", data.encode())
    assert not scan(hyperscan, "a.py", data.encode("latin-1"))


def test_nothing_of_detect_secrets_loads_without_a_candidate() -> None:
    code = (
        "from scanner.detect import detect_secrets; s = detect_secrets.default_settings();"
        "detect_secrets.prefilters(s); detect_secrets.scan('a.py', b'x = 1\\n', [], s);"
        "detect_secrets.scan('a.yaml', b'x: 1\\n', [], s)"
    )
    assert not loaded(code) & {"detect_secrets", "re2", "requests", "yaml"}


def test_a_text_with_too_few_different_characters_is_no_candidate() -> None:
    data = ('x = "' + "abcdefgh" * 5 + '"\n').encode()
    numbers = [
        number
        for number, one in enumerate(detect_secrets.prefilters(SETTINGS))
        if one.pattern.startswith("['\\\"][A-Za-z0-9+/")
    ]
    code = (
        "from scanner.detect import detect_secrets; s = detect_secrets.default_settings();"
        f"detect_secrets.scan('a.py', {data!r}, [{len(data) - 1}], s, {numbers[:1]!r})"
    )
    assert numbers
    assert "detect_secrets" not in loaded(code)


def test_requests_never_loads_and_its_stand_in_refuses_all_use() -> None:
    word = "pass" + "word"
    code = (
        "from scanner.detect import detect_secrets; s = detect_secrets.default_settings();"
        f"found = detect_secrets.scan('a.py', b'{word} = \"v1w2x3\"', [10], s); assert found;"
        "from scanner.detect.detect_secrets import library, settings;"
        "[library.plugin(p.name, dict(p.options)) for p in s.plugins]"
    )
    assert "detect_secrets" in loaded(code)
    assert not loaded(code) & {"requests", "urllib3", "yaml"}


def test_a_plugin_that_calls_the_network_gets_an_error() -> None:
    slack = library.plugin("SlackDetector", {})
    with pytest.raises(RuntimeError, match="may not use the network"):
        slack.verify("xo" + "xb-1-a")


def loaded(code: str) -> set[str]:
    root = str(Path(__file__).resolve().parents[2])
    start = f"import json, sys; sys.path.insert(0, {root!r}); {code};"
    argv = [sys.executable, "-I", "-c", start + "print(json.dumps(sorted(sys.modules)))"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env={})
    return {name.split(".")[0] for name in json.loads(done.stdout)}


WORD = "pass" + "word"
Hostile = Callable[[int], str]
HOSTILE: Mapping[str, tuple[str, Hostile]] = {
    "a run of keywords": ("a.py", lambda n: WORD * (n // 8) + ' = "x1y2"'),
    "keywords and spaces": ("a.py", lambda n: (WORD + " ") * (n // 9) + '= "x1y2"'),
    "keywords and quotes": ("a.py", lambda n: (WORD + '"') * (n // 9)),
    "a long value": ("a.py", lambda n: WORD * 99 + '"' + "a" * n + '";'),
    "backticks": ("a.py", lambda n: "`a" * (n // 2) + ",` == " + WORD),
    "operators": ("a.py", lambda n: WORD + "=" * n),
    "spaces": ("a.py", lambda n: WORD + " " * n + '= "x1y2"'),
    "spaces of a vendor": ("a.py", lambda n: "cl_key" + " " * n + "=" + "a" * 64),
    "headers": ("a.py", lambda n: "eyJ" * (n // 3) + "."),
    "a token of brackets": ("a.py", lambda n: "eyJ" + "A" * 20 + "." + "W1tb" * (n // 4)),
    "prefixes": ("a.py", lambda n: ("sk" + "-") * (n // 3) + "T3Blbk" + "FJ" + "a" * 20),
    "slashes": ("a.py", lambda n: "/" * n + "/:_auth" + "Token= x"),
    "a far pragma": ("a.py", lambda n: f'{WORD} = "x1y2" #' + " " * n + PRAGMA + " x"),
    "a pragma and spaces": ("a.py", lambda n: f'{WORD} = "x1y2" # {PRAGMA}' + " " * n + "x"),
    "comment signs": ("a.py", lambda n: f'{WORD} = "x1y2" ' + "<!--" * (n // 4) + PRAGMA),
    "lines of spaces": (
        "a.py",
        lambda n: "\n".join([f'{WORD} = "x1y2"' + " " * 960 + "x"] * (n // 1000)),
    ),
    "texts": ("a.py", lambda n: f'"{samples.ALNUM}",' * (n // 65)),
    "quotes": ("a.py", lambda n: '"a' * (n // 2) + '" == ' + WORD),
    "addresses": ("a.py", lambda n: "8.8.8.8" + ".8" * (n // 2)),
    "ids": ("a.py", lambda n: "_id" * (n // 3) + WORD + ' = "x1y2"'),
    "lines": ("a.py", lambda n: "\n".join(f'{WORD}{i} = "x1y2{i}"' for i in range(n // 25))),
    "other letters": ("a.py", lambda n: ("é" + WORD) * (n // 10) + ' = "x1y2"'),
    "yaml: brackets": ("a.yaml", lambda n: WORD + ": " + "[" * n),
    "yaml: depth": ("a.yaml", lambda n: f"{WORD}: x1y2\nb:\n" + "- " * (n // 2)),
    "yaml: aliases": (
        "a.yaml",
        lambda _: (
            f"a0: &a0 {{{WORD}: x1y2z3}}\n"
            + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}, *a{i - 1}]\n" for i in range(1, 60))
        ),
    ),
    "yaml: aliases in doubt": (
        "a.yaml",
        lambda _: (
            f"a0: &a0 {{{WORD}: x1y2z3}}\n"
            + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}, *a{i - 1}]\n" for i in range(1, 60))
            + "z: b\t# c\n"
        ),
    ),
    "yaml: merges": (
        "a.yaml",
        lambda n: (
            f"a0: &a0 {{{WORD}: x1y2z3}}\n"
            + "".join(f"a{i}: &a{i}\n  <<: *a{i - 1}\n  k{i}: v\n" for i in range(1, n // 40))
        ),
    ),
    "yaml: one line": (
        "a.yaml",
        lambda n: "{" + ", ".join(f"{WORD}{i}: x1y2{i}" for i in range(n // 24)) + "}",
    ),
    "yaml: comment": ("a.yaml", lambda n: WORD + ": x1y2 #" + " #" * (n // 2)),
    "yaml: comments first": ("a.yaml", lambda n: "# a #; b\n" * (n // 9) + f"{WORD}: x1y2"),
    "yaml: comment signs first": ("a.yaml", lambda n: "#;" * (n // 2) + f"\n{WORD}: x1y2"),
    "yaml: anchors and escapes": ("a.yaml", lambda n: ":&" * (n // 2) + f'\n{WORD}: "\\x41"'),
    "yaml: stars": ("a.yaml", lambda n: "*" * n + f"\n{WORD}: x1y2"),
    "ini: spaces": ("a.env", lambda n: f"{WORD}=x1y2\nx" + " " * n + "y=1"),
    "ini: sections": (
        "a.ini",
        lambda n: (
            "[DEFAULT]\n"
            + "".join(f"k{i}=v\n" for i in range(300))
            + "".join(f"[s{i}]\n" for i in range(n // 8))
            + WORD
            + "=x1y2"
        ),
    ),
    "ini: interpolation": (
        "a.ini",
        lambda _: (
            "[s]\na0=x\n"
            + "".join(f"a{i}=" + f"%(a{i - 1})s" * 20 + "\n" for i in range(1, 11))
            + f"{WORD}=x1y2"
        ),
    ),
    "ini: options": (
        "a.ini",
        lambda n: "[s]\n" + "".join(f"k{i}=v\n" for i in range(n // 9)) + WORD + "=x1y2",
    ),
}
PRAGMA = "pragma: allowlist secret"


@pytest.mark.unmeasured
@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_text_takes_no_more_than_linear_time(case: str, hyperscan: Engine) -> None:
    name, make = HOSTILE[case]
    scan(hyperscan, name, make(1000).encode())  # loads what it needs
    small, large = (seconds(hyperscan, name, make(n).encode()) for n in (20_000, 200_000))
    assert large < max(0.5, 40 * small)  # linear is 10 times, quadratic would be 100


def seconds(engine: Engine, name: str, data: bytes) -> float:
    hits = sorted((end, number) for number, end in engine.hits(data))
    start = time.process_time()
    detect_secrets.scan(
        name, data, [end for end, _ in hits], SETTINGS, [number for _, number in hits]
    )
    return time.process_time() - start


def test_the_twin_of_a_keyword_pattern_finds_what_the_pattern_finds() -> None:
    """At once on many lines: the patterns of every file type, with and without other letters."""
    from scanner.detect.detect_secrets.plugins import anchored

    keyword = library.module("plugins.keyword")
    tables = [*keyword.REGEX_BY_FILETYPE.values(), keyword.QUOTES_REQUIRED_DENYLIST_REGEX_TO_GROUP]
    pairs = [(regex, anchored(regex, keyword)) for table in tables for regex in table]
    found = 0
    for line in lines(random.Random(1), 1500):
        for regex, twin in pairs:
            expected, got = regex.search(line), twin.search(line)
            assert (expected and expected.groups()) == (got and got.groups()), line
            found += bool(expected)
    assert found > 1000


def lines(rng: random.Random, count: int) -> Iterator[str]:
    for _ in range(count):
        yield samples.code_line(rng)


def test_the_copied_patterns_of_filters_are_those_of_detect_secrets() -> None:
    heuristic = library.module("filters.heuristic")
    assert heuristic._get_indirect_reference_regex() == filters.INDIRECT_REFERENCE
    assert heuristic._get_swagger_regex().pattern == r".*swagger.*"
    allowlist = library.module("filters.allowlist")
    assert list(filters.COMMENTS) == allowlist._get_comment_tuples()
    assert allowlist._get_file_to_index_dict() == {"yaml": 0}


@pytest.mark.parametrize("name", sorted(filters.ARGUMENTS))
def test_filters_take_the_arguments_that_they_are_given(name: str) -> None:
    parameters = inspect.signature(library.filter_function(name)).parameters
    assert tuple(parameters) == filters.ARGUMENTS[name]
