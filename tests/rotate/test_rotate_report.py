"""`keywatch rotate --report`: a rotation that needs somebody becomes an alert, and is resolved."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from scanner.cli import alert, rotate
from scanner.cli.parser import Parser
from scanner.console import Console
from tests.support.openbao import Bao
from tests.support.receivers import http_receiver
from tests.support.rotations import Rotator


def run(command: Any, environ: dict[str, str], *arguments: str) -> tuple[int, str]:
    out = io.StringIO()
    parser = Parser(prog="keywatch", allow_abbrev=False)
    command.add_arguments(parser)
    console = Console(io.BytesIO(), out, out, dict(environ))
    return int(command.run(parser.parse_args(arguments), console)), out.getvalue()


def test_a_rotation_that_fails_is_an_alert_until_it_ends(
    rotator: Rotator, vault: Bao, tmp_path: Path
) -> None:
    vault.put("app/stuck", key="made-up")
    vault.put("app/manual", key="made-up")
    secrets = [f"vault://prod/-/app/{name}" for name in ("stuck", "manual")]
    issuer: dict[str, Any] = rotator.config["rotation"]["issuers"]["theirs"]
    create = issuer["create"]
    issuer["create"] = [sys.executable, "-c", "raise SystemExit(1)"]
    rotator.entries.append({"match": secrets[0], "issuer": "theirs", "field": "key"})
    report = tmp_path / "rotation.json"

    def rotated(*arguments: str, later: float = 0) -> tuple[int, Any]:
        now = (datetime.now(UTC) + timedelta(seconds=10 + later)).isoformat()
        options = (f"--operator={rotator.operator()}", f"--as-of={now}", f"--report={report}")
        place = str(rotator.folder / "repository")
        code, said = run(rotate, rotator.environ, *arguments, *options, place)
        assert report.exists(), said
        return code, json.loads(report.read_bytes())

    def sent() -> list[str]:
        del receiver.bodies[:]
        operator = tmp_path / "alerts.yaml"
        operator.write_text(yaml.safe_dump(config))
        code, said = run(alert, {}, "send", str(report), f"--operator={operator}")
        assert code == 0, said
        return sorted(receiver.titles)

    with http_receiver() as receiver:
        config = {
            "backends": {"prod": {"kind": "vault", "address": vault.address}},
            "alerts": {
                "state": {"file": str(tmp_path / "alerts.json")},
                "channels": {"oncall": {"apprise": f"json://{receiver.address}"}},
                "routes": [{"name": "all", "send": ["oncall"]}],
            },
        }
        code, found = rotated("apply", *(f"--secret={each}" for each in secrets))
        assert code == 1
        assert {(each["rule"], each["context"]) for each in found["findings"]} == {
            ("rotation-stuck", secrets[0]),
            ("rotation-manual", secrets[1]),
        }
        stuck, manual = sent()
        assert "HIGH: Rotation did not get to its end" in stuck
        assert "MEDIUM: Secret is due, and keywatch cannot rotate it" in manual
        issuer["create"] = create
        code, found = rotated("resume", later=1)
        assert (code, found["findings"]) == (0, [])
        (resolved,) = sent()
        assert "RESOLVED" in resolved
        assert "made-up" not in report.read_text()
