"""The source document's own configuration has no finding of rules/config; each way to spoil it has.

The texts are those of the document (SEC-SECRETS), which examples/agentaskit holds, too.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from scanner.detect.rules.samples import expand
from tests.support.helpers import Keywatch, scan

ROOT = Path(__file__).resolve().parents[2]
SOURCE = (ROOT / "examples/agentaskit/configs/secrets/vault.yaml").read_text()
ROTATE = """\
#!/bin/bash
set -euo pipefail

rotate_api_keys() {
    vault write -f secret/data/agentaskit/api-keys/ROTATE
    kubectl rollout restart deployment/agentaskit-api
}

rotate_db_credentials() {
    vault write -f database/rotate-role/agentaskit-db
    kubectl rollout restart deployment/agentaskit-workers
}
""".replace("ROTATE", "rotate")
ADDRESS, METHOD = "${VAULT_ADDR}", "method: kubernetes"
ROLE = "    role: agentaskit-production\n"
# What is put in place of what, and the rule that finds it.
MUTATIONS = {
    "address with a token as its parameter": (
        *(ADDRESS, "https://vault.example.com:8200/?token={base62:26}"),
        "secret-store-address-with-login",
    ),
    "address with a token as its user": (
        *(ADDRESS, "https://{base62:26}@vault.example.com:8200"),
        "secret-store-address-with-login",
    ),
    "token of the store's own format": (
        *(ADDRESS, ADDRESS + "\n  token: hvs.{base62:24}"),
        "secret-store-literal-login",
    ),
    "token of the store's own format in auth": (
        *(ROLE, ROLE + "    token: hvs.{base62:24}\n"),
        "secret-store-literal-login",
    ),
    "login by a token that is written out": (
        *(METHOD, "method: token\n    token: {alnum:14}"),
        "secret-store-literal-login",
    ),
    "path without data/": (
        *("secret/data/agentaskit/api-keys", "secret/agentaskit/api-keys"),
        "vault-kv-path-without-data",
    ),
    "default without TLS": (
        *(ADDRESS, "${VAULT_ADDR:-http://vault.example.com:8200}"),
        "secret-store-plain-http",
    ),
    "address without TLS": (
        *(ADDRESS, "http://vault.example.com:8200"),
        "secret-store-plain-http",
    ),
}


def _config_rules() -> set[str]:
    documents = [yaml.safe_load(p.read_bytes()) for p in (ROOT / "rules/config").glob("*.yaml")]
    return {rule["id"] for document in documents for rule in document["rules"]}


def _found(keywatch: Keywatch, folder: Path, files: dict[str, str]) -> list[tuple[str, int]]:
    """The rules of rules/config with a finding in these files, and its line."""
    for name, text in ({".env.example": "VAULT_ADDR=\n"} | files).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    done = scan(keywatch, "--no-git", "--min-confidence=low", cwd=folder)
    found = [(each["rule"], each["location"]["line"]) for each in done.report["findings"]]
    return [each for each in found if each[0] in _config_rules()]


def test_the_document_s_own_configuration_has_no_finding(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    assert ADDRESS in SOURCE
    assert _found(keywatch, tmp_path, {"configs/secrets/vault.yaml": SOURCE}) == []


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_of_it_has_one_finding(keywatch: Keywatch, tmp_path: Path, name: str) -> None:
    old, new, rule = MUTATIONS[name]
    fields = new.replace("${VAULT_ADDR", "${{VAULT_ADDR").replace(":8200}", ":8200}}")
    fields = fields.replace("${{VAULT_ADDR}\n", "${{VAULT_ADDR}}\n")
    text = SOURCE.replace(old, expand(fields, 0), 1)
    assert text != SOURCE
    found = _found(keywatch, tmp_path, {"configs/secrets/vault.yaml": text})
    assert [each for each, _ in found] == [rule]


def test_its_rotation_script_is_a_finding_where_it_rotates_nothing(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    found = _found(keywatch, tmp_path, {"scripts/rotate_secrets.sh": ROTATE})
    assert found == [("vault-rotation-without-effect", 5)]
