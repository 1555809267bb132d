"""Runs of `keywatch audit` in this process, over a backend that gives what a test wrote for it."""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from scanner.cli import audit
from scanner.cli.parser import Parser
from scanner.console import Console, show_error
from scanner.errors import KeywatchError
from scanner.inventory.interface import Settings
from scanner.model import Gap, Note
from scanner.records import Dated, Record
from tests.support import small_backend
from tests.support.helpers import write_files
from tests.support.small_backend import Items

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
POLICY = """\
version: 1
secrets:
  - {match: "vault://*/*/secret/app/**", class: api-key, owner: "@sec-oncall", runbook: run.md}
  - {match: "vault://*/*/database/**", class: db-credential}
"""
OPERATOR = """\
backends:
  prod: {kind: vault, script: prod}
  other: {kind: vault, script: other}
"""


class Audited(NamedTuple):
    """A run: its exit code, its JSON report (None where there is none), and what it said."""

    code: int
    report: Any
    out: str
    err: str

    @property
    def findings(self) -> list[tuple[str, str]]:
        """(rule, canonical id) of each finding about a live secret."""
        live = (each for each in self.report["findings"] if "resource" in each)
        return sorted((each["rule"], each["resource"]["id"]) for each in live)

    @property
    def gaps(self) -> list[tuple[str, str]]:
        return [(gap["kind"], gap["path"]) for gap in self.report["gaps"]]

    @property
    def verdicts(self) -> dict[str, str]:
        return {each["id"]: each["verdict"] for each in self.report["live"]["secrets"]}

    @property
    def changes(self) -> list[tuple[str, str]]:
        return [(each["how"], each["id"]) for each in self.report["live"]["changes"]]


def record(name: str, days: float = 1, *, backend: str = "prod", **more: Any) -> Record:
    """A KV secret whose value was set so many days before NOW."""
    when = NOW - timedelta(days=days)
    dated = Dated(earliest=when, latest=when, field="versions[1].created_time")
    words: dict[str, Any] = {"kind": "kv-v2", "dated": dated}
    return Record(id=f"vault://{backend}/-/secret/{name}", **words | more)


def denied(name: str, *, backend: str = "prod") -> Gap:
    path = f"vault://{backend}/-/secret/{name}".rstrip("/")
    return Gap(kind="denied", path=path, reason="no read on metadata")


def gives(**items: Items) -> None:
    """What each backend gives from now on, by its script."""
    for name, each in items.items():
        small_backend.SCRIPTS[name] = functools.partial(_given, each)


def _given(items: Items, _settings: Settings) -> Items:
    return items


def place(root: Path, policy: str = POLICY, operator: str = OPERATOR) -> Path:
    """A repository with a policy, and an operator's file beside it. The repository."""
    write_files(root, {"repository/keywatch.yaml": policy, "operator.yaml": operator})
    return root / "repository"


def run(repository: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> Audited:
    """`keywatch audit` of the repository, with the operator's file beside it."""
    out, err = io.StringIO(), io.StringIO()
    streams = Console(stdin=io.BytesIO(), out=out, err=err, environ=dict(environ or {}))
    parser = Parser(prog="keywatch audit", allow_abbrev=False)
    audit.add_arguments(parser)
    given = (f"--operator={repository.parent / 'operator.yaml'}", *arguments, str(repository))
    try:
        code = audit.run(parser.parse_args(given), streams, small_backend.MODULES)
    except KeywatchError as error:
        show_error(error, streams)
        code = error.exit_code
    text = out.getvalue()
    report = json.loads(text) if text.startswith("{") else None
    return Audited(int(code), report, text, err.getvalue())


def audited(repository: Path, *arguments: str, now: datetime = NOW, **environ: str) -> Audited:
    """The same of `prod` alone, as of `now`, with its JSON report."""
    given = ("--backend=prod", "--report=json=-", f"--now={now.isoformat()}", *arguments)
    return run(repository, *given, environ=environ)


def slowly(items: Items, meanwhile: Any) -> Iterator[Record | Gap | Note]:
    """The items; then what happens before the backend ends."""
    yield from items
    meanwhile()


def settings_of(seen: list[Settings], items: Items) -> None:
    """Let `prod` give the items, and note the settings that it was made with."""

    def script(settings: Settings) -> Items:
        seen.append(settings)
        return items

    small_backend.SCRIPTS["prod"] = script
