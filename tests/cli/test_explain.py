"""`keywatch explain FILE:LINE`: what looked at a line, and why a value was reported or ignored."""

from __future__ import annotations

import base64
import functools
import math
import random
import string
from pathlib import Path
from typing import Any

import pytest
import yaml

from scanner import cache
from scanner.detect.checks.checks import CHECKS
from scanner.detect.detector import Detector, matcher_for
from scanner.detect.explain.explainer import Explainer
from scanner.detect.explain.model import Status
from scanner.detect.explain.reasons import REQUIRED
from scanner.detect.prefilter.matcher import Matcher
from scanner.detect.rules import rulebook
from scanner.detect.rules.rulebook import Rulebook
from scanner.detect.rules.samples import expand
from tests.support import helpers
from tests.support.helpers import Keywatch, leak, token

RULES = Path(__file__).resolve().parents[2] / "rules"
EXAMPLES: list[Any] = [
    example
    for folder in ("secrets", "config")
    for path in sorted((RULES / folder).glob("*.yaml"))
    for rule in yaml.safe_load(path.read_bytes())["rules"]
    for example in rule["examples"]
]
LEVELS = rulebook.load().likelihood
SECRET = "".join(random.Random(5).choices(string.ascii_letters + string.digits, k=24))


class Said:
    """What `keywatch explain` prints of files with these texts."""

    def __init__(self, root: Path, keywatch: Keywatch) -> None:
        self.root = root
        self._keywatch = keywatch

    def of(self, place: str, text: str | bytes | None = None, *options: str, code: int = 0) -> str:
        """The words of a place, each space as one; `text`: what its file is to hold."""
        if text is not None:
            path = self.root / place.partition(":")[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode() if isinstance(text, str) else text)
        done = self._keywatch("explain", place, *options, cwd=self.root)
        out = (done.stdout + done.stderr).decode()
        assert done.returncode == code, out
        assert "Traceback" not in out
        self.raw = out
        return " ".join(out.split())


@pytest.fixture
def said(tmp_path: Path, keywatch: Keywatch) -> Said:
    return Said(tmp_path, keywatch)


def test_a_kept_password_has_its_weights_and_the_id_that_a_scan_gives_it(
    said: Said, keywatch: Keywatch
) -> None:
    words = said.of("app.py:2", f'import os\ndb_password = "{SECRET}"\n')
    (finding,) = helpers.scan(keywatch, "app.py", cwd=said.root).report["findings"]
    assert "read as code" in words
    assert f"2:16 db_password …{SECRET[-2:]} (24 characters) reported generic-password" in words
    assert "name: password" in words
    id_ = finding["id"]
    assert f"finding generic-password · {id_} high severity, high confidence" in words
    assert SECRET not in words


def test_the_weights_that_are_shown_add_up_to_the_probability() -> None:
    line = f'db_password = "{SECRET}"\n'.encode()
    explainer, detector = traced(shipped())
    seen = detector.observe("app.py", [line], len(line))
    assert seen is not None
    (considered,) = explainer.explained(seen.findings).values
    weighed = considered.model
    assert weighed is not None
    total = weighed.bias + sum(weight for _, weight in weighed.features)
    assert weighed.probability == pytest.approx(1 / (1 + math.exp(-total)))


def test_a_reference_is_refused_by_the_check_that_says_so(said: Said) -> None:
    words = said.of("app.py:1", 'db_password = "${DB_PASSWORD}"\n')
    assert "ignored generic-password the check assigned-value requires" in words
    assert "it is a reference" in words
    assert words.endswith("there is no finding here")


def test_a_name_that_is_no_secrets_is_said(said: Said) -> None:
    words = said.of("app.py:1", 'password_label = "k3jdk2jdkd"\n')
    assert "its name does not say that it holds a secret" in words


def test_a_uuid_is_weighed_with_that_feature(said: Said) -> None:
    uuid = expand("{uuid}", 3)
    explainer, detector = traced(shipped())
    seen = detector.observe("app.py", [f'session_token = "{uuid}"\n'.encode()])
    assert seen is not None
    (considered,) = explainer.explained(seen.findings).values
    assert considered.model is not None
    assert "value: a UUID" in dict(considered.model.features)
    assert "weighed: " in said.of("app.py:1", f'session_token = "{uuid}"\n')
    assert uuid not in said.raw


def test_a_placeholder_is_a_note(said: Said) -> None:
    words = said.of("app.py:1", 'password = "change-me"\n')
    assert "note generic-password" in words
    assert "there is no finding here" in words


def test_a_label_is_weighed_away(said: Said) -> None:
    words = said.of("src/forms/ui.js:1", "const messages = { password: 'Passwort' }\n")
    assert "unlikely generic-password weighed: 0." in words
    assert f"from {LEVELS.low:.2f} on" in words
    assert words.endswith("there is no finding here")


def test_of_a_vendors_rule_and_the_name_beside_it_the_vendors_stands(said: Said) -> None:
    words = said.of("app.py:1", leak())
    assert "ignored generic-secret github-personal-access-token is more specific" in words
    assert "reported github-personal-access-token" in words
    assert token() not in words


def test_a_wrong_checksum_is_said(said: Said) -> None:
    good = token()
    wrong = good[:-1] + ("a" if good[-1] != "a" else "b")
    words = said.of("app.py:1", f'x("{wrong}")\n')
    assert "the check github-token requires a valid CRC32 at its end" in words


def test_a_piece_of_a_longer_value_is_said(said: Said) -> None:
    slack = expand("xoxb-{digits:12}-{digits:13}-{base62:24}", 3)
    words = said.of("app.py:1", f'x("abc{slack}")\n')
    assert "the character next to it could belong to the value" in words


def test_a_setting_of_yaml_is_told_by_its_name_and_its_text(said: Said) -> None:
    text = (
        f"db:\n  image: pg\n  password: {SECRET}\n  token: {{{{ .Values.t }}}}\n  secretKey: true\n"
    )
    kept = said.of("chart/values.yaml:3", text)
    assert "ignored generic-password config-literal-secret is more specific" in kept
    assert "reported config-literal-secret weighed: " in kept
    assert f"a finding from {LEVELS.low_in_configuration:.2f} on" in kept
    reference = said.of("chart/values.yaml:4")
    assert "setting 4:10 token" in reference
    assert "its name suggests a secret, its value is a reference" in reference
    assert "that cannot be a secret" in said.of("chart/values.yaml:5")
    assert "its name does not suggest a secret" in said.of("chart/values.yaml:2")
    assert SECRET not in kept


def test_what_is_encoded_is_told_where_it_stands(said: Said) -> None:
    encoded = base64.b64encode(f"user: bob, token: {token()}".encode()).decode()
    words = said.of("app.py:1", f'blob = "{encoded}"\n')
    assert "decoded) in base64 ignored generic-secret" in words
    assert "reported github-personal-access-token" in words
    assert "decoded text in base64" in words


def test_a_line_in_a_key_of_many_lines_is_part_of_it(said: Said) -> None:
    words = said.of("deploy.txt:4", "the key:\n\n" + expand("{pem:RSA PRIVATE KEY}", 3) + "\n")
    assert "3:1 …" in words
    assert "reported private-key" in words
    assert "finding private-key" in words


def test_a_clean_line_says_that_nothing_looked(said: Said) -> None:
    words = said.of("app.py:1", "x = 1\n")
    assert "no rule checked it: the line contains no rule's prefilter word" in words
    assert words.endswith("there is no finding here")


def test_a_rule_that_looked_in_vain_is_named(said: Said) -> None:
    words = said.of("app.py:1:60", leak().rstrip() + "  # and a remark\n")
    assert "looked github-personal-access-token, generic-secret, " in words
    assert "its pattern matches nothing here" in words
    assert words.endswith("there is no finding here")


def test_a_column_chooses_among_the_values_of_a_line(said: Said) -> None:
    line = f'a = ["{token(1)}", "{token(2)}"]\n'
    assert said.of("app.py:1", line).count("reported github-personal-access-token") == 2
    words = said.of("app.py:1:55")
    assert words.count("reported github-personal-access-token") == 1
    assert words.count("finding github-personal-access-token") == 1


def test_a_token_is_not_shown_as_the_name_of_the_next_one(said: Said) -> None:
    some = [token(seed) for seed in range(4)]
    words = said.of("app.py:1", "names = " + ", ".join(f'"{each}"' for each in some) + "\n")
    assert not any(each in words for each in some)


def test_a_name_that_a_machine_made_is_not_shown(said: Said) -> None:
    other = SECRET[::-1]
    for line in (f'{other} = "{token()}"\n', f"curl -u {other}:{SECRET} https://a.example\n"):
        words = said.of("run.sh:1", line)
        assert other not in words
        assert SECRET not in words
        assert "reported" in words


def test_a_token_that_is_a_key_of_yaml_is_not_shown_as_a_name(said: Said) -> None:
    words = said.of("values.yaml:1", f"{token()}: {SECRET}\npassword: x\n")
    assert token() not in words
    assert "reported github-personal-access-token" in words


def test_what_an_exception_says_of_a_finding_is_told(said: Said) -> None:
    terms = 'generic-password reason="a test" owner=@me until=2099-01-01'
    text = f'db_password = "{SECRET}"  # keywatch: ' + f"allow {terms}\n"
    words = said.of("app.py:1", text)
    assert "covered generic-password" in words
    assert "by an allow comment (app.py:1): a test, @me, until 2099-01-01" in words
    assert "so there is no finding" not in words


def test_rules_and_excludes_of_keywatch_yaml_apply(said: Said) -> None:
    helpers.git(said.root, "init", "--quiet")
    config = "version: 1\nscan:\n  exclude: [gen/**]\n  disable_rules: [generic-password]\n"
    (said.root / "keywatch.yaml").write_text(config)
    words = said.of("app.py:1", f'db_password = "{SECRET}"\n')
    assert "disabled: generic-password" in words
    assert "reported" not in words
    excluded = said.of("gen/app.py:1", f'db_password = "{SECRET}"\n')
    assert "not scanned: 'gen/**' of scan.exclude in keywatch.yaml excludes it" in excluded


def test_a_binary_file_is_not_looked_at(said: Said) -> None:
    assert "not scanned: it is binary" in said.of("a.dat:1", bytes(range(256)) * 40)


def test_utf_16_is_read_as_a_scan_reads_it(said: Said) -> None:
    words = said.of("app.py:2", f"x = 1\n{leak()}".encode("utf-16"))
    assert "2:10 TOKEN" in words
    assert "reported github-personal-access-token" in words


def test_the_index_is_asked_with_staged(said: Said) -> None:
    helpers.git(said.root, "init", "--quiet")
    (said.root / "app.py").write_text(leak())
    helpers.git(said.root, "add", ".")
    assert "no rule checked" in said.of("app.py:1", "x = 1\n")
    assert "reported github-personal-access-token" in said.of("app.py:1", None, "--staged")
    (said.root / "new.py").write_text("x = 1\n")
    assert "new.py has no staged changes" in said.of("new.py:1", None, "--staged", code=2)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("app.py", "does not name a line of a file"),
        ("app.py:x", "does not name a line of a file"),
        ("app.py:0", "lines and columns count from 1"),
        ("app.py:1:0", "lines and columns count from 1"),
        ("app.py:3", "app.py has no line 3 why: its last line is 2"),
        ("ap.py:1", "did you mean app.py?"),
        ("empty.py:1", "it is empty"),
        (".:1", "is a folder"),
        ("", "does not name a line of a file"),
    ],
)
def test_what_names_no_line_is_a_usage_error(said: Said, place: str, words: str) -> None:
    (said.root / "app.py").write_text("x = 1\ny = 2\n")
    (said.root / "empty.py").write_text("")
    assert words in said.of(place, code=2)


def test_names_may_hold_colons_and_the_letter_of_a_drive(said: Said) -> None:
    for name in ("a:12", "C:app.py", "a"):
        (said.root / name).write_text("x = 1\n" + leak())
    assert "reported" in said.of("a:12:2")
    assert "reported" in said.of("C:app.py:2")
    assert "has no line 12" in said.of("a:12", code=2)


def test_names_and_texts_of_a_file_command_no_terminal(said: Said) -> None:
    name = "e\x1b[31m::error::vil.yaml"
    text = f'\x1b]0;x\x07password: "\x1b[2J{SECRET}"\n::error::password\x9b1m: {SECRET}\n'
    (said.root / name).write_bytes(text.encode())
    for line in (1, 2):
        said.of(f"{name}:{line}")
        assert not any(char in said.raw for char in "\x1b\x07\x9b\x00")
        assert not any(each.startswith("::error") for each in said.raw.splitlines())
        assert SECRET not in said.raw


def test_a_line_of_many_values_is_told_up_to_a_bound(said: Said) -> None:
    line = "".join(f'k{seed} = "{token(seed)}"; ' for seed in range(300))
    words = said.of("app.py:1", line + "\n")
    assert words.count("reported github-personal-access-token") == 50
    assert "… and 250 more: name a column" in words


def test_every_check_says_what_it_asks_for() -> None:
    assert REQUIRED.keys() == CHECKS.keys()


def test_what_is_kept_of_a_line_is_what_is_found_there() -> None:
    """Over the examples of all rules: the explanation is the engine's own, not a second opinion."""
    for template in EXAMPLES:
        example = template if isinstance(template, dict) else {"file": "a/b", "text": template}
        data = expand(example["text"], 1).encode() + b"\n"
        seen = Detector(shipped(), ready()).observe(example["file"], [data])
        assert seen is not None
        for line in {finding.location.line for finding in seen.findings}:
            explainer, detector = traced(shipped(), line)
            detector.observe(example["file"], [data])
            kept = {
                (each.rule, each.line, each.column)
                for each in explainer.explained(seen.findings).values
                if each.status is Status.REPORTED
            }
            found = {(f.rule, f.location.line, f.location.column) for f in seen.findings}
            assert {each for each in found if each[1] == line} <= kept, example
            assert kept <= found, example


@functools.cache
def shipped() -> Rulebook:
    return rulebook.load(cache_folder=cache.folder())


@functools.cache
def ready() -> Matcher:
    return matcher_for(shipped(), "auto", cache.folder())


def traced(book: Rulebook, line: int = 1) -> tuple[Explainer, Detector]:
    explainer = Explainer(book, line)
    return explainer, Detector(book, ready(), None, explainer)
