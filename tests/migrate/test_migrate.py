"""`keywatch migrate`: configuration of gitleaks and TruffleHog becomes keywatch's own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from scanner import globs
from scanner.detect.rules.samples import expand
from scanner.migrate import path_globs
from tests.support.helpers import Keywatch, repository, write_files

GITLEAKS = r"""
title = "Acme"
[extend]
useDefault = true
disabledRules = ["generic-api-key"]

[[rules]]
id = "Acme_Key"
description = "Key of the Acme API"
regex = '''(?i)\b(acme_[a-z0-9]{20})\b'''
keywords = ["ACME_"]
entropy = 3.0

[[rules]]
id = "second-group"
description = "The second group is the secret"
regex = '''(bolt|nut)-id[:=]([a-z0-9]{16})'''
keywords = ["bolt-id", "-id"]
secretGroup = 2

[[rules]]
id = "lookahead"
regex = '''foo(?=bar)'''
keywords = ["foo"]

[[rules]]
id = "no-keyword"
regex = '''[a-f0-9]{32}'''

[[rules]]
id = "by-path"
path = '''\.p12$'''

[allowlist]
paths = ['''node_modules''', '''^vendor/(.*?)$''', '''[a-z]+\.lock''']
stopwords = ["client"]

[[allowlists]]
condition = "AND"
paths = ['''^src/''']
regexes = ['''EXAMPLE''']

[whitelist]
files = ['''old''']
"""
TRUFFLEHOG = r"""
detectors:
- name: HogToken
  keywords: [hog_]
  regex:
    token: '\b(hog_[0-9A-Z]{17})\b'
  verify:
  - endpoint: https://example.org/
- name: Pair
  keywords: [pair]
  regex: {id: 'pair-[0-9]+', key: '[a-z]{20}'}
"""


def key() -> str:
    return f'KEY = "{expand("acme_{lower:10}{digits:10}", 3)}"\n'


def migrated(keywatch: Keywatch, root: Path, tool: str, file: str) -> tuple[int, str, str]:
    done = keywatch("migrate", tool, file, cwd=root)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.fixture
def gitleaks(keywatch: Keywatch, tmp_path: Path) -> tuple[int, dict[str, object], str]:
    write_files(tmp_path, {".gitleaks.toml": GITLEAKS})
    code, out, err = migrated(keywatch, tmp_path, "gitleaks", ".gitleaks.toml")
    return code, yaml.safe_load(out), err


def test_rules_and_paths_of_gitleaks_become_a_policy_that_finds_the_same(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    files = {"app.py": key(), "vendor/b.py": key(), "web/node_modules/c.js": key()}
    root = write_files(repository(tmp_path / "tree"), files | {".gitleaks.toml": GITLEAKS})
    done = keywatch("migrate", "gitleaks", ".gitleaks.toml", "-o", "keywatch.yaml", cwd=root)
    assert done.returncode == 1
    report = json.loads(keywatch("scan", "-f", "json", cwd=root).stdout)
    found = [(one["rule"], one["location"]["path"]) for one in report["findings"]]
    assert found == [("acme-key", "app.py")]


def test_the_group_of_the_secret_is_kept(gitleaks: tuple[int, dict[str, object], str]) -> None:
    rules = {rule["id"]: rule for rule in gitleaks[1]["rules"]}  # type: ignore[attr-defined]
    assert rules["second-group"]["pattern"] == "(?:bolt|nut)-id[:=](?P<secret>[a-z0-9]{16})"
    assert rules["acme-key"]["ignore_case"] is True
    assert rules["acme-key"]["entropy"] == 3.0


def test_what_does_not_carry_over_is_said_with_the_reason(
    gitleaks: tuple[int, dict[str, object], str],
) -> None:
    code, settings, err = gitleaks
    assert code == 1
    left = re.findall("^not carried over: (.*)$", err, re.MULTILINE)
    assert left == [
        "rule lookahead",
        "rule no-keyword",
        "rule by-path",
        r"allowlist.paths: [a-z]+\.lock",
        "allowlist.stopwords: client",
        "allowlist with condition AND",
        "extend.disabledRules: generic-api-key",
        "whitelist",
    ]
    assert err.count("  why: ") == err.count("  do:  ") == len(left)
    assert settings["scan"] == {"exclude": ["**/*node_modules*", "/vendor/**"]}


def test_a_rule_test_asks_for_the_examples_that_are_missing(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    write_files(tmp_path, {".gitleaks.toml": GITLEAKS})
    keywatch("migrate", "gitleaks", ".gitleaks.toml", "-o", "own.yaml", cwd=tmp_path)
    text = (tmp_path / "own.yaml").read_text()
    (tmp_path / "rules.yaml").write_text(text[text.index("rules:") :])
    done = keywatch("rules", "test", "rules.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert b"acme-key: it has no examples" in done.stdout


def test_a_fingerprint_becomes_the_command_that_accepts_the_finding(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    secret = expand("ghp_{base62:30}{crc32}", 7)
    ignored = f"app.py:github-pat:1\nclean.py:x:9\n{'a1' * 20}:old.py:x:2\n"
    files = {"app.py": f'T = "{secret}"\n', ".gitleaksignore": ignored}
    root = write_files(repository(tmp_path / "tree"), files)
    code, out, err = migrated(keywatch, root, "gitleaks", ".gitleaksignore")
    (finding,) = json.loads(keywatch("scan", "-f", "json", cwd=root).stdout)["findings"]
    assert out.startswith(f"keywatch allow {finding['id']} --reason ")
    assert out.count("\n") == 1
    assert "1 of the places hold no finding" in err
    assert f"not carried over: {'a1' * 20}:old.py:x:2" in err
    assert code == 1


def test_custom_detectors_of_trufflehog_become_rules(keywatch: Keywatch, tmp_path: Path) -> None:
    write_files(tmp_path, {"hog.yaml": TRUFFLEHOG})
    code, out, err = migrated(keywatch, tmp_path, "trufflehog", "hog.yaml")
    (rule,) = yaml.safe_load(out)["rules"]
    assert (rule["id"], rule["keywords"]) == ("hogtoken", ["hog_"])
    assert "never sends a value to a server" in err
    assert "not carried over: detector Pair" in err
    assert code == 1


def test_excluded_paths_of_trufflehog_become_globs(keywatch: Keywatch, tmp_path: Path) -> None:
    write_files(tmp_path, {"paths.txt": "# third party\n^vendor/\n.*_test\\.go$\n"})
    code, out, err = migrated(keywatch, tmp_path, "trufflehog", "paths.txt")
    assert yaml.safe_load(out)["scan"]["exclude"] == ["/vendor/**", "**/*_test.go"]
    assert (code, err) == (0, "")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        (".gitleaks.toml", "a = [", "is not valid TOML"),
        (".gitleaksignore", "app.py\n", "expected path:rule:line"),
    ],
)
def test_a_file_of_another_kind_is_refused(
    keywatch: Keywatch, tmp_path: Path, name: str, text: str, says: str
) -> None:
    write_files(tmp_path, {name: text})
    code, out, err = migrated(keywatch, tmp_path, "gitleaks", name)
    assert (code, out) == (2, "")
    assert says in err


def test_an_existing_file_is_never_overwritten(keywatch: Keywatch, tmp_path: Path) -> None:
    write_files(tmp_path, {".gitleaks.toml": GITLEAKS, "keywatch.yaml": "version: 1\n"})
    done = keywatch("migrate", "gitleaks", ".gitleaks.toml", "-o", "keywatch.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert (tmp_path / "keywatch.yaml").read_text() == "version: 1\n"


PIECES = ["a", "b", "ab", r"\.", "/", ".*", "^", "$", "(a|b)", "(?:a/|b)", ".", ".+"]
PATHS = st.lists(st.sampled_from(["a", "b", ".", "/"]), min_size=1, max_size=7).map("".join)


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map("".join), PATHS)
def test_globs_exclude_no_path_that_the_expression_does_not_match(pattern: str, path: str) -> None:
    """A folder that matches is excluded with all that is in it."""
    path = "/".join(part for part in path.split("/") if part)
    found = path_globs.globs(pattern)
    if found and globs.matcher(found)(path):
        folders = [path, *(path[: at + 1] for at, char in enumerate(path) if char == "/")]
        folders += [folder.rstrip("/") for folder in folders]
        assert any(re.search(pattern, folder) for folder in folders)
