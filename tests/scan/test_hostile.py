"""A scanned repository is hostile: nothing of it runs, nothing is written outside, and it ends."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from scanner.errors import UsageError
from scanner.inputs.git import commands as our_git
from tests.support.helpers import IDENTITY, Keywatch, git, leak, repository, scan, token

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return repository(tmp_path / "repo")


class Trap(NamedTuple):
    """A program that leaves a mark where it was run."""

    program: Path
    mark: Path

    def check(self) -> None:
        assert not self.mark.exists(), self.mark.read_text()


@pytest.fixture
def trap(tmp_path: Path) -> Trap:
    program, mark = tmp_path / "trap", tmp_path / "mark"
    program.write_text(f'#!/bin/sh\necho "$0 $*" >>"{mark}"\ncat\n')
    program.chmod(0o755)
    return Trap(program, mark)


HOOKS = (
    *("applypatch-msg", "pre-applypatch", "post-applypatch", "pre-commit", "commit-msg"),
    *("prepare-commit-msg", "post-commit", "pre-rebase", "post-checkout", "post-merge", "pre-push"),
    *("pre-receive", "update", "post-receive", "post-update", "reference-transaction"),
    *("push-to-checkout", "pre-auto-gc", "post-rewrite", "sendemail-validate"),
    *("fsmonitor-watchman", "p4-pre-submit", "post-index-change", "proc-receive"),
)


def arm(repo: Path, trap: Trap) -> None:
    """A configuration in which everything that git can be told to run is the trap."""
    run = str(trap.program)
    hooks = repo / "all-hooks"
    hooks.mkdir()
    for folder in (hooks, repo / ".git/hooks"):
        for name in HOOKS:
            (folder / name).symlink_to(trap.program)
    (repo / ".git/more").write_text(f"[core]\n\tfsmonitor = {run}\n")
    settings = {
        "core.fsmonitor": run,
        "core.hooksPath": str(hooks),
        "core.pager": run,
        "core.editor": run,
        "core.askPass": run,
        "core.sshCommand": run,
        "core.gitProxy": run,
        "core.alternateRefsCommand": run,
        "core.untrackedCache": "true",
        "core.attributesFile": str(repo / "attributes"),
        "credential.helper": f"!{run}",
        "diff.external": run,
        "diff.evil.command": run,
        "diff.evil.textconv": run,
        "filter.evil.clean": run,
        "filter.evil.smudge": run,
        "filter.evil.process": run,
        "filter.evil.required": "true",
        "merge.evil.driver": run,
        "gpg.program": run,
        "interactive.diffFilter": run,
        "pager.ls-files": run,
        "pager.diff-index": run,
        "pager.cat-file": run,
        "alias.ls-files": f"!{run}",
        "alias.diff-index": f"!{run}",
        "alias.cat-file": f"!{run}",
        "sequence.editor": run,
        "hook.evil.command": run,
        "hook.evil.event": "post-index-change",
        "uploadpack.packObjectsHook": run,
        "gc.recentObjectsHook": run,
        "trace2.eventTarget": str(repo / "trace"),
        "protocol.allow": "always",
        "protocol.ext.allow": "always",
        "protocol.file.allow": "always",
        "submodule.recurse": "true",
        "remote.origin.promisor": "true",
        "remote.origin.partialCloneFilter": "blob:none",
        "remote.origin.uploadpack": run,
        "extensions.partialClone": "origin",
        "include.path": str(repo / ".git/more"),
    }
    lines = [("remote.origin.url", f"ext::{run} %S"), *settings.items()]
    for name, value in lines:
        git(repo, "config", name, value)
    for name in (".gitattributes", "attributes", ".git/info/attributes"):
        (repo / name).parent.mkdir(exist_ok=True)
        (repo / name).write_text("* diff=evil filter=evil merge=evil\n")


class TestGitConfiguration:
    def test_nothing_of_it_runs(self, keywatch: Keywatch, repo: Path, trap: Trap) -> None:
        (repo / "a.py").write_text(leak())
        git(repo, "add", "a.py")
        (repo / "b.py").write_text(leak())
        arm(repo, trap)
        trap.mark.unlink(missing_ok=True)
        (repo / "a.py").touch()
        for arguments in (
            ("scan",),
            ("scan", "--no-git"),
            ("scan", "--staged"),
            ("scan", "--staged", "a.py", "b.py"),
            ("scan", "a.py"),
            ("hook", "pre-commit"),
            ("hook", "pre-commit", "a.py"),
            ("baseline", "show"),
        ):
            done = keywatch(*arguments, cwd=repo)
            assert done.returncode in (0, 1, 2), done.stderr
            trap.check()
        assert scan(keywatch, "--staged", cwd=repo).paths == ["a.py"]
        trap.check()

    def test_the_trap_would_catch_what_git_runs(self, repo: Path, trap: Trap) -> None:
        """So that the test above shows something."""
        arm(repo, trap)
        trap.mark.unlink(missing_ok=True)
        argv = ["git", *IDENTITY, "status"]
        subprocess.run(argv, cwd=repo, capture_output=True, check=False, timeout=60)
        assert trap.mark.exists()

    @pytest.mark.parametrize("url", ["ext::{} %S", "file://{}", "{}", "ssh://host{}", "evil::{}"])
    def test_a_missing_object_is_a_gap_and_never_fetched(
        self, keywatch: Keywatch, repo: Path, trap: Trap, url: str
    ) -> None:
        (repo / "a.py").write_text(leak())
        git(repo, "add", "a.py")
        oid = git(repo, "rev-parse", ":a.py").strip()
        (repo / ".git/objects" / oid[:2] / oid[2:]).unlink()
        arm(repo, trap)
        git(repo, "config", "remote.origin.url", url.format(trap.program))
        git(repo, "config", "remote.origin.vcs", "evil") if url.startswith("evil") else None
        helper = trap.program.with_name("git-remote-evil")
        helper.symlink_to(trap.program)
        trap.mark.unlink(missing_ok=True)
        path = f"{trap.program.parent}:{os.environ['PATH']}"
        seen = scan(keywatch, "--staged", cwd=repo, PATH=path)
        assert (seen.code, seen.gaps) == (3, [("unreadable", "a.py")])
        trap.check()

    def test_a_git_in_the_tree_is_not_the_git_that_runs(
        self, keywatch: Keywatch, repo: Path, trap: Trap
    ) -> None:
        (repo / "git").symlink_to(trap.program)
        (repo / "a.py").write_text(leak())
        for path in (f".:{os.environ['PATH']}", f":{os.environ['PATH']}"):
            assert scan(keywatch, cwd=repo, PATH=path).paths == ["a.py"]
        trap.check()

    def test_a_scan_writes_nothing_into_the_repository(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        (repo / "a.py").write_text(leak())
        git(repo, "add", "a.py")
        (repo / "a.py").touch()

        def everything() -> dict[str, int]:
            return {str(p): p.lstat().st_mtime_ns for p in sorted(repo.rglob("*"))}

        before = everything()
        scan(keywatch, cwd=repo)
        scan(keywatch, "--staged", cwd=repo)
        assert everything() == before

    def test_what_holds_git_up_is_given_up(
        self, repo: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        os.mkfifo(repo / ".gitignore")
        monkeypatch.setattr(our_git, "_PATIENCE", 0.5)
        with pytest.raises(UsageError, match="did not end"):
            list(our_git.listed(str(repo), ()))


class TestWaysOut:
    def test_an_index_entry_below_a_link_is_not_read_behind_it(
        self, keywatch: Keywatch, repo: Path, tmp_path: Path
    ) -> None:
        """A clone refuses to make one; an unpacked archive does not."""
        outside = tmp_path / "outside"
        (outside / "deep").mkdir(parents=True)
        (outside / "a.py").write_text(leak())
        (outside / "deep/b.py").write_text(leak())
        for name in ("sub/a.py", "sub/deep/b.py"):
            (repo / name).parent.mkdir(parents=True, exist_ok=True)
            (repo / name).write_text("inside\n")
            git(repo, "add", name)
            (repo / name).unlink()
        (repo / "sub/deep").rmdir()
        (repo / "sub").rmdir()
        (repo / "sub").symlink_to(outside)
        for more in ((), ("--no-git",), ("--staged",)):
            seen = scan(keywatch, *more, cwd=repo)
            assert (seen.paths, seen.gaps) == ([], [])

    @pytest.mark.parametrize("how", ["file", "link"])
    def test_a_git_folder_elsewhere_is_gits_business_and_runs_nothing(
        self, keywatch: Keywatch, tmp_path: Path, trap: Trap, how: str
    ) -> None:
        elsewhere = repository(tmp_path / "elsewhere")
        arm(elsewhere, trap)
        trap.mark.unlink(missing_ok=True)
        tree = tmp_path / "tree"
        tree.mkdir()
        (tree / "a.py").write_text(leak())
        if how == "file":
            (tree / ".git").write_text(f"gitdir: {elsewhere}/.git\n")
        else:
            (tree / ".git").symlink_to(elsewhere / ".git")
        assert scan(keywatch, cwd=tree).paths == ["a.py"]
        scan(keywatch, "--staged", cwd=tree)
        trap.check()

    def test_a_work_tree_that_the_configuration_puts_elsewhere_is_not_read(
        self, keywatch: Keywatch, repo: Path, tmp_path: Path
    ) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "secret.py").write_text(leak())
        (repo / "a.py").write_text(leak())
        for place in (str(outside), str(tmp_path), ".."):
            git(repo, "config", "core.worktree", place)
            seen = scan(keywatch, cwd=repo)
            assert seen.code == 2 or "secret.py" not in str(seen.paths)

    def test_terminal_commands_in_names_reach_no_stream(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        name = "\x1b]0;owned\x07\x1b[2J\u202e.py"
        (repo / name).write_text(leak())
        (repo / f"{name}.bin").write_bytes(b"\0" * 99)
        done = keywatch("scan", cwd=repo)
        assert done.returncode == 1
        for code in (b"\x1b", b"\x07", "\u202e".encode()):
            assert code not in done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder bin/ of an environment in which keywatch is installed, without the time to
    install it: a .pth file leads to this checkout and to the libraries of this interpreter."""
    venv = tmp_path_factory.mktemp("installed")
    argv = [sys.executable, "-m", "venv", "--without-pip", str(venv)]
    subprocess.run(argv, check=True, capture_output=True)
    found = subprocess.run(
        [venv / "bin/python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    )
    site = Path(found.stdout.strip())
    (site / "keywatch.pth").write_text(f"{ROOT}\n{sysconfig.get_path('purelib')}\n")
    script = venv / "bin/keywatch"
    script.write_text(
        f"#!{venv}/bin/python\nimport sys\nfrom scanner.__main__ import main\nsys.exit(main())\n"
    )
    script.chmod(0o755)
    return venv / "bin"


MODULES = (
    *("scanner", "yaml", "re", "re2", "hyperscan", "json", "argparse", "subprocess", "jsonschema"),
    *("rich", "detect_secrets", "sitecustomize", "usercustomize", "platformdirs", "hashlib"),
    *("multiprocessing", "concurrent", "encodings", "codecs", "random", "string", "typing"),
)


class TestPlantedModules:
    """Names of modules in the checkout's root: an isolated interpreter imports none of them."""

    @pytest.fixture
    def planted(self, repo: Path, trap: Trap) -> Path:
        code = f"open({str(trap.mark)!r}, 'a').write(__name__)\nraise SystemExit(0)\n"
        for name in MODULES:
            (repo / f"{name}.py").write_text(code)
            (repo / name).mkdir()
            for inside in ("__init__.py", "__main__.py", "cli.py"):
                (repo / name / inside).write_text(code)
        (repo / "planted.pth").write_text(f"import os; {code}")
        (repo / "pip.conf").write_text("[global]\nindex-url = http://127.0.0.1:9/\n")
        (repo / "pyvenv.cfg").write_text("home = .\n")
        (repo / "setup.cfg").write_text("[options]\n")
        (repo / ".env").write_text("PYTHONPATH=.\nPYTHONSTARTUP=yaml.py\n")
        (repo / "conftest.py").write_text(code)
        for number in range(200):  # enough that workers start
            (repo / f"{number}.txt").write_text("filler " * 1000)
        (repo / "a.py").write_text(leak())
        (repo / "keywatch.yaml").write_text("version: 1\n# parsed anew\n")
        return repo

    @pytest.mark.parametrize("how", ["module", "script"])
    def test_none_is_imported(
        self, planted: Path, installed: Path, trap: Trap, tmp_path: Path, how: str
    ) -> None:
        isolated = [str(installed / "python"), "-I", "-m", "scanner"]
        command = isolated if how == "module" else [str(installed / "keywatch")]
        for more in ("--report=json=-", "--report=terminal=-", "--matcher=re"):
            done = subprocess.run(
                [*command, "scan", more],
                cwd=planted,
                env=os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cold")},
                capture_output=True,
                check=False,
            )
            assert done.returncode == 1, done.stderr
            assert b"a.py" in done.stdout
            assert done.stderr == b""
            trap.check()

    def test_the_trap_would_catch_an_import(self, planted: Path, trap: Trap) -> None:
        """So that the test above shows something."""
        argv = [sys.executable, "-m", "scanner", "scan"]
        subprocess.run(argv, cwd=planted, capture_output=True, check=False)
        assert trap.mark.exists()


class Cost(NamedTuple):
    """Processor time in seconds, and the peak memory of the largest process in megabytes."""

    seconds: float
    megabytes: float


# In a process of its own: a fork counts the memory of what it was forked from.
_MEASURE = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
cost = [used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]
print(json.dumps([done.returncode, *cost]), file=sys.stderr)
"""


def measured(cwd: Path) -> tuple[int, Any, Cost]:
    """A scan's exit code, report and cost."""
    command = (sys.executable, "-m", "scanner", "scan", "--quiet", "--report=json=-")
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, *command],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
    )
    code, seconds, megabytes = json.loads(done.stderr)
    return code, json.loads(done.stdout), Cost(seconds, megabytes)


M = 1_000_000
KEY = "-----BEGIN RSA PRIVATE KEY-----"
HUGE = {  # what is repeated, how often, and the exit code
    "10 MB of spaces": (" ", 10 * M, 0),
    "one line of 19 MB": ("abc def = 123; ", 19 * M // 15, 0),
    "newlines": ("\n", 19 * M, 0),
    "a keyword a million times in one line": ("password=ab ", M, 0),
    "a keyword a million times in lines": ("password=ab\n", M, 0),
    "nothing but a keyword": ("secret:", M, 0),
    "600,000 key headers": (f"{KEY}\n", 600_000, 0),
    "600,000 key headers in one line": (KEY, 600_000, 0),
    "keys without an end": (f"{KEY}\n{'A' * 64}\n", 200_000, 0),
    "beginnings of tokens in one line": ("eyJhbGciOiJIUzI1NiJ9.eyJ", 100_000, 0),
    "100,000 tokens in one line": (f"{token()} ", 100_000, 1),
    "100,000 comments": ("# pragma: allowlist secret\n", 100_000, 3),
    "quotes": ("\"'`", 6 * M, 0),
    "one long value": ("aB3$", 4 * M, 0),
    "letters and digits": (random.Random(1).randbytes(30_000).hex(), 300, 0),
}


@pytest.mark.unmeasured
@pytest.mark.slow
class TestSize:
    """Bounds that catch what grows with a power; `make bench` has the numbers."""

    @pytest.mark.parametrize("kind", HUGE)
    def test_one_hostile_file_ends_in_bounded_time_and_memory(
        self, tmp_path: Path, kind: str
    ) -> None:
        unit, times, expected = HUGE[kind]
        (tmp_path / "a.txt").write_text('password = "' + unit * times)
        code, _, cost = measured(tmp_path)
        assert code == expected
        assert cost.seconds < 20
        assert cost.megabytes < 400

    def test_a_file_over_the_limit_costs_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").touch()
        os.truncate(tmp_path / "a.txt", 1 << 40)
        code, report, cost = measured(tmp_path)
        assert (code, report["skips"]) == (0, [{"kind": "too-large", "path": "a.txt"}])
        assert cost.seconds < 5

    def test_a_file_of_200_mb_is_read_in_pieces(self, tmp_path: Path) -> None:
        (tmp_path / "keywatch.yaml").write_text("version: 1\nscan: {max_file_size: 1GB}\n")
        with (tmp_path / "a.txt").open("wb") as file:
            for _ in range(200):
                file.write(b"nothing to see in here\n" * (M // 23))
            file.write(leak().encode())
        code, report, cost = measured(tmp_path)
        assert (code, len(report["findings"])) == (1, 1)
        assert cost.megabytes < 250

    def test_many_small_files(self, tmp_path: Path) -> None:
        for folder in range(100):
            (tmp_path / str(folder)).mkdir()
            for name in range(100):
                (tmp_path / str(folder) / str(name)).write_text("x\n")
        (tmp_path / "a.py").write_text(leak())
        code, report, cost = measured(tmp_path)
        assert code == 1
        assert report["coverage"] == {"files": 10_001, "bytes": 20_051, "skipped": {}}
        assert cost.seconds < 20
        assert cost.megabytes < 200

    @pytest.mark.parametrize("depth", [50, 1900, 2100])
    def test_folders_in_folders(self, keywatch: Keywatch, tmp_path: Path, depth: int) -> None:
        """Over a path's longest length (4,096 bytes) the rest cannot be read, and is said to be."""
        here = os.open(tmp_path, os.O_RDONLY)
        for _ in range(depth):
            os.mkdir("d", dir_fd=here)
            below = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        file = os.open("a.py", os.O_WRONLY | os.O_CREAT, dir_fd=here)
        os.write(file, leak().encode())
        os.close(file)
        os.close(here)
        seen = scan(keywatch, cwd=tmp_path)
        if depth < 2000:
            assert seen.paths == ["d/" * depth + "a.py"]
        else:
            assert (seen.code, len(seen.gaps)) == (3, 1)
        subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)


RULE = """
- id: {name}
  title: A rule of my own
  class: api-key
  why: It opens the door.
  revoke: Take it back at once.
  rotate: Make a new one instead.
  pattern: '{pattern}'
  keywords: [aa]
  edges: '{edges}'
  examples: [example]
  negative_examples: [none]
"""


Run = Callable[..., tuple[int, str, float]]


class TestRules:
    """Rules that a repository brings."""

    @pytest.fixture
    def run(self, keywatch: Keywatch, tmp_path: Path) -> Run:
        return partial(self.outcome, keywatch, tmp_path)

    def outcome(
        self,
        keywatch: Keywatch,
        tmp_path: Path,
        patterns: str | Sequence[str],
        data: str,
        edges: str = "",
    ) -> tuple[int, str, float]:
        """By keywatch.yaml and by --rules alike: exit code, message, processor seconds."""
        several = [patterns] if isinstance(patterns, str) else patterns
        rule = "".join(
            RULE.format(name=f"mine-{n}", pattern=each.replace("'", "''"), edges=edges)
            for n, each in enumerate(several)
        )
        (tmp_path / "a.txt").write_text(data)
        results = []
        for name, text, more in (
            ("keywatch.yaml", f"version: 1\nrules:{rule}", ()),
            ("mine.yaml", f"rules:{rule}", ("--rules=mine.yaml", "--config=none.yaml")),
        ):
            (tmp_path / "none.yaml").write_text("version: 1\n")
            (tmp_path / name).write_text(text)
            done = keywatch("scan", "a.txt", *more, cwd=tmp_path)
            err = done.stderr.decode()
            assert "Traceback" not in err
            results.append((done.returncode, err, done.seconds))
        assert results[0][0] == results[1][0]
        return max(results, key=lambda result: result[2])

    def test_patterns_that_blow_up_elsewhere_end_here(self, run: Run) -> None:
        patterns = [
            "(a+)+$",
            "(a|aa)+$",
            "((a*)*)*b",
            "x(a?){900}y",
            "x" + "a?" * 900 + "y",
            "x" + ".*" * 400 + "y",
            "x(a?b?c?d?){200}y",
            "(.{1,30}){1,30}x",
            "aa[a-z]{0,300}[a-y]{0,300}[a-x]{0,300}b",
            "aa.{0,999}b",
        ]
        code, err, seconds = run(patterns, "a" * 100_000 + "\n")
        assert code in (0, 1), err
        assert seconds < 20

    @pytest.mark.parametrize(
        ("pattern", "words"),
        [
            ("(.{0,500}){20}", "repetition"),
            ("a" + ".{0,999}b" * 20, "too large"),
            ("[a-z]{1001}", "repetition"),
            ("(?=a)b", "(?="),
            (r"(a)\1", r"\1"),
            ("(?<!a)b", "(?<"),
            ("((", "missing )"),
            ("a*", "matches the empty text"),
            ("^", "matches the empty text"),
            ("(" * 500 + "a" + ")" * 500, "groups"),
            ("a" * 2001, "is too long: the maximum is 2000 characters"),
        ],
    )
    def test_a_pattern_that_cannot_be_bounded_is_refused(
        self, run: Run, pattern: str, words: str
    ) -> None:
        code, err, seconds = run(pattern, "aa\n")
        assert code == 2
        assert words in err
        assert "do:" in err or "matches" in err or "is too long" in err
        assert seconds < 10

    @pytest.mark.parametrize("edges", ["a](x+x+)+y[b", "a]b", "[[", "z-a", "\\"])
    def test_edges_cannot_bring_a_pattern(self, run: Run, edges: str) -> None:
        code, err, seconds = run("aabb", "x" * 50 + "aabb\n", edges)
        assert code == 2
        assert "edges" in err
        assert seconds < 10

    def test_a_value_that_is_nothing_is_no_finding(self, run: Run) -> None:
        patterns = ["aa(?P<secret>z)?", "aa(?P<secret>z*)", r"aa\b|\b"]
        assert run(patterns, "xaay bb\n")[0] == 0

    def test_a_rule_of_ones_own_finds(self, run: Run) -> None:
        assert run("aa[0-9]{4}", "x aa1234\n")[0] == 1

    def test_a_keyword_that_is_everywhere_costs_little_time_and_is_a_gap(self, run: Run) -> None:
        code, err, seconds = run("aa[0-9]{4}x", "aa" * (M // 4))
        assert code == 3, err
        assert seconds < 20
