"""Runs of `keywatch rotate` in this process, with crashes between any two actions."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from scanner.audit.backends import BACKENDS
from scanner.console import Console
from scanner.rotate import run
from scanner.rotate.model import Progress, State
from scanner.rotate.run import Applied, ApplyRequest, PlanRequest, Result, ResumeRequest, World

POLICY = """\
version: 1
classes:
  short: {rotate_every: 1s, grace: 1s, overlap: 1h}
secrets:
  - {match: "vault://**", class: short}
  - {match: "aws://**", class: short}
  - {match: "azure://**", class: short}
"""
ISSUER = """\
import json, os, sys
folder, action = sys.argv[1:]
said = json.load(sys.stdin)
assert said["action"] == action
held = lambda: {name: open(os.path.join(folder, name)).read() for name in os.listdir(folder)}
if action == "create":
    value = "issued-" + os.urandom(8).hex()
    with open(os.path.join(folder, said["rotation"]), "w") as file:
        file.write(value)
    print(value)
elif action == "verify":
    sys.exit(said["value"] not in held().values())
elif "value" in said:
    for name, value in held().items():
        if value == said["value"]:
            os.unlink(os.path.join(folder, name))
elif os.path.exists(os.path.join(folder, said["rotation"])):
    os.unlink(os.path.join(folder, said["rotation"]))
"""


class CrashError(BaseException):
    """The process ends here, as far as the rotation is concerned."""


class Crash:
    """A hook that ends the process at the call of this number, or at a moment of this name."""

    def __init__(self, at: int | str) -> None:
        self._at = at
        self._count = 0
        self.moments: list[str] = []

    def __call__(self, moment: str) -> None:
        self.moments.append(moment)
        self._count += 1
        if self._at in (self._count, moment):
            raise CrashError(moment)


class Rotator:
    """A repository, an operator config, and the files of rotations, in one folder."""

    def __init__(
        self, folder: Path, backends: Mapping[str, Any], identities: Mapping[str, Any], **more: Any
    ) -> None:
        self.folder = folder
        self.offset = 0.0
        self.issued = folder / "issued"
        self.issued.mkdir(parents=True)
        (folder / "repository").mkdir()
        (folder / "repository" / "keywatch.yaml").write_text(POLICY)
        (folder / "issuer.py").write_text(ISSUER)
        self.environ: dict[str, str] = dict(os.environ)
        self.config = {
            "backends": dict(backends),
            "rotation": {
                "journal": str(folder / "journal.jsonl"),
                "records": str(folder / "records.jsonl"),
                "identities": dict(identities),
                "issuers": {
                    "ours": {"generate": {"characters": 32}},
                    "theirs": {
                        action: [sys.executable, "-ISc", ISSUER, str(self.issued), action]
                        for action in ("create", "verify", "revoke")
                    },
                },
                "secrets": [],
                **more,
            },
        }

    @property
    def records(self) -> list[Any]:
        path = self.folder / "records.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def entries(self) -> list[Any]:
        found: list[Any] = self.config["rotation"]["secrets"]
        return found

    def operator(self) -> str:
        path = self.folder / "operator.yaml"
        path.write_text(yaml.safe_dump(self.config, sort_keys=False))
        return str(path)

    def world(
        self, hook: Callable[[str], None] = lambda _moment: None, *, later: float = 0
    ) -> World:
        """The clock is `later` from now on: it never goes back, as the journal demands."""
        self.offset += later
        now = datetime.now(UTC) + timedelta(seconds=self.offset)
        console = Console(io.BytesIO(), io.StringIO(), io.StringIO(), dict(self.environ))
        return World(console, BACKENDS, now, real_time=not self.offset, hook=hook)

    def plan(self, *secrets: str, later: float = 10) -> run.Plan:
        request = PlanRequest(str(self.folder / "repository"), self.operator(), secrets)
        return run.make_plan(request, self.world(later=later))

    def apply(
        self, *secrets: str, hook: Callable[[str], None] = lambda _moment: None, urgent: str = ""
    ) -> Applied:
        plan = PlanRequest(str(self.folder / "repository"), self.operator(), secrets)
        reason = "it leaked" if urgent else ""
        return run.apply(ApplyRequest(plan, urgent, reason), self.world(hook))

    def resume(
        self,
        *,
        hook: Callable[[str], None] = lambda _moment: None,
        later: float = 0,
        abandon: tuple[str, ...] = (),
    ) -> Applied:
        request = ResumeRequest(str(self.folder / "repository"), self.operator(), abandon)
        return run.resume(request, self.world(hook, later=later))

    def status(self, *, all_of_them: bool = False) -> tuple[Progress, ...]:
        request = run.StatusRequest(str(self.folder / "repository"), self.operator(), all_of_them)
        return run.status(request, self.world())

    def finish(self, *secrets: str) -> Result:
        """Apply and, when the overlap has ended, resume."""
        applied = self.apply(*secrets)
        (one,) = applied.results
        if one.progress.state is State.WAITING:
            (one,) = self.resume(later=7200).results
        assert one.progress.state is State.FINISHED, one
        return one

    def crashed(self, secret: str, at: int | str, again: int | str = 0) -> list[str]:
        """Apply with a crash, then resume until it has ended. The moments of the first run.

        `again`: the first resume crashes, too.
        """
        hook = Crash(at)
        with contextlib.suppress(CrashError):
            self.apply(secret, hook=hook)
        if again:
            with contextlib.suppress(CrashError):
                self.resume(hook=Crash(again), later=1)
        self.resume(later=2)
        self.resume(later=7200)
        assert self.status() == (), self.status()
        return hook.moments


def vault_backend(address: str, *mounts: str, **more: Any) -> Mapping[str, Any]:
    auth = {"method": "token", "env": "AUDITOR"}
    return {"kind": "vault", "address": address, "auth": auth, "mounts": list(mounts), **more}


ROTATES = {"auth": {"method": "token", "env": "ROTATOR"}}
