"""Run a command of the operator config: no shell, values only through its input and output.

The child's environment has PATH, HOME, LANG and the variables that the operator names. What it
prints is never shown, because it may contain a value.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping
from typing import Any

from scanner.rotate.config import Command
from scanner.rotate.model import RefusedError, StepError, UnknownError

_INHERITED = ("PATH", "HOME", "LANG")
_MAX_OUTPUT = 65_536


def run(command: Command, said: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """Give the command one JSON object; return what it prints, without the final newline.

    UnknownError if it does not end in time; RefusedError if it cannot start or does not end with 0.
    """
    names = (*_INHERITED, *command.environment)
    name = os.path.basename(command.argv[0])
    try:
        process = subprocess.Popen(
            command.argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={each: environ[each] for each in names if each in environ},
            start_new_session=True,
        )
    except OSError as error:
        raise RefusedError(
            f"the command {name} cannot be started: {error.strerror}", "check `issuers`"
        ) from None
    try:
        out, _ = process.communicate(json.dumps(said).encode(), timeout=command.timeout)
    except subprocess.TimeoutExpired:
        raise UnknownError(
            f"the command {name} did not end within {command.timeout} s",
            "find out whether it had an effect, then run keywatch rotate resume",
        ) from None
    finally:
        _end(process)
    if process.returncode:
        raise _failed(name, process.returncode)
    if len(out) > _MAX_OUTPUT:
        raise RefusedError(f"the command {name} printed more than {_MAX_OUTPUT:,} bytes")
    try:
        return out.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise RefusedError(f"the command {name} printed no text") from None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it and its children."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _failed(name: str, code: int) -> StepError:
    return RefusedError(
        f"the command {name} ended with {code}",
        "its output is not shown, because it may contain a value: let it write a log of its own",
    )
