"""`keywatch fix --templates`: literals in configuration become references, and nothing else moves.

tests/fix_cases.txt holds files before and after, with `§` for a made-up value, another each time.
"""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from scanner.detect.fixes import FixedFile, Hunk
from scanner.detect.fixes.edits import NOT_SET
from scanner.detect.rules.samples import expand
from scanner.fix import text as fix_text
from tests.support.helpers import NOW, Keywatch
from tests.support.repositories import Repository, Result

MARK = "§"
CASES = Path(__file__).parents[1] / "data" / "fix_cases.txt"


class Case(NamedTuple):
    path: str
    before: str
    after: str
    example: str


def cases() -> dict[str, Case]:
    parts = re.split(r"(?m)^=== (.+)\n", CASES.read_text(encoding="utf-8"))
    found = {}
    for header, before, _, after, _, example in zip(
        *(parts[index::6] for index in range(1, 7)), strict=True
    ):
        name, _, path = header.rpartition(": ")
        found[name] = Case(path, before, after, example)
    return found


def made(count: int) -> list[str]:
    """Made-up passwords."""
    return [expand("{alnum:6}{ALNUM:4}{digits:4}", seed) for seed in range(count)]


def filled(text: str) -> tuple[str, list[str]]:
    """The text with made-up values, and the values."""
    values = made(text.count(MARK))
    parts = zip(text.split(MARK), [*values, ""], strict=True)
    return "".join(part + value for part, value in parts), values


@pytest.fixture
def repo(tmp_path: Path, keywatch: Keywatch) -> Repository:
    return Repository(tmp_path / "repo", keywatch)


def fix(repo: Repository, *arguments: str) -> Result:
    return repo.keywatch("fix", "--templates", "--now", NOW, *arguments)


def written(repo: Repository, path: str, text: str) -> list[str]:
    """A file with made-up values; the values."""
    text, values = filled(text)
    repo.write({path: text})
    return values


def shows_a_part(text: str, values: Sequence[str]) -> bool:
    return any(value[i : i + 4] in text for value in values for i in range(len(value) - 3))


@pytest.mark.parametrize("name", cases())
def test_a_literal_becomes_a_reference_and_nothing_else_changes(
    repo: Repository, name: str
) -> None:
    case = cases()[name]
    values = written(repo, case.path, case.before)
    file = repo.root / case.path
    file.chmod(0o640)
    before = file.read_bytes()

    dry = fix(repo)
    assert (dry.code, dry.err) == (1, "")
    assert file.read_bytes() == before
    assert not (repo.root / ".env.example").exists()
    assert not shows_a_part(dry.out, values)

    done = fix(repo, "--write")
    assert file.read_bytes().decode() == case.after
    assert (done.code, done.err) == (0, "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert not shows_a_part(done.out, values)
    names = repo.root / ".env.example"
    assert (names.read_text() if names.exists() else "") == case.example

    assert fix(repo, "--write") == (0, "nothing to fix\n", "")
    assert file.read_bytes().decode() == case.after
    assert {path for path, _ in repo.findings()} <= {".env.sample"}  # nothing else uses its names


# What is said


def test_a_diff_is_shown_and_what_to_revoke(repo: Repository) -> None:
    written(repo, "app.yaml", "db:\n  password: §  # why\n")
    lines = fix(repo).out.splitlines()
    assert lines[:10] == [
        "--- app.yaml",
        "+++ app.yaml",
        "@@ -2 +2 @@",
        "-  password: (14 characters)  # why",
        "+  password: ${DB_PASSWORD}  # why",
        "",
        "--- /dev/null",
        "+++ .env.example",
        "@@ -0,0 +1 @@",
        "+DB_PASSWORD=",
    ]
    assert (
        "revoke the old values, because git's history and every clone still contain them:" in lines
    )
    assert "    app.yaml:2  password" in lines
    assert lines[-1] == "1 value in configuration · 2 files would change; --write changes them"


def test_a_terminal_shows_it_in_colours() -> None:
    hunk = Hunk(line=1, new_line=1, old=("a: (9 characters)",), new=("a: ${A}",))
    file = fix_text.File("a.yaml", b"", FixedFile(b"", (hunk,), (), ()))
    text = fix_text.text([file], [], {}, written=False, color=True)
    assert "\x1b[31m-a: (9 characters)\x1b[0m\n\x1b[32m+a: ${A}\x1b[0m\n" in text


def test_lines_that_go_and_lines_that_come_are_counted(repo: Repository) -> None:
    case = cases()["terraform"]
    written(repo, case.path, case.before)
    assert "@@ -8 +7,0 @@\n-  default = (14 characters)\n" in fix(repo).out.replace('"', "")
    case = cases()["kubernetes"]
    written(repo, case.path, case.before)
    assert "@@ -11 +11,4 @@" in fix(repo, "deploy").out


def test_a_clean_repository_has_nothing_to_fix(repo: Repository) -> None:
    repo.write({"app.yaml": "db:\n  password: ${DB_PASSWORD}\n", ".env.example": "DB_PASSWORD=\n"})
    assert fix(repo) == (0, "nothing to fix\n", "")


def test_what_to_fix_must_be_said_and_lie_on_disk(repo: Repository) -> None:
    repo.write({"app.yaml": "a: 1\n"})
    refused = repo.keywatch("fix", "--write")
    assert (refused.code, refused.out) == (2, "")
    assert "add --templates" in refused.err
    assert fix(repo, "--staged").code == 2


# What stays


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        (".env", "DB_PASSWORD=§\n", "values belong in .env files"),
        ("prod.tfvars", 'db_password = "§"\n', "a tfvars file cannot reference a variable"),
        ("app.py", 'password = "§"\n', "its file is not a configuration file"),
        ("Makefile", "DB_PASSWORD = §\n", "make takes variables from the environment"),
        (
            "secret.yaml",
            "apiVersion: v1\nkind: Secret\nstringData:\n  password: §\n",
            "a Secret manifest cannot reference a value",
        ),
        (
            "map.yaml",
            "apiVersion: v1\nkind: ConfigMap\ndata:\n  DB_PASSWORD: §\n",
            "Kubernetes expands no variables here",
        ),
        (
            "stack.yaml",
            "AWSTemplateFormatVersion: 2010-09-09\nResources:\n  Db:\n    MasterPassword: §\n",
            "CloudFormation takes",
        ),
        ("Dockerfile", "FROM a\nRUN API_TOKEN=§ make\n", "a RUN step takes secrets from"),
        ("vars.yml.j2", "password: \"{{ '§' | b64encode }}\"\n", "it is part of an expression"),
        ("main.tf", 'locals {\n  password = coalesce(var.a, "§")\n}\n', "part of an expression"),
        ("vault.hcl", 'storage "a" {\n  password = "§"\n}\n', "this file expands no variables"),
        ("run.sh", "sh -c 'DB_PASSWORD=§ run'\n", "single quotes"),
        ("a.yaml", "a: [\npassword: §\n", "its file could not be parsed"),
        ("c.yaml", "# password: §\na: 1\n", "it is not in the value of a setting"),
    ],
)
def test_what_cannot_name_a_value_stays_and_says_why(
    repo: Repository, path: str, text: str, reason: str
) -> None:
    values = written(repo, path, text)
    before = repo.text(path)
    left = fix(repo, "--write")
    assert (left.code, left.err) == (1, "")
    assert "not fixed:" in left.out
    assert reason in left.out
    assert repo.text(path) == before
    assert not shows_a_part(left.out, values)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("containers: [{args: ['--password=§']}]", "write $(NAME) here"),
        ("initContainers: [{command: [sh, -c, 'mysql --password=§']}]", "write $(NAME) here"),
        (
            "containers: [{livenessProbe: {exec: {command: [mysqladmin, --password=§]}}}]",
            "Kubernetes expands no variables here",
        ),
    ],
)
def test_a_container_is_told_to_name_its_variable_only_where_kubernetes_expands_it(
    repo: Repository, place: str, reason: str
) -> None:
    written(repo, "pod.yaml", f"apiVersion: v1\nkind: Pod\nspec:\n  {place}\n")
    before = repo.text("pod.yaml")
    left = fix(repo, "--write")
    assert (left.code, reason in left.out) == (1, True)
    assert repo.text("pod.yaml") == before


def test_a_rule_that_is_about_no_value_gives_its_own_advice(repo: Repository) -> None:
    written(repo, "a.yaml", "password: ${DB_PASSWORD\n")
    left = fix(repo, "--write")
    assert (left.code, repo.text("a.yaml")) == (1, "password: ${DB_PASSWORD\n")
    assert "Write the reference in the file's own syntax" in left.out


def test_what_an_exception_or_a_baseline_covers_stays_unless_it_is_asked_for(
    repo: Repository,
) -> None:
    written(repo, "a.yaml", "password: §\n")
    repo.keywatch("baseline", "create", "--now", NOW)
    before = repo.text("a.yaml")
    said = "nothing to fix; 1 finding covered, see --covered\n"
    assert fix(repo, "--write") == (0, said, "")
    assert repo.text("a.yaml") == before
    assert fix(repo, "--write", "--covered").code == 0
    assert repo.text("a.yaml") == "password: ${PASSWORD}\n"


def test_only_the_paths_that_are_named_are_changed(repo: Repository) -> None:
    written(repo, "a/one.yaml", "password: §\n")
    written(repo, "b/two.yaml", "password: §\n")
    before = repo.text("b/two.yaml")
    assert fix(repo, "--write", "a").code == 0
    assert repo.text("a/one.yaml") == "password: ${PASSWORD}\n"
    assert repo.text("b/two.yaml") == before


def test_one_of_several_keeps_the_others_from_nothing(repo: Repository) -> None:
    written(repo, "a.yaml", "password: §\nlist:\n  - !!binary §\n  - {api_token: §}\nkey: |\n  a\n")
    fix(repo, "--write")
    assert "password: ${PASSWORD}\n" in repo.text("a.yaml")
    assert '{api_token: "${LIST_API_TOKEN}"}\n' in repo.text("a.yaml")


# Names


def test_the_names_of_a_committed_env_file_are_kept_for_its_example(repo: Repository) -> None:
    written(repo, ".env", "DB_PASSWORD=§\nDEBUG=1\n")
    assert fix(repo, "--write").code == 1
    assert repo.text(".env.example") == "DB_PASSWORD=\n"


def test_an_example_keeps_what_it_has(repo: Repository) -> None:
    written(repo, "a.yaml", "password: §\napi_token: §\n")
    old = b"# all of them\r\nexport PASSWORD=\r\nPORT=80"
    (repo.root / ".env.example").write_bytes(old)
    assert fix(repo, "--write").code == 0
    assert (repo.root / ".env.example").read_bytes() == old + b"\r\nAPI_TOKEN=\r\n"


def test_one_value_has_one_name_and_two_values_have_two(repo: Repository) -> None:
    one, other = made(2)
    for name, value in (("a", one), ("b", one), ("c", other)):
        repo.write({f"{name}.json": json.dumps({"password": value})})
    assert fix(repo, "--write").code == 0
    found = [json.loads(repo.text(f"{name}.json"))["password"] for name in "abc"]
    assert found == ["${PASSWORD}", "${PASSWORD}", "${PASSWORD_2}"]


def test_a_value_that_has_a_variable_is_named_by_it_elsewhere(repo: Repository) -> None:
    (value,) = made(1)
    lines = ["services:", "  a:", "    image: x", "    environment:", f"      DB_PASSWORD: {value}"]
    url = f"      DATABASE_URL: postgres://app:{value}@db.internal/app"
    repo.write({"compose.yaml": "\n".join([*lines, url, ""])})
    assert fix(repo, "--write").code == 0
    assert f"postgres://app:${{DB_PASSWORD{NOT_SET}}}@db" in repo.text("compose.yaml")
    assert repo.text(".env.example") == "DB_PASSWORD=\n"


def test_no_variable_of_the_system_is_taken(repo: Repository) -> None:
    repo.write({"a.ini": f"PWD={made(1)[0]}\n"})
    assert fix(repo, "--write").code == 0
    assert repo.text("a.ini") == "PWD=${SECRET_PWD}\n"


# Values in other text


def test_a_known_format_in_a_value_is_replaced_too(repo: Repository) -> None:
    token = expand("ghp_{base62:30}{crc32}", 5)
    repo.write({"a.yaml": f"headers:\n  x-thing: 'Bearer {token}'\n"})
    assert fix(repo, "--write").code == 0
    assert repo.text("a.yaml") == "headers:\n  x-thing: 'Bearer ${HEADERS_X_THING}'\n"


def test_a_value_with_a_literal_part_is_replaced_as_a_whole(repo: Repository) -> None:
    values = written(repo, "a.yaml", 'password: "§${SUFFIX}§"\n')
    done = fix(repo, "--write")
    assert repo.text("a.yaml") == 'password: "${PASSWORD}"\n'
    assert not shows_a_part(done.out, values)


def test_a_copy_of_the_value_in_a_comment_is_masked_too(repo: Repository) -> None:
    (value,) = made(1)
    repo.write({"a.yaml": f"password: {value}  # was not {value}\n"})
    assert not shows_a_part(fix(repo).out, [value])


def test_of_a_long_line_only_the_surroundings_are_shown(repo: Repository) -> None:
    rest = ", ".join(f'"k{i}": {i}' for i in range(5000))
    values = written(repo, "a.json", f'{{{rest}, "password": "§", {rest}}}\n')
    shown = fix(repo).out
    assert max(map(len, shown.splitlines())) < 400
    assert '"password": "${PASSWORD}"' in shown
    assert not shows_a_part(shown, values)


# A hostile repository


def test_a_file_in_utf_16_stays(repo: Repository) -> None:
    text = filled("password: §\n")[0].encode("utf-16")
    (repo.root / "a.yaml").write_bytes(text)
    left = fix(repo, "--write")
    assert (left.code, "the file is not in UTF-8" in left.out) == (1, True)
    assert (repo.root / "a.yaml").read_bytes() == text


def test_bytes_that_are_no_utf_8_and_a_byte_order_mark_stay(repo: Repository) -> None:
    (value,) = made(1)
    head = b"\xef\xbb\xbfcaf\xe9 \xff: 1\r\nname: \xe9\r\n"
    text = head + f"db: {{\xf6: \u00fc, password: {value}}}\r\n".encode()
    (repo.root / "a.yaml").write_bytes(text)
    assert fix(repo, "--write").code == 0
    assert (repo.root / "a.yaml").read_bytes() == text.replace(value.encode(), b'"${DB_PASSWORD}"')


def test_a_link_as_env_example_is_neither_followed_nor_replaced(
    repo: Repository, tmp_path: Path
) -> None:
    written(repo, "a.yaml", "password: §\n")
    before = repo.text("a.yaml")
    outside = tmp_path / "outside"
    outside.write_text("mine\n")
    (repo.root / ".env.example").symlink_to(outside)
    refused = fix(repo, "--write")
    assert refused.code == 2
    assert ".env.example" in refused.err
    assert outside.read_text() == "mine\n"
    assert (repo.root / ".env.example").is_symlink()
    assert repo.text("a.yaml") == before


def test_files_behind_links_stay(repo: Repository, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.yaml").write_text(filled("password: §\n")[0])
    before = (outside / "a.yaml").read_text()
    (repo.root / "linked").symlink_to(outside)
    (repo.root / "a.yaml").symlink_to(outside / "a.yaml")
    assert fix(repo, "--write", "--no-git") == (0, "nothing to fix\n", "")
    assert (outside / "a.yaml").read_text() == before


def test_a_name_that_holds_a_secret_or_terminal_commands_is_shown_harmlessly(
    repo: Repository,
) -> None:
    token = expand("ghp_{base62:30}{crc32}", 5)
    written(repo, f"{token}.yaml", "password: §\n")
    written(repo, "a\x1b[2J.yaml", "password: §\n")
    done = fix(repo, "--write")
    assert "\x1b" not in done.out
    assert not shows_a_part(done.out, [token[4:]])
    assert "the file's name contains a secret" in done.out


def test_a_hostile_key_makes_a_harmless_name(repo: Repository) -> None:
    written(repo, "a.yaml", '"$(touch x)\\n::set-env": {password: §}\n')
    done = fix(repo, "--write")
    names = repo.text(".env.example").splitlines()
    assert names
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]*=", name) for name in names)
    assert "\n::" not in done.out


def test_a_file_that_cannot_be_written_is_listed(repo: Repository) -> None:
    values = written(repo, "a/one.yaml", "password: §\n")
    (repo.root / "a").chmod(0o555)
    try:
        left = fix(repo, "--write")
    finally:
        (repo.root / "a").chmod(0o755)
    if (repo.root / "a" / "one.yaml").read_text() == "password: ${PASSWORD}\n":
        pytest.skip("this user may write everywhere")
    assert left.code == 1
    assert "it could not be written" in left.out
    assert not shows_a_part(left.out, values)
