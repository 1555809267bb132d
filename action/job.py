"""The action: a job as GitHub describes it, and the ways to answer it.

The event is hostile: whoever opens a pull request writes texts of it.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class RefusedError(Exception):
    """What the action does not do, and what to do instead."""


class Job(NamedTuple):
    """What GitHub says of the run: its variables, the event's payload, the action's inputs."""

    environ: Mapping[str, str]
    payload: Any
    inputs: Mapping[str, str]

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Job:
        try:
            payload = json.loads(Path(environ["GITHUB_EVENT_PATH"]).read_bytes())
        except (OSError, ValueError, RecursionError):
            payload = None  # what is asked of it is then missing
        return cls(environ, payload, json.loads(environ["INPUTS"]))

    @property
    def event(self) -> str:
        return self.environ["GITHUB_EVENT_NAME"]

    @property
    def folder(self) -> Path:
        """What the action writes: gone with the job, and none of the checkout's."""
        return Path(self.environ["RUNNER_TEMP"]) / "keywatch"

    def said(self, *keys: str) -> str:
        """A text of the payload; "" for anything else."""
        value = self.payload
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value if isinstance(value, str) else ""

    def commit(self, *keys: str) -> str:
        oid = self.said(*keys)
        if not _COMMIT.fullmatch(oid):
            raise RefusedError(f"the event names no commit as {'.'.join(keys)}")
        return oid

    def given(self, name: str) -> str:
        return self.inputs.get(name, "").strip()

    @property
    def python(self) -> str:
        """The one that keywatch is installed for."""
        return str(self.folder / "venv" / "bin" / "python")

    def options(self, *names: str) -> list[str]:
        """The options of keywatch that inputs are called after."""
        return [f"--{name}={self.given(name)}" for name in names if self.given(name)]

    def output(self, values: Mapping[str, str]) -> None:
        """Outputs of the step. No value can begin another one."""
        with open(self.environ["GITHUB_OUTPUT"], "a", encoding="utf-8") as file:
            for name, value in values.items():
                end = secrets.token_hex(16)
                file.write(f"{name}<<{end}\n{value}\n{end}\n")


def said(answer: object) -> str:
    """Yes or no, as conditions of action.yml compare it."""
    return "true" if answer else "false"


def error(words: str) -> None:
    """An annotation of the run. What GitHub reads as syntax is escaped."""
    for char, escape in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        words = words.replace(char, escape)
    print(f"::error title=keywatch::{words}", flush=True)
