"""Which entry of `secrets` a live secret falls under, and what `keywatch policy explain` says."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.configuration import repository
from scanner.policy.declarations import secret_ids
from scanner.policy.declarations.matching import SecretEntries
from scanner.policy.declarations.model import Match
from scanner.policy.live import rotation_age
from scanner.records import Record
from tests.support.helpers import Keywatch, token, write_files

ID = "vault://prod/-/secret/app/db-main"


def entries(*lines: str) -> SecretEntries:
    text = "version: 1\nsecrets:\n" + "".join(f"  - {{{line}}}\n" for line in lines)
    settings = repository.load(text.encode(), "keywatch.yaml", None)
    return SecretEntries(settings.secrets, settings.classes)


def match(*lines: str, **record: Any) -> Match | None:
    return entries(*lines).match(Record(id=ID, kind="kv-v2", **record))


def line_of(found: Match | None) -> int:
    """The number of the entry that holds, from 0; -1 for none."""
    return found.entry.location.line - 3 if found else -1


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("match: 'vault://**'", "match: 'vault://*/*/*/*/*'"),
        ("match: 'vault://*/*/*/*/*'", "match: 'vault://**/db-*'"),
        ("match: 'vault://*/*/*/*/db-*'", "match: 'vault://**/db-main'"),
        ("match: 'vault://*/*/secret/**'", "match: 'vault://*/*/secret/app/**'"),
        ("match: 'vault://*/*/secret/app/*'", "match: 'vault://*/*/secret/app/db-*'"),
        ("match: 'vault://*/*/secret/app/db-*'", "match: 'vault://*/*/secret/app/db-main'"),
        ("match: 'vault://**/app/db-main'", "match: 'vault://**/app/db-main#password'"),
        ("match: 'vault://**/db-main'", "tags: {team: payments, tier: gold}"),
        ("tags: {team: payments}", "match: 'vault://**', tags: {team: payments, tier: gold}"),
    ],
)
def test_the_most_specific_entry_holds_in_either_order(wide: str, narrow: str) -> None:
    lines = [f"{wide}, class: api-key", f"{narrow}, class: db-credential"]
    tags = {"team": "payments", "tier": "gold"}
    for some in (lines, lines[::-1]):
        found = match(*some, tags=tags, keys=("password",))
        assert found
        assert (found.entry.secret_class, found.rival) == ("db-credential", None)


@pytest.mark.parametrize(
    ("line", "fits"),
    [
        ("match: 'vault://prod/-/secret/app/db-main'", True),
        ("match: 'vault://prod/-/secret/app'", False),
        ("match: 'k8s://**'", False),
        ("tags: {team: payments}", True),
        ("tags: {team: Payments}", False),
        ("tags: {team: payments, tier: gold}", False),
        ("match: 'vault://*/*/other/**', tags: {team: payments}", False),
        ("match: 'vault://**/db-main#password'", True),
        ("match: 'vault://**/db-main#user*'", False),
    ],
)
def test_an_entry_is_about_what_has_its_id_all_of_its_tags_and_its_key(
    line: str, fits: bool
) -> None:
    found = match(f"{line}, class: api-key", tags={"team": "payments"}, keys=("password",))
    assert (found is not None) is fits


def test_where_the_keys_are_not_known_an_entry_of_a_key_is_about_the_secret() -> None:
    assert match("match: 'vault://**/db-main#password', class: api-key")


def test_of_two_equal_entries_the_shortest_period_holds_and_nobody_decided() -> None:
    lines = ("match: 'vault://*/*/secret/*/db-main'", "match: 'vault://*/*/secret/app/*'")
    found = match(f"{lines[0]}, class: api-key", f"{lines[1]}, class: service-token")
    assert found
    assert found.rival
    assert (line_of(found), str(found.rival.location)) == (1, "keywatch.yaml:3")
    one = rotation_age.judge(Record(id=ID, kind="kv-v2"), found, datetime(2026, 11, 24, tzinfo=UTC))
    assert [seen.condition for seen in one.conditions] == ["not-configured"]
    assert "keywatch.yaml:4 and keywatch.yaml:3 are equally specific" in one.conditions[0].detail


def test_two_equal_entries_of_one_class_are_no_conflict() -> None:
    lines = ("match: 'vault://*/*/secret/*/db-main'", "match: 'vault://*/*/secret/app/*'")
    found = match(*(f"{line}, class: api-key" for line in lines))
    assert (line_of(found), found and found.rival) == (0, None)


def test_a_class_that_there_is_not_holds_only_where_no_other_is_as_specific() -> None:
    lines = ("match: 'vault://*/*/secret/*/db-main'", "match: 'vault://*/*/secret/app/*'")
    found = match(f"{lines[0]}, class: no-such", f"{lines[1]}, class: api-key")
    assert line_of(found) == 1
    alone = match(f"{lines[0]}, class: no-such")
    assert (line_of(alone), alone and alone.secret_class) == (0, None)


PARTS = st.sampled_from(["prod", "secret", "app", "db", "x"])
MATCHES = st.lists(PARTS | st.sampled_from(["*", "**", "d?"]), min_size=1, max_size=5).map(
    lambda parts: f"match: 'vault://{'/'.join(parts)}', class: api-key"
)


@given(
    lines=st.lists(MATCHES, min_size=1, max_size=8), parts=st.lists(PARTS, min_size=1, max_size=5)
)
def test_what_is_looked_up_by_words_is_what_all_entries_would_say(
    lines: list[str], parts: list[str]
) -> None:
    record = Record(id=f"vault://{'/'.join(parts)}", kind="kv-v2")
    found = {str(rule.match.entry.location) for rule in entries(*lines).fitting(record)}
    asked = (line.split("'")[1] for line in lines)
    fits = [secret_ids.pattern(glob).matches("vault", parts, None) for glob in asked]
    assert found == {f"keywatch.yaml:{n + 3}" for n, one in enumerate(fits) if one}


def test_an_entry_without_a_match_and_without_tags_is_an_error(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    text = "version: 1\nsecrets:\n  - class: api-key\n"
    done = keywatch("policy", "explain", ID, cwd=write_files(tmp_path, {"keywatch.yaml": text}))
    assert done.returncode == 2
    assert b"keywatch.yaml:3: match or tags is missing in entry 1 of secrets" in done.stderr


POLICY = """\
version: 1
secrets:
  - {match: "vault://**", class: api-key}
  - {match: "vault://*/*/secret/app/db-*", class: db-credential, owner: "@dba", runbook: docs/db.md}
  - {match: "vault://*/*/secret/*/db-main", class: db-credential}
  - {tags: {team: payments}, class: no-such}
"""


def test_it_tells_what_the_operator_demands(keywatch: Keywatch, tmp_path: Path) -> None:
    operator = """\
backends: {prod: {kind: vault}}
classes: {api-key: {rotate_every: 20d}}
secrets: [{match: "vault://prod/**", class: service-token}]
"""
    mine = f"version: 1\nsecrets: [{{match: '{ID}', class: api-key}}]\n"
    root = tmp_path / "repository"
    write_files(tmp_path, {"repository/keywatch.yaml": mine, "operator.yaml": operator})
    alone = explained(keywatch, root, ID)
    assert "rotated every 90d" in alone
    said = explained(keywatch, root, ID, "--operator=../operator.yaml")
    assert "api-key: rotated every 24h" in said
    assert "vault://prod/** must be at least as strict as service-token" in said
    (root / "keywatch.yaml").write_text("version: 1\n")
    said = explained(keywatch, root, ID, "--operator=../operator.yaml")
    assert "service-token: rotated every 24h" in said
    assert "no entry of `secrets`" in said


def explained(keywatch: Keywatch, root: Path, *arguments: str, code: int = 0) -> str:
    """Its words, each space as one."""
    done = keywatch("policy", "explain", *arguments, cwd=root)
    assert done.returncode == code, done.stderr
    return " ".join((done.stdout + done.stderr).decode().split())


def test_an_explanation_names_what_holds_and_what_decided(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    write_files(tmp_path, {"keywatch.yaml": POLICY})
    said = explained(keywatch, tmp_path, f"{ID}#password", "--tag", "team=payments")
    for words in (
        "class db-credential: rotated every 30d, grace 24h, overlap 24h (policy.yaml:6)",
        "owner @dba runbook docs/db.md",
        "keywatch.yaml:4 db-credential vault://*/*/secret/app/db-* applies",
        "keywatch.yaml:5 db-credential vault://*/*/secret/*/db-main 0 written in part, not 1",
        "keywatch.yaml:6 no-such team=payments 1 written out in full, not 2",
        "keywatch.yaml:3 api-key vault://** 0 written out in full, not 2",
    ):
        assert words in said


def test_an_explanation_names_a_tie(keywatch: Keywatch, tmp_path: Path) -> None:
    text = POLICY + '  - {match: "vault://*/*/secret/app/d*", class: api-key}\n'
    text += '  - {match: "vault://*/*/secret/app/*n", class: db-credential}\n'
    write_files(tmp_path, {"keywatch.yaml": text})
    said = explained(keywatch, tmp_path, ID)
    assert "keywatch.yaml:7 api-key vault://*/*/secret/app/d* equally specific, another" in said
    assert "keywatch.yaml:8 db-credential vault://*/*/secret/app/*n equally specific, same" in said


def test_an_unknown_class_and_no_entry_are_said(keywatch: Keywatch, tmp_path: Path) -> None:
    write_files(tmp_path, {"keywatch.yaml": POLICY})
    tag = ("--tag", "team=payments")
    assert "no-such: unknown class" in explained(
        keywatch, tmp_path, "k8s://eks/app/secret/tls", *tag
    )
    said = explained(keywatch, tmp_path, "k8s://eks/app/secret/tls")
    assert said.startswith("no entry of `secrets` in keywatch.yaml matches it")
    near = explained(keywatch, tmp_path, "k8s://x/x/secret/app/db-m")
    assert near.endswith("did you mean vault://*/*/secret/app/db-*?")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("valt://prod/-/secret/app",), "did you mean vault?"),
        (("secret/app",), "write an ID such as vault://"),
        (("vault://prod//x",), "is not a canonical ID"),
        (("vault://prod/-/secret/*",), "matches more than one secret"),
        ((ID, "--tag", "team"), "--tag team has no value"),
    ],
)
def test_what_names_no_secret_is_a_usage_error(
    keywatch: Keywatch, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    assert says in explained(keywatch, tmp_path, *arguments, code=2)


def test_no_explanation_repeats_a_secret(keywatch: Keywatch, tmp_path: Path) -> None:
    text = (
        f'version: 1\nsecrets:\n  - {{match: "vault://**", class: {token()}, owner: {token(8)}}}\n'
    )
    write_files(tmp_path, {"keywatch.yaml": text})
    said = explained(keywatch, tmp_path, ID)
    assert token() not in said
    assert token(8) not in said
    assert token() not in explained(keywatch, tmp_path, f"valt://{token()}", code=2)
