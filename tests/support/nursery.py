"""Runs the command line in processes that are forked from one that has loaded it.

`python -m tests.support.nursery` reads requests, one line of JSON each, and answers with exit
codes. Each
run is a process of its own with its own folder, environment and streams, as a user's is; but its
start, and that of the coverage that measures it, is paid once: they take ten times as long as most
of what the tests ask for.
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


class Ended(subprocess.CompletedProcess[bytes]):
    """A run, with the processor time in seconds that it and its own processes took."""

    seconds: float


class Nursery:
    """The other side: keeps the process, and asks it for runs."""

    def __init__(self, root: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.nursery"],
            cwd=root,  # where `scanner` is imported from
            env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def run(
        self, arguments: Sequence[str], cwd: Path, environ: Mapping[str, str], stdin: bytes
    ) -> Ended:
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
        ended = Ended(list(arguments), code, out, err)
        ended.seconds = seconds
        return ended

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
        _answer(Forks(folder))


def _answer(forks: Forks) -> None:
    for line in sys.stdin.buffer:
        pid = os.fork()
        if not pid:
            request = json.loads(line)
            if MEASURING in request["environ"]:
                _become(**request)
            with forks.unmeasured():
                _become(**request)
        _, status, used = os.wait4(pid, 0)
        forks.join()
        answer = [os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime]
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _load() -> None:
    """What most runs load; none of it does anything when it is loaded."""
    from scanner.cli import allow, baseline, policy, rules, scan  # noqa: F401
    from scanner.detect.engine import engine  # noqa: F401
    from scanner.detect.structure import config_detector, yaml_reader  # noqa: F401
    from scanner.policy import judge  # noqa: F401
    from scanner.report import json  # noqa: F401
    from scanner.report.sarif import sarif  # noqa: F401
    from scanner.report.terminal import terminal  # noqa: F401
    from scanner.scan import work_tree  # noqa: F401


def _become(
    arguments: Sequence[str], cwd: str, environ: Mapping[str, str], streams: Sequence[str]
) -> NoReturn:
    """Be a run of keywatch. A request is of our own tests: nothing is checked."""
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
