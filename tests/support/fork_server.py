"""Run the command in processes that are forked from one that has already loaded it.

`python -m tests.support.fork_server` reads requests, one line of JSON each, and answers with exit
codes. Each run has its own process, folder, environment and streams, like a run by a user. Loading
the product and starting coverage takes ten times as long as most tests, and happens only once.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from tests.support.forks import MEASURING, Forks

_SECONDS = 120
_STREAMS = ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY))


class CommandResult(subprocess.CompletedProcess[bytes]):
    """A finished run. `seconds` is the processor time of the run and of its child processes."""

    seconds: float


class ForkServer:
    """Start the server process of a checkout, and ask it for runs."""

    def __init__(self, root: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.fork_server"],
            cwd=root,  # where `scanner` is imported from
            env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def run(
        self, arguments: Sequence[str], cwd: Path, environ: Mapping[str, str], stdin: bytes
    ) -> CommandResult:
        with tempfile.TemporaryDirectory(prefix="run-") as folder:
            streams = [Path(folder, name) for name in ("in", "out", "err")]
            for stream, data in zip(streams, (stdin, b"", b""), strict=True):
                stream.write_bytes(data)
            code, seconds = self._ask(
                arguments=arguments,
                cwd=str(cwd),
                environ=dict(environ),
                streams=[str(stream) for stream in streams],
            )
            out, err = (stream.read_bytes() for stream in streams[1:])
        result = CommandResult(list(arguments), code, out, err)
        result.seconds = seconds
        return result

    def _ask(self, **request: Any) -> tuple[int, float]:
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None
        assert answers is not None
        asked.write(json.dumps(request).encode() + b"\n")
        asked.flush()
        code, seconds = json.loads(answers.readline())
        return code, seconds

    def close(self) -> None:
        self._process.communicate()


def _serve() -> None:
    _load()
    with tempfile.TemporaryDirectory(prefix="forks-") as folder:
        _serve_requests(Forks(folder))


def _serve_requests(forks: Forks) -> None:
    for line in sys.stdin.buffer:
        pid = os.fork()
        if not pid:
            request = json.loads(line)
            if MEASURING in request["environ"]:
                _run_command(**request)
            with forks.unmeasured():
                _run_command(**request)
        _, status, used = os.wait4(pid, 0)
        forks.join()
        answer = [os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime]
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _load() -> None:
    """Load the modules that most runs need. Loading them has no side effects."""
    from scanner.cli import allow, baseline, policy, rules, scan  # noqa: F401
    from scanner.detect.engine import engine  # noqa: F401
    from scanner.detect.structure import config_detector, yaml_reader  # noqa: F401
    from scanner.policy import judge  # noqa: F401
    from scanner.report import json  # noqa: F401
    from scanner.report.sarif import sarif  # noqa: F401
    from scanner.report.terminal import terminal  # noqa: F401
    from scanner.scan import work_tree  # noqa: F401


def _run_command(
    arguments: Sequence[str], cwd: str, environ: Mapping[str, str], streams: Sequence[str]
) -> NoReturn:
    """Turn this process into a run of keywatch. The request comes from our own tests, so it is not
    checked."""
    code: object = 1
    try:
        signal.alarm(_SECONDS)
        for (number, flags), path in zip(_STREAMS, streams, strict=True):
            os.dup2(os.open(path, flags), number)
        sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
        os.environ.clear()
        os.environ.update(environ)
        os.chdir(cwd)
        sys.argv = ["keywatch", *arguments]
        from scanner.__main__ import main

        code = main()
        sys.stdout.flush()
        sys.stderr.flush()
    except SystemExit as end:
        code = end.code
    finally:
        os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    _serve()
