"""The tree of the source document, as a mapping from path to text, and ways to change it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.helpers import NOW, Keywatch

POLICY = """\
version: 1
secrets:
  - {match: "vault://*/*/secret/agentaskit/api-keys", class: api-key, owner: "@sec-oncall"}
  - {match: "vault://*/*/secret/agentaskit/db-credentials", class: db-credential}
  - {match: "vault://*/*/secret/agentaskit/jwt-signing", class: jwt-signing-key}
services:
  api-gateway:  {vault_role: api-gateway-role, policies: [agentaskit-secrets], needs: [api-key]}
  workers:      {vault_role: worker-role, policies: [agentaskit-secrets], needs: [db-credential]}
  orchestrator: {vault_role: orchestrator-role, policies: [agentaskit-secrets], needs: ["*"]}
"""
VAULT = """\
vault:
  address: ${VAULT_ADDR}
  auth:
    method: kubernetes
    role: agentaskit-production
  secrets:
    - path: secret/data/agentaskit/api-keys
      key: api_key
    - path: secret/data/agentaskit/db-credentials
      key: db_password
    - path: secret/data/agentaskit/jwt-signing
      key: jwt_secret
"""
HOOK = """\
repos:
  - repo: https://github.com/Yelp/detect-secrets
    rev: v1.4.0
    hooks:
      - id: detect-secrets
        args: ['--baseline', '.secrets.baseline']
"""
CI = """\
on: [push]
jobs:
  secrets:
    runs-on: ubuntu-24.04
    steps:
      - run: pip install git+https://github.com/example/keywatch@v0.1.0
      - run: keywatch scan --require-complete
"""
SOURCE_SCRIPT = """\
#!/bin/bash
set -euo pipefail

rotate_api_keys() {
    vault write -f secret/data/agentaskit/api-keys/rotate
    kubectl rollout restart deployment/agentaskit-api
}

rotate_db_credentials() {
    vault write -f database/rotate-role/agentaskit-db
    kubectl rollout restart deployment/agentaskit-workers
}
"""
WHOLE_SCRIPT = """\
#!/bin/bash
vault kv patch secret/agentaskit/api-keys api_key="$(new_key)"
vault write -f database/rotate-role/agentaskit-db
vault kv put -mount=secret agentaskit/jwt-signing jwt_secret=@/run/new
"""
SOURCE = {
    "keywatch.yaml": POLICY,
    "configs/secrets/vault.yaml": VAULT,
    ".pre-commit-config.yaml": HOOK,
    ".secrets.baseline": json.dumps({"version": "1.5.0", "results": {}}),
    ".github/workflows/sec-ci.yml": CI,
    "scripts/rotate_secrets.sh": SOURCE_SCRIPT,
}
"""As the source document has it: a rotation script that does not do what it says."""

WHOLE = SOURCE | {"scripts/rotate_secrets.sh": WHOLE_SCRIPT}
"""The same, with nothing to find."""


class Checked(NamedTuple):
    """A run of `keywatch policy check`: exit code, JSON report (None if there is none), stderr."""

    code: int
    report: Any
    err: str

    @property
    def findings(self) -> list[tuple[str, str, int]]:
        """(rule, path, line) of each finding."""
        return [
            (each["rule"], each["location"]["path"], each["location"]["line"])
            for each in self.report["findings"]
        ]

    @property
    def rules(self) -> list[str]:
        return [rule for rule, _, _ in self.findings]

    def detail(self, rule: str) -> str:
        """What the one finding of a rule says."""
        (found,) = [each["detail"] for each in self.report["findings"] if each["rule"] == rule]
        return str(found)


def check(keywatch: Keywatch, root: Path, *arguments: str) -> Checked:
    """`keywatch policy check` in a folder, with its JSON report."""
    done = keywatch("policy", "check", f"--now={NOW}", "--report=json=-", *arguments, cwd=root)
    err = done.stderr.decode(errors="surrogateescape")
    assert "Traceback" not in err
    assert done.returncode != 4, err
    return Checked(done.returncode, json.loads(done.stdout) if done.stdout else None, err)
