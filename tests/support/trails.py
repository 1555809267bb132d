"""Run `keywatch trail` in the test's own process, and look at its JSON report."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from scanner.cli import trail as command
from scanner.cli.parser import Parser
from scanner.console import Console

POLICY = """\
version: 1
secrets:
  - {match: "vault://*/*/secret/agentaskit/api-keys", class: api-key, owner: "@sec-oncall"}
  - {match: "vault://*/*/secret/agentaskit/db-credentials", class: db-credential}
services:
  api-gateway: {vault_role: api-gateway-role, policies: [api-gateway], needs: [api-key]}
  workers: {vault_role: worker-role, policies: [workers], needs: [db-credential, api-key]}
  orchestrator: {vault_role: orchestrator-role, policies: [orchestrator], needs: ["*"]}
"""
NOW = "2026-12-01T00:00:00Z"


class Done(NamedTuple):
    """A run: its exit code, its JSON report, and everything that it printed."""

    code: int
    report: Any
    printed: str

    @property
    def rules(self) -> set[str]:
        return {each["rule"] for each in self.report["findings"]}

    @property
    def found(self) -> set[tuple[str, str]]:
        return {(each["rule"], each["context"]) for each in self.report["findings"]}

    @property
    def gaps(self) -> dict[str, str]:
        return {each["kind"]: each["reason"] for each in self.report["gaps"]}

    @property
    def notes(self) -> str:
        return "\n".join(each["text"] for each in self.report["notes"])

    def finding(self, rule: str) -> Any:
        (one,) = (each for each in self.report["findings"] if each["rule"] == rule)
        return one


def run(folder: Path, *options: str, stdin: bytes = b"", now: str = NOW) -> Done:
    """`keywatch trail` with these options. The policy is `folder`/keywatch.yaml."""
    out, report = io.StringIO(), folder / "report.json"
    console = Console(stdin=io.BytesIO(stdin), out=out, err=out, environ={})
    parser = Parser(prog="keywatch trail")
    command.add_arguments(parser)
    argv = ["--repository", str(folder), "--backend", "prod", *options]
    if "--now" not in options:
        argv += ["--now", now]
    args = parser.parse_args([*argv, "--report", f"json={report}"])
    code = command.run(args, console)
    found = json.loads(report.read_bytes()) if report.exists() else None
    return Done(code, found, out.getvalue())


def trail(folder: Path, lines: Iterable[bytes], *options: str, now: str = NOW) -> Done:
    """The same for one log of these lines, under the example's policy."""
    policy = folder / "keywatch.yaml"
    if not policy.exists():
        policy.write_text(POLICY)
    log = folder / "audit.log"
    log.write_bytes(b"".join(lines))
    return run(folder, str(log), *options, now=now)
