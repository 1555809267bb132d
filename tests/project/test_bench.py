"""The pure parts of the benchmark, and its measuring of one small process tree."""

from __future__ import annotations

import dataclasses
import io
import os
import sys
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bench import audit, corpora, helm, hook, hostile, limits, measure, results
from bench.measure import Command, Run, Series
from bench.results import Demand, Section, Table

linux = pytest.mark.skipif(sys.platform != "linux", reason="measuring reads /proc")


def python(code: str, *arguments: str, limit: float = 30.0) -> Command:
    return Command(
        argv=(sys.executable, "-I", "-S", "-c", code, *arguments),
        cwd=Path.cwd(),
        env={"PATH": os.defpath},
        limit=limit,
    )


def took(*walls: float, good: bool = True) -> Series:
    return Series(
        runs=tuple(Run(wall=wall, cpu=wall, code=0 if good else 2, good=good) for wall in walls)
    )


@pytest.mark.parametrize(
    ("value", "at_least", "verdict"),
    [
        (0.5, False, "met"),
        (0.4, False, "met, with the aim"),
        (0.51, False, "NOT MET"),
        (None, False, "NOT MET (not measured)"),
        (0.3, True, "NOT MET"),
        (0.6, True, "met, with the aim"),
    ],
)
def test_a_demand_is_met_at_its_limit_and_never_without_a_number(
    value: float | None, at_least: bool, verdict: str
) -> None:
    demand = Demand(text="", value=value, limit=0.5, at_least=at_least, aim=0.4)
    assert demand.verdict == verdict
    assert demand.met == (not verdict.startswith("NOT"))


def test_the_fastest_peer_is_what_counts_and_a_failed_one_does_not() -> None:
    assert results.ratio(1.0, [4.0, None, 2.0]) == 0.5
    assert results.ratio(1.0, [None]) is None


def test_the_worst_tree_is_named_and_a_tree_that_was_not_measured_is_the_worst() -> None:
    assert results.worst({"a": 1.0, "b": 3.0, "c": 2.0}) == ("b", 3.0)
    assert results.worst({"a": 1.0, "b": 3.0}, least=True) == ("a", 1.0)
    assert results.worst({"a": 9.0, "b": None}) == ("b", None)
    assert results.worst({})[1] is None


def test_a_series_is_its_median_and_says_what_went_wrong() -> None:
    assert took(3.0, 1.0, 2.0).wall == 2.0
    assert took(1.0, good=False).trouble == "exit 2"
    stopped = Series(runs=(Run(wall=9.0, cpu=0.0, code=None, good=False),))
    assert stopped.trouble == "stopped at the limit"
    assert not Series(runs=()).good


def test_the_page_gives_each_demand_with_number_limit_and_verdict() -> None:
    page = results.page([SECTION])
    assert "**1 of 2 demands met.**" in page
    assert "| wall over the fastest peer's | 0.450 | ≤ 0.500 (aim 0.400) | met |" in page
    assert "| memory | 321 MB | ≤ 200 MB | NOT MET |" in page
    assert "| a\\|b | 1 |" in page


def test_a_section_that_another_machine_measured_stays_on_the_page() -> None:
    before = results.page([SECTION])
    after = results.page([dataclasses.replace(SECTION, name="other", title="Another")], before)
    assert (f"## {SECTION.title}\n" in after, "## Another\n" in after) == (True, True)
    assert results.page([SECTION], before) == before


def test_a_section_comes_back_from_disk_as_it_was(tmp_path: Path) -> None:
    results.save(tmp_path, SECTION)
    assert results.load(tmp_path, SECTION.name) == SECTION
    assert results.load(tmp_path, "other") is None


SECTION = Section(
    name="trees",
    title="Trees",
    intro="What was done.",
    demands=(
        Demand(text="wall over the fastest peer's", value=0.45, limit=0.5, aim=0.4),
        Demand(text="memory", value=321.4, limit=200, unit=" MB"),
    ),
    tables=(Table(title="Times", head=("Tree", "s"), rows=(("a|b", "1"),)),),
    facts={"Date": "today"},
    raw={"numbers": [1, 2]},
)


@linux
def test_an_exit_code_that_is_not_expected_is_not_good() -> None:
    command = python("raise SystemExit(3)")
    assert not measure.run(command).good
    assert measure.run(replace(command, ok=frozenset({3}))).good


@linux
def test_a_command_that_fails_while_warming_up_is_not_timed() -> None:
    series = measure.in_turn({"bad": python("raise SystemExit(3)"), "good": python("")}, 2)
    assert [len(series[name].runs) for name in ("bad", "good")] == [1, 2]
    assert not series["bad"].good


@linux
def test_cpu_counts_children_and_orphans_that_nobody_waited_for() -> None:
    burn = "import time\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass\n"
    fork = "import os, time\nif os.fork() == 0:\n  if os.fork():\n    os._exit(0)\n"
    indented = "".join(f"  {line}\n" for line in burn.splitlines())
    waits = f"{fork}{indented}  os._exit(0)\n{burn}time.sleep(0.5)"
    assert measure.run(python(burn)).cpu == pytest.approx(0.2, abs=0.1)
    assert measure.run(python(waits)).cpu == pytest.approx(0.4, abs=0.15)


@linux
def test_a_command_over_its_limit_is_ended_with_its_children(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = (
        "import os, sys, time\nchild = os.fork()\n"
        "if child: open(sys.argv[1], 'w').write(str(child))\ntime.sleep(60)"
    )
    start = time.monotonic()
    run = measure.run(python(code, str(note), limit=0.5))
    assert (run.code, run.good) == (None, False)
    assert time.monotonic() - start < 10
    assert not Path(f"/proc/{note.read_text()}").exists()


@linux
def test_memory_is_summed_over_all_processes_of_a_command() -> None:
    # Every page is written, and nothing is copied on the way: a copy would count at its moment.
    hold = "block = bytearray(40_000_000)\nblock[::4096] = b'x' * 9766\ntime.sleep(0.6)"
    run = measure.run(python(f"import os, time\nos.fork()\n{hold}"), sample=True)
    assert 80e6 <= run.peak < 160e6
    assert run.processes == 2


def test_an_archive_writes_nothing_outside_its_folder(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("../evil.txt", "good.txt"):
            member = tarfile.TarInfo(name)
            member.size = 2
            tar.addfile(member, io.BytesIO(b"hi"))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    corpora.extract(archive, tmp_path / "inner" / "tree")
    assert [path.name for path in (tmp_path / "inner").rglob("*")] == ["tree", "good.txt"]
    assert not (tmp_path / "evil.txt").exists()


def test_the_first_charts_of_a_large_tree_are_those_of_a_small_one(tmp_path: Path) -> None:
    small, large = (contents(tmp_path / str(charts), charts) for charts in (1, 2))
    assert small
    assert small.items() < large.items()


def contents(folder: Path, charts: int) -> dict[Path, bytes]:
    helm.write_tree(folder, charts)
    files = corpora.regular_files(folder)
    return {path.relative_to(folder): path.read_bytes() for path in files}


def test_a_planted_file_is_accounted_for_by_a_finding_a_skip_or_a_gap() -> None:
    report = {
        "findings": [{"location": {"path": "a"}}, {"location": {"path": "a"}}],
        "skips": [{"path": "b"}],
        "gaps": [{"path": "elsewhere"}],
    }
    assert limits.verdict(report, frozenset({"a", "b"})) == "1 finding, 1 skip"
    assert limits.verdict(report, frozenset({"a", "c"})) == "MISSED c"


@pytest.mark.parametrize("shape", [hostile.deep_folders, hostile.deep_structures, hostile.spaces])
def test_each_hostile_shape_holds_the_token_in_every_file_that_is_expected(
    shape: hostile.Shape, tmp_path: Path
) -> None:
    shape(tmp_path)
    planted = limits.planted(tmp_path)
    assert planted
    assert all(hostile.token() in (tmp_path / name).read_bytes() for name in planted)


def test_the_slower_of_both_hooks_is_judged_and_detect_secrets_where_it_has_work() -> None:
    series = {
        "keywatch": took(0.02),
        "keywatch-staged": took(0.03),
        "betterleaks": took(0.06),
        "detect-secrets-hook": took(0.3),
    }
    clean, candidate = (hook.judge(case, series) for case in (hook.CASES[0], hook.CASES[2]))
    assert (clean.row()[1], clean.limit) == ("0.500", 0.85)
    assert (candidate.row()[1], candidate.limit) == ("0.100", 1.0)
    failed = hook.judge(hook.CASES[0], series | {"keywatch": took(0.001, good=False)})
    assert not failed.met


def test_an_audit_is_judged_by_its_wall_its_memory_and_what_ten_times_the_records_add() -> None:
    def took_up(peak: int) -> Series:
        return Series(runs=(Run(wall=9.0, cpu=9.0, code=0, good=True, peak=peak),))

    timed = {"keywatch": took(1.2), "bare": took(1.0)}
    demands = audit.judge(timed, took_up(50_000_000), took_up(62_000_000))
    assert [demand.row()[1] for demand in demands] == ["1.20", "62.0 MB", "12.0 MB"]
    assert [demand.met for demand in demands] == [True, True, False]
    failed = audit.judge(timed | {"bare": took(0.1, good=False)}, took_up(1), Series(runs=()))
    assert not any(demand.met for demand in failed)
