"""How values that only a name calls secrets are weighed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import passwords
from scanner.detect.detector import Detector, matcher_for
from scanner.detect.rules import rulebook
from scanner.detect.rules.samples import expand
from scanner.detect.values import features, likelihood
from scanner.detect.values.features import Case
from scanner.detect.values.file_role import role_of
from scanner.detect.values.placeholders import is_known_placeholder
from scanner.detect.values.weak_passwords import is_weak
from scanner.model import Confidence, Finding
from tests.support.helpers import Keywatch, detector, scan

RULES = Path(__file__).resolve().parents[2] / "rules"
HELD = Path(passwords.__file__).with_name("held_passwords.txt")
MODEL = rulebook.load().likelihood


def observe(path: str, text: str) -> tuple[Finding, ...]:
    seen = detector().observe(path, [f"{text}\n".encode()])
    return seen.findings if seen else ()


def case(value: str, name: str = "password", path: str = "src/app.py") -> Case:
    return Case(name, value, f'{name} = "', '"', path, "assigned-value")


def test_passwords_of_people_are_found_and_look_alikes_are_not() -> None:
    """A thousand of each, over all sites; whoever wrote them did not know the code."""
    met = {True: 0, False: 0}
    for line in passwords.held_lines(1, HELD, 1000):
        met[line.is_secret] += bool(observe(line.path, line.text))
    assert met[True] >= 900
    assert met[False] <= 50


@pytest.mark.parametrize(
    "value", ["sunshine2024", "Liverpool!9", "dragon", "qwerty1987", "S0phie#1"]
)
def test_a_word_is_a_password_like_any_other(value: str) -> None:
    assert MODEL.confidence(case(value))


@pytest.mark.parametrize(
    "value", ["Enter your password", "Passwords do not match", "password_confirmation", "CharField"]
)
def test_what_a_form_shows_is_none(value: str) -> None:
    assert MODEL.confidence(case(value)) is None


def test_the_confidence_follows_the_probability() -> None:
    sure, unsure = (
        MODEL.probability(features.features(each))
        for each in (
            case("8fK2mQ9xLp4vTz7RwB3nYc6H", "client_secret"),
            case("validtoken", "client_secret", "tests/test_login.py"),
        )
    )
    assert 0 <= unsure < MODEL.low < MODEL.medium < MODEL.high <= sure <= 1


def test_no_feature_shows_a_value() -> None:
    told = set(features.features(case("Zx9-unusual-Value!")))
    assert not any("unusual" in each or "Zx9" in each for each in told)


def test_every_weight_is_of_a_feature_and_small_enough_to_print() -> None:
    model = json.loads((RULES / "likelihood.json").read_text(encoding="utf-8"))
    assert (RULES / "likelihood.json").stat().st_size < 1_000_000
    assert all(abs(weight) < 10 for weight in model["weights"].values())


@pytest.mark.parametrize(
    "value", ["change-me", "<password>", "xxxxxxxx", "your-api-key", "__TOKEN__", "sk_live_"]
)
def test_a_placeholder_stands_for_a_secret(value: str) -> None:
    assert is_known_placeholder(value)


@pytest.mark.parametrize(
    "value", ["sunshine", "admin123", "P@ssw0rd!", "changeme", "password", "secret", "root", "1111"]
)
def test_a_weak_password_is_no_placeholder(value: str) -> None:
    assert not is_known_placeholder(value, password=True)


@pytest.mark.parametrize("value", ["password", "secret", "test", "changeme", "1111"])
def test_a_common_word_is_a_placeholder_for_a_token(value: str) -> None:
    assert is_known_placeholder(value)


@pytest.mark.parametrize(
    ("path", "text", "confidence"),
    [
        ("chart/values.yaml", "auth:\n  rootPassword: supersecret", Confidence.HIGH),
        ("main.tf", 'master_password = "Aurora99Passwd"', Confidence.HIGH),
        ("prod.env", "DB_PASSWORD=welcome1", Confidence.HIGH),
        ("src/db.py", 'db_password = "hunter2"', Confidence.MEDIUM),
        ("tests/test_db.py", 'db_password = "hunter2"', Confidence.LOW),
        ("docs/setup.md", "DB_PASSWORD=hunter2", Confidence.LOW),
    ],
)
def test_the_confidence_of_a_weak_password_follows_the_purpose_of_the_file(
    path: str, text: str, confidence: Confidence
) -> None:
    (found,) = observe(path, text)
    assert (found.rule, found.confidence) == ("weak-password", confidence)


def test_a_label_in_a_file_of_translations_is_no_password() -> None:
    assert not observe("messages_fr.properties", "login.password=Mot de passe")
    assert not observe("src/i18n/fr.json", '{"login": {"password": "Mot de passe"}}')


def test_a_disabled_rule_for_weak_passwords_reports_none() -> None:
    book = rulebook.load(disabled={"weak-password": "keywatch.yaml"})
    ready = Detector(book, matcher_for(book, "auto", None))
    seen = ready.observe("prod.env", [b"DB_PASSWORD=welcome1\n"])
    assert not (seen.findings if seen else ())


@pytest.mark.parametrize(
    "value",
    "password supersecret welcome1 changeit hunter2 s3cr3t top_secret P@ssw0rd! newpasswd"
    " Aurora99Passwd Pass@word 123456 1111".split(),
)
def test_common_passwords_and_their_variants_are_weak(value: str) -> None:
    assert is_weak(value)


@pytest.mark.parametrize("value", ["xK9fLm2pQ", "rarhpqw", "8fK2mQ9xLp4vTz7R", "ab", ""])
def test_other_values_are_not_weak(value: str) -> None:
    assert not is_weak(value)


def test_a_placeholder_is_a_note_and_fails_nothing(keywatch: Keywatch, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text('password = "change-me"\n', encoding="utf-8")
    done = scan(keywatch, "--no-git", cwd=tmp_path)
    assert (done.code, done.report["findings"]) == (0, [])
    assert [note["kind"] for note in done.report["notes"]] == ["placeholder"]


def test_a_published_example_is_a_note(keywatch: Keywatch, tmp_path: Path) -> None:
    seed = "JBSWY3DP" + "EHPK3PXP"
    (tmp_path / "a.py").write_text(f'totp = pyotp.TOTP("{seed}")\n', encoding="utf-8")
    done = scan(keywatch, "--no-git", cwd=tmp_path)
    assert done.code == 0
    assert [note["kind"] for note in done.report["notes"]] == ["placeholder"]


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("src/app.py", "other"),
        ("tests/test_app.py", "test"),
        ("app/LoginTest.java", "test"),
        ("docs/setup.md", "example"),
        ("vendor/lib/a.go", "vendored"),
        ("package-lock.json", "generated"),
        ("web/app.min.js", "generated"),
        ("src/contest.py", "other"),
    ],
)
def test_a_path_says_what_a_file_is_for(path: str, role: str) -> None:
    assert role_of(path) == role


def test_a_test_lowers_the_confidence_of_a_shape_and_not_of_a_checksum() -> None:
    sure = {Confidence.HIGH: Confidence.MEDIUM}
    for template, expected in (("gsk_{base62:52}", sure), ("ghp_{base62:30}{crc32}", {})):
        text = f'key = "{expand(template, 5)}"'
        (there,), (tested,) = observe("src/app.py", text), observe("tests/test_app.py", text)
        assert tested.confidence == expected.get(there.confidence, there.confidence)
        assert there.confidence is Confidence.HIGH


def test_a_model_weighs_only_what_a_name_or_a_place_calls_a_secret() -> None:
    from scanner.detect.checks.checks import CHECKS

    assert set(CHECKS) >= likelihood.WEIGHED_CHECKS
