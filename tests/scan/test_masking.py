"""Words that a repository or a command line chose are repeated without their secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from scanner.detect.rules.samples import expand
from scanner.masking import masked_id
from scanner.report.formats import FORMATS
from tests.support.helpers import Keywatch
from tests.support.repositories import Repository, password

TOKEN = expand("ghp_{base62:30}{crc32}", 31)


@pytest.fixture
def repo(tmp_path: Path, keywatch: Keywatch) -> Repository:
    made = Repository(tmp_path / "repo", keywatch)
    made.write({"app.py": password(1)})
    made.commit()
    return made


ENTRY = f"""version: 1
allow:
  - fingerprint: "kw-0123456789ab"
    rule: generic-password
    path: app.py
    reason: "it was {TOKEN} before"
    owner: "@t"
    until: "2099-01-01"
"""


@pytest.mark.parametrize("form", FORMATS)
def test_a_reason_in_keywatch_yaml_is_masked_in_every_report(repo: Repository, form: str) -> None:
    repo.write({"keywatch.yaml": ENTRY})
    result = repo.keywatch("scan", "--report", f"{form}=-")
    assert result.code == 1
    assert TOKEN[4:] not in result.out + result.err


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_the_register_masks_reasons(repo: Repository, form: list[str]) -> None:
    repo.write({"keywatch.yaml": ENTRY})
    result = repo.keywatch("allow", "list", *form)
    assert "before" in result.out
    assert TOKEN[4:] not in result.out + result.err


@pytest.mark.parametrize(
    "text",
    [
        f"version: 1\n{TOKEN}: 1\n",
        f"version: 1\nscan: {{disable_rules: [{TOKEN}]}}\n",
        f"version: 1\nscan: {{fail_on: {TOKEN}}}\n",
        f"version: 1\n{TOKEN}: 1\n{TOKEN}: 2\n",
    ],
)
def test_an_error_in_keywatch_yaml_repeats_no_secret(repo: Repository, text: str) -> None:
    repo.write({"keywatch.yaml": text})
    result = repo.keywatch("scan")
    assert result.code == 2
    assert TOKEN[4:] not in result.out + result.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("scan", f"no/{TOKEN}"),
        ("rules", "show", TOKEN),
        ("scan", "--rules", TOKEN),
        ("allow", TOKEN),
    ],
)
def test_an_error_repeats_no_secret_of_the_command_line(
    repo: Repository, arguments: tuple[str, ...]
) -> None:
    result = repo.keywatch(*arguments)
    assert result.code == 2
    assert TOKEN[4:] not in result.out + result.err


def test_a_report_does_not_repeat_a_secret_of_the_command_line(repo: Repository) -> None:
    repo.write({f"{TOKEN}.txt": "x"})
    result = repo.keywatch("scan", f"{TOKEN}.txt", "--report", "json=-")
    assert result.code == 1
    assert TOKEN[4:] not in result.out


def test_a_reason_with_a_secret_is_refused(repo: Repository) -> None:
    terms = ("--owner", "@t", "--until", "2099-01-01")
    result = repo.keywatch("allow", "0123456789ab", "--reason", f"was {TOKEN}", *terms)
    assert result.code == 2
    assert "--reason contains a secret" in result.err
    assert TOKEN[4:] not in result.err


@pytest.mark.parametrize("part", range(2, 8))
def test_a_canonical_id_is_masked_whichever_part_of_it_holds_a_secret(part: int) -> None:
    parts = ["vault:", "", "prod", "-", "secret", "app", "x", "y"]
    parts[part] = TOKEN
    assert TOKEN not in masked_id("/".join(parts))
    assert masked_id("/".join(parts[: part + 1])).startswith("/".join(parts[:part]) + "/ghp_")


def test_a_canonical_id_without_a_secret_stays_as_it_is() -> None:
    for name in ("vault://prod", "vault://prod/-/secret", "k8s://eks/app/secret/x", "a//b/c/d/"):
        assert masked_id(name) == name
