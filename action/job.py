"""The action: reads what GitHub says about the job, and writes outputs and annotations.

The event is hostile input: whoever opens a pull request writes some of its texts.
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
    """The action refuses to run. The message says why, and what to do instead."""


class Job(NamedTuple):
    """The environment variables of the job, the payload of the event, the inputs of the action."""

    environ: Mapping[str, str]
    payload: Any
    inputs: Mapping[str, str]

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Job:
        try:
            payload = json.loads(Path(environ["GITHUB_EVENT_PATH"]).read_bytes())
        except (OSError, ValueError, RecursionError):
            payload = None  # `said` then returns "", and `commit` raises RefusedError
        return cls(environ, payload, json.loads(environ["INPUTS"]))

    @property
    def event(self) -> str:
        return self.environ["GITHUB_EVENT_NAME"]

    @property
    def folder(self) -> Path:
        """Where the action writes its files: outside the checkout, and deleted after the job."""
        return Path(self.environ["RUNNER_TEMP"]) / "keywatch"

    def said(self, *keys: str) -> str:
        """The text at these keys of the payload; "" if there is none."""
        value = self.payload
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value if isinstance(value, str) else ""

    def commit(self, *keys: str) -> str:
        """The commit at these keys of the payload. Raises RefusedError if there is none."""
        oid = self.said(*keys)
        if not _COMMIT.fullmatch(oid):
            raise RefusedError(f"the event names no commit as {'.'.join(keys)}")
        return oid

    def given(self, name: str) -> str:
        """The value of an input; "" if it is not set."""
        return self.inputs.get(name, "").strip()

    @property
    def python(self) -> str:
        """The interpreter of the environment in which keywatch is installed."""
        return str(self.folder / "venv" / "bin" / "python")

    def options(self, *names: str) -> list[str]:
        """Pass each of these inputs that is set as the option of the same name."""
        return [f"--{name}={self.given(name)}" for name in names if self.given(name)]

    def output(self, values: Mapping[str, str]) -> None:
        """Write outputs of the step. The random end marks prevent a value from adding an output."""
        with open(self.environ["GITHUB_OUTPUT"], "a", encoding="utf-8") as file:
            for name, value in values.items():
                end = secrets.token_hex(16)
                file.write(f"{name}<<{end}\n{value}\n{end}\n")


def said(answer: object) -> str:
    """Return true or false as the word that the conditions in action.yml compare."""
    return "true" if answer else "false"


def error(words: str) -> None:
    """Print an error annotation. Characters that GitHub would interpret are escaped."""
    for char, escape in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        words = words.replace(char, escape)
    print(f"::error title=keywatch::{words}", flush=True)
