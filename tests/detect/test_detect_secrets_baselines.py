"""What a `.secrets.baseline` tells the detect-secrets layer: settings, formats, hostile ones."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from scanner.detect import detect_secrets
from scanner.detect.detect_secrets.settings import PLUGINS
from scanner.errors import ConfigError

WHERE = "repo/.secrets.baseline"
WORD = "pass" + "word"
FILTERS = "detect_secrets.filters."
HASH = hashlib.sha1(b"some secret", usedforsecurity=False).hexdigest()


def run_detect_secrets(
    *arguments: str, cwd: Path, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-I", "-m", "detect_secrets", *arguments]
    return subprocess.run(argv, cwd=cwd, input=stdin, capture_output=True, text=True, check=False)


def baseline(**changes: Any) -> dict[str, Any]:
    return detect_secrets.empty_document(detect_secrets.default_settings()) | changes


def settings(**changes: Any) -> detect_secrets.DetectSecretsSettings:
    return detect_secrets.settings_from_baseline(baseline(**changes), WHERE)


def with_filter(path: str, **options: Any) -> dict[str, Any]:
    return baseline(filters_used=[*baseline()["filters_used"], {"path": path, **options}])


def found(document: Mapping[str, Any], name: str, text: str) -> set[str]:
    """The secrets of a file, every line of which is a candidate."""
    data = text.encode()
    ends = [index + 1 for index, byte in enumerate(data) if byte == ord("\n")]
    chosen = detect_secrets.settings_from_baseline(document, WHERE)
    return {one.secret for one in detect_secrets.scan(name, data, ends, chosen)}


def test_the_head_of_a_new_baseline_is_what_detect_secrets_writes(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("nothing\n")
    written = json.loads(run_detect_secrets("scan", "--all-files", "-n", cwd=tmp_path).stdout)
    del written["generated_at"]
    assert json.dumps(baseline()) == json.dumps(written)


def test_detect_secrets_scans_and_audits_with_a_baseline_of_ours(tmp_path: Path) -> None:
    text = f'x = 1\n{WORD} = "v1w2x3"\n'
    (tmp_path / "a.py").write_text(text)
    (one,) = detect_secrets.scan("a.py", text.encode(), [10], detect_secrets.default_settings())
    row: dict[str, Any]
    row = {"type": one.kind, "filename": "a.py", "hashed_secret": one.hashed_secret}
    row |= {"is_verified": False, "line_number": one.line}
    file = tmp_path / ".secrets.baseline"
    file.write_text(
        json.dumps(baseline(results={"a.py": [row]}, generated_at="2026-01-01T00:00:00Z"))
    )
    audited = run_detect_secrets("audit", file.name, cwd=tmp_path, stdin="y\n")
    assert "Saving progress" in audited.stdout, audited
    assert json.loads(file.read_text())["results"]["a.py"][0]["is_secret"] is False
    scanned = run_detect_secrets("scan", "--all-files", "--baseline", file.name, cwd=tmp_path)
    assert scanned.returncode == 0, scanned
    renewed = json.loads(file.read_text())["results"]["a.py"][0]
    assert renewed == {**row, "is_secret": False}


def test_audit_finds_secrets_of_transformed_files_where_we_say(tmp_path: Path) -> None:
    texts = {
        "a.yaml": f"a: b\nc:\n  - {{x: y}}\n  - {WORD}: v1w2x3 # d\n",
        "b.ini": f"[a]\nb = c\n\n{WORD} = v1w2x3\n",
        "c.env": f"# a\nB=c\nKEY_{WORD.upper()}=v1w2x3\n",
    }
    results = {}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        end = text.index("v1w2x3") + 1
        (one,) = detect_secrets.scan(name, text.encode(), [end], detect_secrets.default_settings())
        results[name] = [
            {
                "type": one.kind,
                "filename": name,
                "hashed_secret": one.hashed_secret,
                "is_verified": False,
                "line_number": one.line,
            }
        ]
    file = tmp_path / ".secrets.baseline"
    file.write_text(json.dumps(baseline(results=results, generated_at="")))
    audited = run_detect_secrets("audit", file.name, cwd=tmp_path, stdin="n\n" * 3)
    assert audited.returncode == 0, audited
    labels = [rows[0]["is_secret"] for rows in json.loads(file.read_text())["results"].values()]
    assert labels == [True] * 3


def test_a_baseline_of_the_defaults_gives_the_default_settings() -> None:
    given = settings()
    assert given._replace(own_file="") == detect_secrets.default_settings()
    assert given.disabled_plugins == given.extra_filters == ()


def test_what_a_baseline_switches_off_or_hides_is_named() -> None:
    plugins = [one for one in baseline()["plugins_used"] if one["name"] != "AWSKeyDetector"]
    for one in plugins:
        if one["name"] == "KeywordDetector":
            one["keyword_exclude"] = "test"
    exclude = {"path": FILTERS + "regex.should_exclude_file", "pattern": [r"^docs/", "x"]}
    other = {"path": FILTERS + "common.is_baseline_file", "filename": "settings.py"}
    own = {"path": FILTERS + "common.is_baseline_file", "filename": ".secrets.baseline"}
    verify = {
        "path": FILTERS + "common.is_ignored_due_to_verification_policies",
        "min_level": 2,
    }
    given = settings(plugins_used=plugins, filters_used=[exclude, other, verify])
    assert given.disabled_plugins == ("AWSKeyDetector",)
    assert given.extra_filters == (
        FILTERS + "common.is_baseline_file filename='settings.py'",
        FILTERS + "regex.should_exclude_file pattern=('^docs/', 'x')",
        "KeywordDetector keyword_exclude='test'",
    )
    assert settings(filters_used=[own, verify]).extra_filters == ()


@pytest.mark.parametrize(
    ("plugin", "name"),
    [
        ({"name": "EvilPlugin"}, "EvilPlugin"),
        ({"name": "EvilPlugin", "path": "file://evil.py"}, "EvilPlugin"),
        ({"name": "AWSKeyDetector", "path": "file://evil.py"}, "AWSKeyDetector"),
        ({"name": ["x"]}, "x"),
        ({"limit": 3}, "None"),
    ],
)
def test_a_plugin_of_its_own_is_refused_by_name(
    plugin: dict[str, Any], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, monkeypatch)
    with pytest.raises(ConfigError, match=name) as error:
        settings(plugins_used=[plugin])
    assert error.value.todo
    assert error.value.where == WHERE
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "path",
    [
        "file://evil.py::f",
        "evil.f",
        "os.system",
        FILTERS + "heuristic.os.getcwd",
        FILTERS + "regex.re.compile",
        FILTERS + "heuristic.is_nothing",
        "",
        3,
    ],
)
def test_a_filter_of_its_own_is_refused_by_name(
    path: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, monkeypatch)
    with pytest.raises(ConfigError) as error:
        settings(filters_used=[{"path": path}])
    assert str(path) in error.value.what
    assert error.value.todo
    assert not (tmp_path / "ran").exists()


def plant(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the process runs, code that says so when it runs."""
    (folder / "evil.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\ndef f(filename): ...\n")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)


@pytest.mark.parametrize(
    ("path", "options", "said"),
    [
        (
            "wordlist.should_exclude_secret",
            {"file_name": "words.txt"},
            "reads the file 'words.txt'",
        ),
        ("gibberish.should_exclude_secret", {"limit": 3.7, "model": "m"}, "reads a model"),
        ("regex.should_exclude_file", {"pattern": "^x"}, "not a list"),
        ("regex.should_exclude_line", {"pattern": [r"(a+)+\1"]}, "cannot be run safely"),
        ("regex.should_exclude_secret", {"pattern": ["(?!x)y"]}, "cannot be run safely"),
        ("regex.should_exclude_secret", {"pattern": ["("]}, "cannot be run safely"),
        ("regex.should_exclude_secret", {"pattern": [3]}, "cannot be run safely"),
        ("regex.should_exclude_secret", {"pattern": ["x" * 5000]}, "cannot be run safely"),
        ("regex.should_exclude_line", {"pattern": [], "evil": 1}, "no option 'evil'"),
        ("heuristic.is_lock_file", {"evil": 1}, "no option 'evil'"),
    ],
)
def test_a_filter_that_cannot_run_safely_is_refused(
    path: str, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as error:
        detect_secrets.settings_from_baseline(with_filter(FILTERS + path, **options), WHERE)
    assert error.value.todo


@pytest.mark.skipif(find_spec("gibberish_detector") is not None, reason="it is installed")
def test_the_gibberish_filter_says_what_it_needs() -> None:
    document = with_filter(FILTERS + "gibberish.should_exclude_secret", limit=3.7)
    with pytest.raises(ConfigError, match="not installed") as error:
        detect_secrets.settings_from_baseline(document, WHERE)
    assert error.value.todo == "pip install gibberish-detector"


@pytest.mark.parametrize("limit", [True, "4", None, -1, 9, float("nan"), [4.5]])
def test_a_limit_that_is_no_number_of_bits_is_refused(limit: Any) -> None:
    with pytest.raises(ConfigError, match="limit of HexHighEntropyString"):
        settings(plugins_used=[{"name": "HexHighEntropyString", "limit": limit}])


@pytest.mark.parametrize(
    "changes",
    [
        {"plugins_used": None},
        {"plugins_used": {}},
        {"plugins_used": ["x"]},
        {"filters_used": "x"},
        {"version": None},
        {"version": "1"},
        {"version": "0.13.1+fork.62"},
        {"plugins_used": [{"name": "KeywordDetector", "keyword_exclude": "(?=x)"}]},
        {"plugins_used": [{"name": "KeywordDetector", "keyword_exclude": 3}]},
        {"plugins_used": [{"name": "SlackDetector", "limit": 3}]},
    ],
)
def test_what_is_no_baseline_is_refused_with_a_way_out(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as error:
        settings(**changes)
    assert error.value.todo


TEXT = f'{WORD} = "v1w2x3"\nclient_key = "test_a4b5"\n'


def test_the_filters_of_a_baseline_hide_what_they_hide_in_detect_secrets() -> None:
    assert found(baseline(), "a.py", TEXT) == {"v1w2x3", "test_a4b5"}
    hide = FILTERS + "regex.should_exclude_"
    assert found(with_filter(hide + "secret", pattern=["^TEST", "^test"]), "a.py", TEXT) == {
        "v1w2x3"
    }
    assert found(with_filter(hide + "line", pattern=["client.*="]), "a.py", TEXT) == {"v1w2x3"}
    assert found(with_filter(hide + "file", pattern=[r"(^|/)doc/"]), "x/doc/a.py", TEXT) == set()
    assert found(with_filter(hide + "file", pattern=[r"(^|/)doc/"]), "docs/a.py", TEXT)
    few = baseline(filters_used=[])
    assert found(few, "yarn.lock", TEXT) == set()  # some always run
    assert found(few, "a.py", f'{WORD} = "987654"\n') == {"987654"}
    assert not found(baseline(), "a.py", f'{WORD} = "987654"\n')


def test_the_keyword_exclusion_of_a_baseline_hides_a_line_in_any_case() -> None:
    plugins = [{"name": "KeywordDetector", "keyword_exclude": "CLIENT"}]
    assert found(baseline(plugins_used=plugins), "a.py", TEXT) == {"v1w2x3"}


def test_the_baseline_itself_is_not_scanned() -> None:
    for name in (".secrets.baseline", "sub/.secrets.baseline"):
        assert found(baseline(), name, TEXT) == set()


@pytest.mark.unmeasured
def test_a_hostile_regular_expression_takes_no_time() -> None:
    document = with_filter(FILTERS + "regex.should_exclude_line", pattern=["(a+)+$", "(x|x)*y"])
    assert found(document, "a.py", f'{WORD} = "v1w2x3" # {"a" * 5000}{"x" * 5000}!\n') == {"v1w2x3"}


OLD_PLUGINS: list[dict[str, Any]] = [
    {"name": "AWSKeyDetector"},
    {"name": "Base64HighEntropyString", "base64_limit": 4.5},
    {"name": "HexHighEntropyString", "hex_limit": 3},
    {"name": "KeywordDetector", "keyword_exclude": None},
]


def old(version: str, **more: Any) -> dict[str, Any]:
    row = {"hashed_secret": HASH, "line_number": 3, "type": "Secret Keyword"}
    results = {
        "a/b.py": [{**row, "is_secret": True}, {**row, "type": "Private Key"}],
        "c\\d.py": [{**row, "is_secret": False, "is_verified": True, "line_number": 0}],
    }
    return {
        "version": version,
        "generated_at": "2020-01-01T00:00:00Z",
        "plugins_used": OLD_PLUGINS,
        "results": results,
        **more,
    }


EXCLUDED = {"exclude": {"files": r"^docs/", "lines": "skip"}}
WORDS = {"word_list": {"file": None, "hash": None}}
OLD = {
    "0.11": old("0.11.4", exclude_regex=r"^docs/"),
    "0.12": old("0.12.7", **EXCLUDED),
    "0.13": old("0.13.1", **EXCLUDED, **WORDS, custom_plugin_paths=[]),
    "0.14": old("0.14.3", **EXCLUDED, **WORDS),
}


@pytest.mark.parametrize("version", OLD)
def test_an_old_baseline_is_renewed_with_its_labels(version: str) -> None:
    before = json.dumps(OLD[version])
    new = detect_secrets.upgrade(OLD[version], WHERE)
    assert json.dumps(OLD[version]) == before
    assert list(new) == ["version", "plugins_used", "filters_used", "results", "generated_at"]
    assert new["version"] == "1.5.0"
    row = {"hashed_secret": HASH, "is_verified": False, "line_number": 3, "type": "Secret Keyword"}
    assert new["results"] == {
        "a/b.py": [
            {**row, "filename": "a/b.py", "is_secret": True},
            {**row, "filename": "a/b.py", "type": "Private Key"},
        ],
        "c/d.py": [
            {**row, "filename": "c/d.py"}
            | {"is_secret": False, "is_verified": True, "line_number": 0}
        ],
    }
    given = detect_secrets.settings_from_baseline(OLD[version], WHERE)
    assert given == detect_secrets.settings_from_baseline(new, WHERE)
    assert dict(given.plugins[1].options) == {"limit": 4.5}
    assert any("should_exclude_file" in one for one in given.extra_filters)
    assert set(given.disabled_plugins) == set(PLUGINS) - {one["name"] for one in OLD_PLUGINS}


@pytest.mark.parametrize("version", OLD)
def test_a_renewed_baseline_is_what_detect_secrets_makes_of_it(
    version: str, tmp_path: Path
) -> None:
    file = tmp_path / ".secrets.baseline"
    file.write_text(json.dumps(OLD[version]))
    done = run_detect_secrets("scan", "-n", "--baseline", file.name, "--all-files", cwd=tmp_path)
    assert done.returncode == 0, done
    theirs = json.loads(file.read_text())
    own = detect_secrets.empty_document(detect_secrets.settings_from_baseline(OLD[version], WHERE))
    assert own["plugins_used"] == theirs["plugins_used"]
    left_out = {  # what -n takes away, and what names the file itself
        FILTERS + "common.is_ignored_due_to_verification_policies",
        FILTERS + "common.is_baseline_file",
    }
    wanted = [one for one in theirs["filters_used"] if one["path"] not in left_out]
    assert [one for one in own["filters_used"] if one["path"] not in left_out] == wanted


def test_plugins_of_files_in_an_old_baseline_are_refused_unrun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, monkeypatch)
    document = old("0.13.1", custom_plugin_paths=["evil.py"])
    for use in (detect_secrets.upgrade, detect_secrets.settings_from_baseline):
        with pytest.raises(ConfigError, match="custom_plugin_paths"):
            use(document, WHERE)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "results",
    [
        None,
        [],
        {"a": {}},
        {"a": [3]},
        {"a": [{"type": "x"}]},
        {"a": [{"type": 1, "hashed_secret": 2}]},
    ],
)
def test_results_of_another_shape_are_refused(results: Any) -> None:
    with pytest.raises(ConfigError, match=r"result"):
        detect_secrets.upgrade(baseline(results=results), WHERE)


@pytest.mark.parametrize("missing", ["plugins_used", "base64_limit"])
def test_an_old_baseline_that_was_damaged_is_refused(missing: str) -> None:
    document = json.loads(json.dumps(OLD["0.12"]))
    document.pop(missing, None)
    for plugin in document.get("plugins_used", ()):
        plugin.pop(missing, None)
    with pytest.raises(ConfigError, match="not what detect-secrets"):
        detect_secrets.upgrade(document, WHERE)
