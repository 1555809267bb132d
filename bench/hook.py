"""Benchmark section: the hook on one small staged file, and what `import scanner.cli` loads."""

from __future__ import annotations

import json
import random
import shutil
import string
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bench import corpora, machine, measure, peers
from bench.measure import Command, Series
from bench.results import Demand, Section, Table, number, ratio, worst

ROUNDS = 21
FILE = "app/settings.py"
BASELINE = ".secrets.baseline"
MODULES = 150
FORBIDDEN = ("detect_secrets", "requests", "rich", "jsonschema", "git", "yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A repository with one staged file. `entries`: of its baseline; 0 = it has none."""

    name: str
    candidate: bool
    entries: int


CASES = (
    Case(name="no candidate line, no baseline", candidate=False, entries=0),
    Case(name="no candidate line, 500 baseline entries", candidate=False, entries=500),
    Case(name="candidate line, 1 baseline entry", candidate=True, entries=1),
    Case(name="candidate line, 500 baseline entries", candidate=True, entries=500),
)
OWN = ("keywatch", "keywatch-staged")


def section() -> Section:
    load = machine.load()
    ours, detect_secrets = peers.keywatch(), peers.detect_secrets()
    others = (peers.betterleaks(), peers.gitleaks(), detect_secrets)
    timed = {case: measure.in_turn(_commands(case, ours, others), ROUNDS) for case in CASES}
    modules = _modules(ours.binary)
    return Section(
        name="hook",
        title="The pre-commit hook",
        intro=_INTRO,
        demands=(
            *(judge(case, series) for case, series in timed.items()),
            *_import_demands(modules),
        ),
        tables=(_table(timed),),
        facts=machine.facts((ours, *others), load),
        raw={
            "modules": modules,
            **{
                case.name: {name: one.raw() for name, one in series.items()}
                for case, series in timed.items()
            },
        },
    )


_INTRO = f"""One staged Python file of 0.9 KB in a repository of a few files. Warm caches; one
warm-up, then {ROUNDS} runs of each tool in turn; medians in milliseconds. `keywatch` is the hook
that is given the file's name, `keywatch-staged` the one that asks git. A candidate line is one
that detect-secrets' plugins have to look at: here a password that the baseline already knows.
detect-secrets-hook is `detect-secrets-hook [--baseline {BASELINE}] FILE`, betterleaks and gitleaks
are `git --staged`. `bare Python` only starts the interpreter."""


def _commands(
    case: Case, ours: peers.Tool, others: tuple[peers.Tool, peers.Tool, peers.Tool]
) -> dict[str, Command]:
    better, git, detect_secrets = others
    folder = repository(case, detect_secrets.binary)
    label = f"hook.{CASES.index(case)}"
    baseline = ("--baseline", BASELINE) if case.entries else ()
    staged = ("git", "--staged", "--no-banner", "--exit-code", "0", ".")
    script = replace(detect_secrets, binary=detect_secrets.binary.with_name("detect-secrets-hook"))

    def of(tool: peers.Tool, *arguments: str) -> Command:
        return tool.command(arguments, folder, label=label, limit=60)

    return {
        "keywatch": of(ours, *HOOK, *baseline, FILE),
        "keywatch-staged": of(ours, *STAGED, *baseline),
        "betterleaks": of(better, *staged),
        "gitleaks": of(git, *staged),
        "detect-secrets-hook": of(script, *baseline, FILE),
        "bare Python": of(ours, "-I", "-c", "pass"),
    }


HOOK = ("-I", "-m", "scanner", "hook", "pre-commit")
STAGED = HOOK  # without a name it asks git what is staged


def repository(case: Case, detect_secrets: Path) -> Path:
    """Create a repository for `case`, with a baseline written by detect-secrets."""
    folder = peers.BUILD / "hook" / f"{CASES.index(case)}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    corpora.run_git(folder, *corpora.INIT)
    rng = random.Random(500)  # noqa: S311 (made up, and the same each time)
    text = _settings(rng, candidate=case.candidate)
    _write(folder / FILE, text)
    for number_ in range(max(0, case.entries - case.candidate) // 20 + 1):
        count = min(20, max(0, case.entries - case.candidate - 20 * number_))
        _write(folder / f"services/service{number_}.py", _secrets(rng, count))
    corpora.commit_all(folder)
    if case.entries:
        _baseline(folder, detect_secrets, case.entries)
        corpora.run_git(folder, "add", BASELINE)
        corpora.run_git(folder, "commit", "-q", "-m", "baseline")
    _write(folder / FILE, text + "# one more line\n")
    corpora.run_git(folder, "add", FILE)
    return folder


def _baseline(folder: Path, detect_secrets: Path, entries: int) -> None:
    done = subprocess.run(
        [str(detect_secrets), "scan"],
        cwd=folder,
        env=peers.environment(),
        check=True,
        capture_output=True,
    )
    found = sum(map(len, json.loads(done.stdout)["results"].values()))
    if found < entries:
        raise peers.BenchError(f"the hook's baseline holds {found} entries, not {entries}")
    (folder / BASELINE).write_bytes(done.stdout)


def _settings(rng: random.Random, *, candidate: bool) -> str:
    """0.9 KB of Python."""
    names = ("host", "port", "timeout", "retries", "workers", "region", "queue", "colour") * 3
    lines = [f"{name}_{n} = options.get({name!r}, {n})\n" for n, name in enumerate(names)]
    secret = f"password = {_random(rng)!r}\n" if candidate else "\n"
    return '"""Settings of a service."""\n\n' + secret + "".join(lines[:23])


def _secrets(rng: random.Random, count: int) -> str:
    return '"""A service."""\n' + "".join(
        f"password_{n} = {_random(rng)!r}\n" for n in range(count)
    )


def _random(rng: random.Random) -> str:
    return "".join(rng.choices(string.ascii_letters + string.digits, k=14))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def judge(case: Case, series: Mapping[str, Series]) -> Demand:
    """Return the limit for one case."""
    peer, limit = ("detect-secrets-hook", 1.0) if case.candidate else ("betterleaks", 0.85)
    other = series[peer].wall if series[peer].good else None
    walls = {name: series[name].wall if series[name].good else None for name in OWN}
    name, value = worst(walls)
    return Demand(
        text=f"{case.name}: wall over {peer}'s, the slower of both hooks ({name})",
        value=None if value is None else ratio(value, [other]),
        limit=limit,
    )


def _modules(python: Path) -> list[str]:
    """Return the modules loaded by `import scanner.cli`; none if the import fails."""
    code = "import scanner.cli, sys; print(*sys.modules, sep='\\n')"
    done = subprocess.run(
        [str(python), "-I", "-c", code],
        env=peers.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return sorted(done.stdout.split())


def _import_demands(modules: list[str]) -> tuple[Demand, ...]:
    heavy = [name for name in FORBIDDEN if name in modules]
    return (
        Demand(
            text="modules loaded by `import scanner.cli`, the interpreter's own included",
            value=len(modules) or None,
            limit=MODULES,
        ),
        Demand(
            text=f"of {', '.join(FORBIDDEN)} among them" + "".join(f": {name}" for name in heavy),
            value=len(heavy) if modules else None,
            limit=0,
        ),
    )


def _table(timed: Mapping[Case, Mapping[str, Series]]) -> Table:
    names = tuple(timed[CASES[0]])
    return Table(
        title="Wall time, milliseconds (and exit code)",
        head=("Case", *names),
        rows=tuple(
            (case.name, *(_cell(series[name]) for name in names)) for case, series in timed.items()
        ),
    )


def _cell(series: Series) -> str:
    if not series.good:
        return series.trouble
    return f"{number(series.wall * 1000)} ({series.runs[-1].code})"
