"""Benchmark: what a section was measured on."""

from __future__ import annotations

import datetime as dt
import os
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path

from bench.peers import Tool, interpreter


def facts(tools: Iterable[Tool], load_before: float) -> dict[str, str]:
    """Date, machine and versions. `load_before` is the load average when the section began."""
    now = dt.datetime.now(tz=dt.UTC)
    versions = ", ".join(f"{tool.name} {tool.version}" for tool in tools)
    return {
        "Date": f"{now:%Y-%m-%d %H:%M} UTC",
        "Machine": f"{_processor()}, {len(os.sched_getaffinity(0))} cores, {_memory():.0f} GB",
        "System": f"Linux {platform.release()}, {_printed(interpreter())} for the tools and"
        f" {platform.python_version()} for the benchmark itself, {_printed('git')}",
        "Tools": versions,
        "Load average when the section began and ended": f"{load_before:.2f}, {load():.2f}",
    }


def commands(tools: Iterable[Tool]) -> dict[str, str]:
    """How each tool was called, in the folder of the tree."""
    return {
        f"Command of {tool.name}": f"`{tool.binary.name} {tool.scan.replace('{out}', 'OUT')}`"
        for tool in tools
    }


def load() -> float:
    return os.getloadavg()[0]


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _memory() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def _printed(program: str | Path) -> str:
    """What a program says of its version."""
    argv = [str(program), "--version"]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()
