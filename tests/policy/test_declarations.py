"""The nouns of the policy: classes and their periods, canonical ids, and the globs of `match`."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner import document
from scanner.configuration import repository
from scanner.detect.rules import rulebook
from scanner.errors import ConfigError
from scanner.model import Location
from scanner.policy.declarations import model, secret_ids
from scanner.policy.declarations.model import DeclaredSecret, SecretClass

DAY, HOUR, MINUTE = 86_400, 3_600, 60
SCHEMA = Path(document.rules_folder()) / "schema" / "keywatch.schema.json"
DURATION = json.loads(SCHEMA.read_text())["$defs"]["duration"]["pattern"]
COUNTS = st.none() | st.integers(0, 99_999)


def declared(text: str) -> DeclaredSecret:
    (one,) = repository.declared_secrets(text.encode(), "x.yaml")
    return one


def test_the_default_classes_are_those_of_the_source_document() -> None:
    periods = {each.name: (each.rotate_every, each.grace) for each in classes_of("version: 1\n")}
    assert periods == {
        "api-key": (90 * DAY, 7 * DAY),
        "db-credential": (30 * DAY, 24 * HOUR),
        "jwt-signing-key": (7 * DAY, HOUR),
        "service-token": (24 * HOUR, 30 * MINUTE),
        "encryption-key": (365 * DAY, 30 * DAY),
    }


def classes_of(text: str) -> list[SecretClass]:
    return list(repository.load(text.encode(), "keywatch.yaml", None).classes.values())


def test_a_class_of_the_repository_stands_in_for_the_default_one() -> None:
    text = "version: 1\nclasses:\n  api-key: {rotate_every: 45s}\n  mine: {rotate_every: 2m}\n"
    by_name = {each.name: each for each in classes_of(text)}
    assert (by_name["api-key"].rotate_every, by_name["api-key"].grace) == (45, 0)
    assert str(by_name["api-key"].location) == "keywatch.yaml:3"
    assert by_name["mine"].rotate_every == 120
    assert str(by_name["db-credential"].location) == "policy.yaml:6"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("90d", 90 * DAY),
        ("24h", DAY),
        ("30m", 1_800),
        ("45s", 45),
        ("2w", 14 * DAY),
        ("1h30m", 5_400),
        ("1w1d1h1m1s", 8 * DAY + 3_661),
        ("P90D", 90 * DAY),
        ("P2W", 14 * DAY),
        ("PT24H", DAY),
        ("P1DT12H", 129_600),
        ("PT7776000S", 90 * DAY),
    ],
)
def test_a_duration_is_what_people_write(text: str, wanted: int) -> None:
    (_, *_, mine) = classes_of(f"version: 1\nclasses: {{mine: {{rotate_every: {text}}}}}")
    assert mine.rotate_every == wanted


@pytest.mark.parametrize(
    "text",
    [
        *("", "90", "d", "0d", "PT0S", "P", "PT", "P1DT", "P1Y", "P3M", "p90d", "90D", "30m1h"),
        *("1h 30m", "-1d", "1.5h", "90 days", "90d\\n", "100000d", "P1H", "PT1D", "T1H"),
    ],
)
def test_what_is_no_duration_is_refused_by_its_line(text: str) -> None:
    with pytest.raises(ConfigError, match="rotate_every") as caught:
        classes_of(f'version: 1\nclasses:\n  mine:\n    rotate_every: "{text}"\n')
    assert caught.value.where == "keywatch.yaml:4"
    assert "90d" in caught.value.todo


@given(counts=st.tuples(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS))
def test_both_forms_of_a_duration_mean_the_same(counts: tuple[int | None, ...]) -> None:
    weeks, days, hours, minutes, seconds = (
        "" if count is None else f"{count}{unit}"
        for count, unit in zip(counts, "WDHMS", strict=True)
    )
    time = f"T{hours}{minutes}{seconds}" if hours or minutes or seconds else ""
    iso, plain = f"P{weeks}{days}{time}", f"{weeks}{days}{hours}{minutes}{seconds}".lower()
    valid = bool(plain)
    assert bool(re.search(DURATION, iso)) is bool(re.search(DURATION, plain)) is valid
    assert model.seconds(iso) == model.seconds(plain)


@given(st.integers(0, 10**10))
def test_seconds_are_written_as_they_are_read(number: int) -> None:
    assert model.seconds(model.period(number)) == number
    assert model.seconds(model.about(number)) <= number
    assert number < 172_800 or number - model.seconds(model.about(number)) < HOUR


def test_a_period_is_written_as_the_policy_writes_it() -> None:
    assert [model.period(n) for n in (0, DAY, 2 * DAY, 5_400)] == ["0s", "24h", "2d", "1h30m"]
    assert model.about(100 * DAY + 2 * HOUR + 59 * MINUTE) == "100d2h"
    assert model.about(100 * DAY + 59) == "100d"


def test_every_class_that_a_rule_names_is_a_default_class() -> None:
    shipped = {each.name for each in classes_of("version: 1\n")}
    named = {rule.secret_class for rule in rulebook.load().infos.values()}
    assert named - {""} <= shipped


def test_the_policy_is_the_same_from_a_warm_cache(tmp_path: Path) -> None:
    text = (
        b"version: 1\nsecrets:\n- {match: 'vault://x', class: y, owner: z}\n"
        b"services: {a: {needs: [b, '*']}}\n"
    )
    cold = repository.load(text, "keywatch.yaml", str(tmp_path))
    warm = repository.load(text, "keywatch.yaml", str(tmp_path))
    assert (cold.secrets, cold.services) == (warm.secrets, warm.services)
    assert str(warm.secrets[0].location) == "keywatch.yaml:3"
    assert warm.services[0].needs_locations == (Location.at("keywatch.yaml", 4),) * 2


def vault(path: str, more: str = "") -> str:
    return f"vault: {{address: x, {more} secrets: [{{path: '{path}'}}]}}"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (vault("secret/data/app/api-keys"), "vault://*/-/secret/app/api-keys"),
        (vault("/secret/data/app/api-keys/"), "vault://*/-/secret/app/api-keys"),
        (vault("secret/app/api-keys"), "vault://*/-/secret/app/api-keys"),
        (vault("secret/app/data/x"), "vault://*/-/secret/app/data/x"),
        (vault("secret/data"), "vault://*/-/secret/data"),
        (vault("team/kv/data/app", "mounts: [team/kv],"), "vault://*/-/team%2Fkv/app"),
        (vault("team/kv/data/app"), "vault://*/-/team/kv/data/app"),
        (vault("secret/data/x", "namespace: a/b,"), "vault://*/a%2Fb/secret/x"),
        (vault("secret/data/x", "namespace: '${NS}',"), "vault://*/*/secret/x"),
        (vault("secret/data/${ENV}/x"), "vault://*/-/secret/*/x"),
        (vault("database/static-creds/app"), "vault://*/-/database/static-roles/app"),
        (vault("database/creds/app"), "vault://*/-/database/roles/app"),
        (vault("transit/keys/app"), "vault://*/-/transit/keys/app"),
        (
            "aws: {region: eu-central-1, account: '123456789012', secrets: [{name: app/x}]}",
            "aws://*/123456789012/eu-central-1/secretsmanager/app/x",
        ),
        (
            "aws: {region: '${R}', secrets: [{name: /app/x, service: ssm}]}",
            "aws://*/*/*/ssm/app/x",
        ),
        (
            "aws: {region: r, secrets: [{arn: 'arn:aws:ssm:us-east-1:1:parameter/app/x'}]}",
            "aws://*/1/us-east-1/ssm/app/x",
        ),
        (
            "azure: {vault_url: 'https://prod.vault.azure.net', secrets: [{name: x, kind: key}]}",
            "azure://*/prod/key/x",
        ),
        ("azure: {vault_url: '${URL}', secrets: [{name: x}]}", "azure://*/*/secret/x"),
        ("kubernetes: {namespace: a, secrets: [{name: x}]}", "k8s://*/a/secret/x"),
        (
            "kubernetes: {namespace: a, secrets: [{name: x, namespace: b}]}",
            "k8s://*/b/secret/x",
        ),
    ],
)
def test_a_declared_secret_has_a_canonical_id(text: str, wanted: str) -> None:
    assert declared(text).id == wanted


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        ("vault://*/*/secret/app/api-keys", True),
        ("vault://prod/*/secret/app/api-keys", True),
        ("vault://*/-/secret/app/api-keys", True),
        ("vault://*/other/secret/app/api-keys", False),
        ("vault://*/*/secret/app/*", True),
        ("vault://*/*/secret/app/api-?eys", True),
        ("vault://*/*/secret/*", False),
        ("vault://*/*/secret/**", True),
        ("vault://**/api-keys", True),
        ("vault://**", True),
        ("vault://**/**/api-keys/**", True),
        ("vault://**/secret/**/app/**", True),
        ("vault://**/secret/**/secret/**/secret/**", False),
        ("vault://*/*/secret/app/api-keys/**/api-keys", False),
        ("vault://*/*/secret/app", False),
        ("vault://*/*/secret/app/api-keys/more", False),
        ("vault://*/*/secret/app/api-keys#api_key", True),
        ("vault://*/*/secret/app/api-keys#api_*", True),
        ("vault://*/*/secret/app/api-keys#other", False),
        ("k8s://*/*/secret/app/api-keys", False),
        ("vault://*/*/SECRET/app/api-keys", False),
        ("vault://*/*/secret/app/api.keys", False),
    ],
)
def test_a_match_takes_whole_ids(match: str, fits: bool) -> None:
    one = declared(vault("secret/data/app/api-keys").replace("}]", ", key: api_key}]"))
    assert secret_ids.pattern(match).fits(one) is fits


NAMES = st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=6)
GLOBS = st.lists(st.sampled_from(["a", "b", "ab", "*", "a*", "?", "**"]), min_size=1, max_size=6)


def fits_by_trying(glob: list[str], name: list[str]) -> bool:
    if not glob or not name:
        return not name and all(part == "**" for part in glob)
    if glob[0] == "**":
        return fits_by_trying(glob[1:], name) or fits_by_trying(glob, name[1:])
    return fnmatchcase(name[0], glob[0]) and fits_by_trying(glob[1:], name[1:])


@given(glob=GLOBS, name=NAMES)
def test_a_glob_fits_what_trying_every_way_finds(glob: list[str], name: list[str]) -> None:
    assert secret_ids.fits(secret_ids.compile_glob(glob), name) is fits_by_trying(glob, name)


def test_a_glob_of_many_wildcards_takes_no_time_for_it() -> None:
    glob = secret_ids.compile_glob(["**", "a"] * 200 + ["b"])
    assert not secret_ids.fits(glob, ["a"] * 400)
