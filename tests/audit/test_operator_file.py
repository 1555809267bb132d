"""The operator's file: what it may say, where it may lie, and the classes that hold against all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from scanner.audit import operator_config
from scanner.configuration import operator as operator_file
from scanner.configuration import repository as config
from scanner.configuration.operator import BackendConfig, OperatorConfig
from scanner.console import Console
from scanner.errors import ConfigError, KeywatchError, UsageError
from scanner.policy.declarations.model import period
from scanner.policy.live import minimum_policy
from tests.support.helpers import token, write_files

VAULT: Mapping[str, Any] = {
    "address": {"type": "string", "pattern": "^https://[^/]+$", "description": "As https://host."},
    "mounts": {"type": "array", "items": {"type": "string"}},
    "keys": {"type": "boolean"},
    "auth": {
        "type": "object",
        "additionalProperties": False,
        "properties": {"method": {"enum": ["token"]}, "token_env": {"type": "string"}},
    },
}


def not_installed() -> Mapping[str, Any]:
    pytest.fail("the options of a kind that no backend is of were loaded")


OPTIONS = {"vault": lambda: VAULT, "kubernetes": not_installed}
FILE = """\
backends:
  prod:
    kind: vault
    address: "https://${VAULT_HOST}:${VAULT_PORT}"
    mounts: [secret, "${MOUNT}"]
    keys: true
    auth: {method: token, token_env: VAULT_TOKEN}
"""
ENVIRON = {"VAULT_HOST": "vault.example", "VAULT_PORT": "8200", "MOUNT": "kv"}


def operator(text: str, environ: Mapping[str, str] = ENVIRON, **more: bool) -> OperatorConfig:
    return operator_file.parse(text.encode(), "operator.yaml", environ, OPTIONS, **more)


def test_a_backend_is_its_kind_and_its_options_with_the_variables_filled_in() -> None:
    assert operator(FILE)._replace(digest="") == OperatorConfig(
        backends=(
            BackendConfig(
                name="prod",
                kind="vault",
                options={
                    "address": "https://vault.example:8200",
                    "mounts": ["secret", "kv"],
                    "keys": True,
                    "auth": {"method": "token", "token_env": "VAULT_TOKEN"},
                },
            ),
        ),
        classes={},
    )


@pytest.mark.parametrize("environ", [{}, ENVIRON | {"VAULT_PORT": ""}])
def test_a_variable_that_is_not_set_is_named_with_its_line(environ: dict[str, str]) -> None:
    with pytest.raises(
        ConfigError, match=r"backends\.prod\.address uses the variable VAULT"
    ) as caught:
        operator(FILE, environ)
    assert caught.value.where == "operator.yaml:4"
    assert caught.value.todo.startswith("export VAULT_")


def test_a_variable_in_a_list_is_named_with_its_line() -> None:
    environ = {name: value for name, value in ENVIRON.items() if name != "MOUNT"}
    with pytest.raises(ConfigError, match=r"backends\.prod\.mounts\.1 uses the variable MOUNT"):
        operator(FILE, environ)


@pytest.mark.parametrize("value", ["${VAULT_HOST", "${VAULT-HOST}", "${}", "${VAULT_HOST:-x}"])
def test_what_is_no_named_variable_is_an_error(value: str) -> None:
    with pytest.raises(ConfigError, match="invalid variable"):
        operator(FILE.replace("https://${VAULT_HOST}:${VAULT_PORT}", value))


def test_a_dollar_without_a_brace_and_a_value_with_one_stay_as_they_are() -> None:
    found = operator(FILE.replace("secret,", "$HOME,"), ENVIRON | {"MOUNT": "${VAULT_HOST}"})
    assert found.backends[0].options["mounts"] == ["$HOME", "${VAULT_HOST}"]


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("address:", "adress:", 4, "did you mean address?"),
        ("token_env:", "token:", 7, "did you mean token_env?"),
        ("kind: vault", "kind: valt", 3, "did you mean vault?"),
        ("kind: vault", "name: vault", 2, "add kind: vault"),
        ("prod:", '"a/b":', 1, "letters, digits, dots, hyphens and underscores"),
        ("prod:", "7:", 1, ""),
        ("backends:", "backend:", 1, "did you mean backends?"),
        ("method: token", "method: tokn", 7, "write method: token"),
        ("https://${", "http://${", 4, "As https://host."),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_the_nearest_name(
    old: str, new: str, line: int, says: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        operator(FILE.replace(old, new, 1))
    assert caught.value.where == f"operator.yaml:{line}"
    assert says in caught.value.todo + caught.value.what


def test_no_error_repeats_what_a_variable_holds() -> None:
    with pytest.raises(ConfigError) as caught:
        operator(FILE, ENVIRON | {"VAULT_HOST": f"{token()}/x"})
    assert token() not in f"{caught.value.what} {caught.value.why} {caught.value.todo}"


@pytest.mark.parametrize("text", ["", "[]", "backends: {}", "backends: []", "backends:\n  x: 1"])
def test_a_file_without_a_backend_is_an_error(text: str) -> None:
    with pytest.raises(ConfigError):
        operator(text)


def test_of_a_keywatch_yaml_only_the_backends_are_read() -> None:
    text = f"version: 1\nsecrets: []\nclasses: {{api-key: {{rotate_every: 1h}}}}\n{FILE}"
    found = operator(text, is_policy=True)
    assert (found.backends[0].name, found.classes) == ("prod", {})
    assert config.load(text.encode(), "keywatch.yaml", None).classes["api-key"].rotate_every == 3600
    with pytest.raises(ConfigError, match="backends is missing"):
        operator("version: 1\n", is_policy=True)


# The floor


FLOOR = FILE + "classes:\n  api-key: {rotate_every: P30D, grace: 1d}\n  mine: {rotate_every: 9d}\n"


@pytest.mark.parametrize(
    ("own", "holds", "findings"),
    [
        ("{}", "30d 24h 24h operator.yaml:9", []),
        ("{api-key: {rotate_every: 10d, grace: 1h}}", "10d 1h 1h keywatch.yaml:2", []),
        (
            "{api-key: {rotate_every: 60d, grace: 1h}}",
            "30d 1h 1h operator.yaml:9",
            ["api-key: rotate_every 60d, where the operator allows 30d"],
        ),
        (
            "{api-key: {rotate_every: 10d, overlap: 2d}}",
            "10d 0s 24h operator.yaml:9",
            ["api-key: overlap 2d, where the operator allows 24h"],
        ),
    ],
)
def test_a_repository_may_tighten_the_operators_classes_and_not_loosen_them(
    own: str, holds: str, findings: list[str]
) -> None:
    settings = config.load(f"version: 1\nclasses: {own}\n".encode(), "keywatch.yaml", None)
    limits = operator(FLOOR).classes
    one = minimum_policy.raised(settings.classes, limits)["api-key"]
    spans = " ".join(map(period, (one.rotate_every, one.grace, one.overlap)))
    assert f"{spans} {one.location}" == holds
    found = list(minimum_policy.weakened(settings.own_classes, limits))
    assert [each.detail for each in found] == findings
    assert {(each.rule, each.location.path, each.location.line) for each in found} <= {
        ("policy-weakened", "keywatch.yaml", 2)
    }


def test_a_class_of_the_operator_alone_is_there_for_every_repository() -> None:
    settings = config.load(None, "keywatch.yaml", None)
    held = minimum_policy.raised(settings.classes, operator(FLOOR).classes)
    assert held["mine"].rotate_every == 9 * 86_400
    assert held["db-credential"] == settings.classes["db-credential"]


def test_a_class_of_the_operator_is_checked_like_any() -> None:
    with pytest.raises(ConfigError, match=r"classes.api-key: unknown|unknown key") as caught:
        operator(FLOOR.replace("grace", "graze"))
    assert caught.value.where == "operator.yaml:9"


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        ("{match: vault://x/**, class: api-kee}", "unknown class api-kee"),
        ("{match: somewhere, class: api-key}", "match"),
        ("{class: api-key}", "match"),
        ("{match: vault://x/**, class: api-key, owner: me}", "owner"),
    ],
)
def test_an_entry_of_the_operators_is_checked(entry: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what) as caught:
        operator(f"{FILE}secrets:\n  - {entry}\n")
    assert caught.value.where == "operator.yaml:9"


# Where it may lie


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return write_files(
        tmp_path / "repository",
        {"keywatch.yaml": f"version: 1\n{FILE}", "ops/operator.yaml": FILE},
    )


def read(given: str | None, root: Path, cwd: Path, **environ: str) -> OperatorConfig:
    class Here(Console):
        """The process, in another folder."""

        @property
        def cwd(self) -> str:
            return str(cwd)

    io = Here(*Console.of_process()._replace(environ=ENVIRON | environ))
    return operator_config.read(given, io, str(root), OPTIONS)


def test_it_lies_outside_the_repository(repository: Path, tmp_path: Path) -> None:
    write_files(tmp_path, {"operator.yaml": FILE})
    by_hand = read("../operator.yaml", repository, repository)
    by_variable = read(
        None, repository, tmp_path, KEYWATCH_OPERATOR=str(tmp_path / "operator.yaml")
    )
    assert by_hand.backends[0].options == by_variable.backends[0].options


@pytest.mark.parametrize("given", ["ops/operator.yaml", "ops/../ops/operator.yaml", "link.yaml"])
def test_a_file_of_the_repository_is_refused(repository: Path, tmp_path: Path, given: str) -> None:
    write_files(tmp_path, {"operator.yaml": FILE})
    (repository / "link.yaml").symlink_to(tmp_path / "operator.yaml")
    with pytest.raises(UsageError, match="is inside the audited repository"):
        read(given, repository, repository)


def test_a_link_into_the_repository_is_refused(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "operator.yaml").symlink_to(repository / "ops" / "operator.yaml")
    (tmp_path / "alias").symlink_to(repository)
    (repository / "out").symlink_to(tmp_path / "elsewhere")
    write_files(tmp_path / "elsewhere", {"operator.yaml": FILE})
    for given in ("operator.yaml", "alias/ops/operator.yaml", "alias/out/operator.yaml"):
        with pytest.raises(UsageError, match="is inside the audited repository"):
            read(given, repository, tmp_path)


def test_keywatch_yaml_counts_only_where_it_is_said_by_hand(repository: Path) -> None:
    assert read("keywatch.yaml", repository, repository).backends[0].name == "prod"
    assert read("../keywatch.yaml", repository, repository / "ops").backends[0].name == "prod"
    with pytest.raises(UsageError, match="is inside the audited repository"):
        read(None, repository, repository, KEYWATCH_OPERATOR="keywatch.yaml")


def test_a_keywatch_yaml_that_is_a_link_is_refused(repository: Path, tmp_path: Path) -> None:
    os.replace(repository / "keywatch.yaml", tmp_path / "real.yaml")
    (repository / "keywatch.yaml").symlink_to(tmp_path / "real.yaml")
    with pytest.raises(UsageError, match="is inside the audited repository"):
        read("keywatch.yaml", repository, repository)


def test_none_and_one_that_is_not_there_are_usage_errors(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no operator config was given") as caught:
        read(None, repository, repository)
    assert "--operator FILE or in KEYWATCH_OPERATOR" in caught.value.todo
    with pytest.raises(KeywatchError, match=r"the operator config \.\./x\.yaml cannot be read"):
        read("../x.yaml", repository, repository)
