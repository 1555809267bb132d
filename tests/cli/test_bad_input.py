"""What goes wrong outside keywatch: a message that says what to do, the right exit code, nothing
half written, and no traceback."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from scanner import cache, pool
from scanner.inputs.folder import Folder
from scanner.inputs.interface import CHUNK, Blob
from scanner.model import Gap
from tests.support.forks import MEASURING
from tests.support.helpers import Keywatch, git, leak, repository, scan, token

ROOT = Path(__file__).resolve().parents[2]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="uses /proc or /dev/full")

# Root reads what nobody may read. Without these two capabilities it may not.
_DROP = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
for capability in (1, 2):
    if os.getuid() == 0 and libc.prctl(24, capability, 0, 0, 0):
        sys.exit("prctl failed")
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return repository(tmp_path / "repo")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "scanner", *arguments]


def environ(**variables: str) -> dict[str, str]:
    """For signals, limits and full disks. A process that is measured would answer for coverage, and
    of the bytecode that one writes under a limit a part would stay in the checkout."""
    unmeasured = {name: value for name, value in os.environ.items() if name != MEASURING}
    more = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    return unmeasured | more | variables


def shell(line: str, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    """A line for sh, in which $keywatch is the command."""
    variables = environ(keywatch=f"{sys.executable} -m scanner")
    argv = ["sh", "-c", line]
    return subprocess.run(argv, cwd=cwd, env=variables, capture_output=True, check=False)


def unprivileged(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    """The command run by someone who cannot read everything, as root can."""
    argv = [sys.executable, "-c", _DROP, "-m", "scanner", *arguments]
    done = subprocess.run(argv, cwd=cwd, env=environ(), capture_output=True, check=False)
    if b"prctl failed" in done.stderr:
        pytest.skip("this container does not let root give up its rights")
    return done


def says(done: subprocess.CompletedProcess[bytes], code: int, *words: str) -> None:
    err = done.stderr.decode(errors="surrogateescape")
    assert done.returncode == code, err
    assert "Traceback" not in err
    for word in words:
        assert word in err


class TestSelection:
    def test_a_missing_path_is_named(self, keywatch: Keywatch, repo: Path) -> None:
        says(keywatch("scan", "start.txt", "nothing/here", cwd=repo), 2, "nothing/here")
        says(keywatch("scan", "--staged", "nothing", cwd=repo), 2, "nothing")

    @pytest.mark.parametrize(
        "arguments",
        [
            ["scan", ""],
            ["scan", "start.txt", " "],
            ["hook", "pre-commit", ""],
            ["policy", "check", ""],
            ["init", ""],
            *(["scan", option, ""] for option in ("--config", "--baseline", "--rules")),
            *(["scan", "--exclude", text] for text in ("", " ", ".", "/", "./", "[", "a]b[c")),
            ["hook", "pre-commit", "--exclude", "["],
        ],
    )
    def test_an_empty_path_and_a_pattern_that_nobody_can_mean_are_refused(
        self, keywatch: Keywatch, repo: Path, arguments: list[str]
    ) -> None:
        says(keywatch(*arguments, cwd=repo), 2, "do:")

    def test_a_link_to_nothing_is_a_missing_path(self, keywatch: Keywatch, repo: Path) -> None:
        (repo / "link").symlink_to("nothing")
        (repo / "loop").symlink_to("loop")
        says(keywatch("scan", "link", cwd=repo), 2, "broken link")
        says(keywatch("scan", "loop", cwd=repo), 2, "loop")

    def test_staged_needs_a_repository(self, keywatch: Keywatch, tmp_path: Path) -> None:
        says(keywatch("scan", "--staged", cwd=tmp_path), 2, "needs a git repository")

    def test_a_folder_that_is_gone_under_our_feet(self, tmp_path: Path) -> None:
        gone = tmp_path / "gone"
        gone.mkdir()
        done = shell('rmdir "$PWD" && exec $keywatch scan', gone)
        says(done, 2, "the current folder was deleted")

    @pytest.mark.parametrize("text", ["tomorrow", "9999-12-31", "0001-01-01T00:00:00+14:00", ""])
    def test_a_now_that_is_no_time(self, keywatch: Keywatch, repo: Path, text: str) -> None:
        says(keywatch("scan", f"--now={text}", cwd=repo), 2, "--now")

    @pytest.mark.parametrize("arguments", [["scan", "--sta"], ["scan", "--fail-on=x"]])
    def test_what_the_command_line_does_not_know(
        self, keywatch: Keywatch, repo: Path, arguments: list[str]
    ) -> None:
        says(keywatch(*arguments, cwd=repo), 2, "--help for the options")

    def test_terminal_commands_in_arguments_are_not_passed_on(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        for argument in ("\x1b[2J", "--x\x1b[2J", "--report=\x1b[2J"):
            done = keywatch("scan", argument, cwd=repo)
            says(done, 2, r"\x1b[2J")
            assert b"\x1b" not in done.stderr


class TestRepository:
    def test_a_broken_index(self, keywatch: Keywatch, repo: Path) -> None:
        (repo / ".git/index").write_bytes(b"not an index")
        for more in ((), ("--staged",)):
            says(keywatch("scan", *more, cwd=repo), 2, "index", "do:")

    def test_a_truncated_index(self, keywatch: Keywatch, repo: Path) -> None:
        index = repo / ".git/index"
        index.write_bytes(index.read_bytes()[:10])
        for more in ((), ("--staged",)):
            says(keywatch("scan", *more, cwd=repo), 2, "do:")

    def staged_object(self, repo: Path, name: str, text: str) -> Path:
        (repo / name).write_text(text)
        git(repo, "add", name)
        oid = git(repo, "rev-parse", f":{name}").strip()
        path = repo / ".git/objects" / oid[:2] / oid[2:]
        path.chmod(0o644)
        return path

    @pytest.mark.parametrize("kind", ["missing", "garbage", "truncated", "empty"])
    def test_an_object_that_cannot_be_read_is_a_gap_and_the_others_are_read(
        self, keywatch: Keywatch, repo: Path, kind: str
    ) -> None:
        self.staged_object(repo, "z.py", leak())
        bad = self.staged_object(repo, "m.py", leak(2) * 999)
        whole = bad.read_bytes()
        if kind == "missing":
            bad.unlink()
        else:
            bad.write_bytes({"garbage": b"x" * 99, "truncated": whole[:-50], "empty": b""}[kind])
        seen = scan(keywatch, "--staged", cwd=repo)
        assert seen.gaps[0] == ("unreadable", "m.py")
        assert seen.code in (1, 3)
        assert seen.paths == ["z.py"] or ("unreadable", "z.py") in seen.gaps
        assert scan(keywatch, "--staged", "--require-complete", cwd=repo).code == 3

    @pytest.mark.parametrize("name", ["keywatch.yaml", ".keywatch.baseline"])
    def test_a_control_file_whose_object_is_lost_is_an_error_not_the_default(
        self, keywatch: Keywatch, repo: Path, name: str
    ) -> None:
        self.staged_object(repo, name, "").unlink()
        says(keywatch("scan", "--staged", cwd=repo), 2, name, "do:")

    def test_a_head_that_names_nothing(self, keywatch: Keywatch, repo: Path) -> None:
        (repo / ".git/refs/heads/main").write_text("1" * 40 + "\n")
        says(keywatch("scan", "--staged", cwd=repo), 2, "do:")

    @pytest.mark.parametrize("broken", ["file", "folder", "link"])
    def test_a_git_folder_that_is_none(
        self, keywatch: Keywatch, tmp_path: Path, repo: Path, broken: str
    ) -> None:
        """Also inside another repository: its index is not this folder's."""
        for parent in (tmp_path, repo):
            folder = parent / "broken"
            folder.mkdir()
            (folder / "a.py").write_text(leak())
            place = folder / ".git"
            if broken == "file":
                place.write_text("gitdir: /nowhere\n")
            elif broken == "folder":
                place.mkdir()
            else:
                place.symlink_to("nowhere")
            for more in ((), ("--staged",)):
                says(keywatch("scan", *more, cwd=folder), 2, "--no-git")
            assert scan(keywatch, "--no-git", cwd=folder).paths == ["a.py"]

    def test_without_git_it_says_what_to_do(self, keywatch: Keywatch, repo: Path) -> None:
        done = keywatch("scan", cwd=repo, PATH="/nowhere")
        says(done, 2, "git is not installed", "--no-git")
        (repo / "a.py").write_text(leak())
        assert scan(keywatch, "--no-git", cwd=repo, PATH="").paths == ["a.py"]


def bomb(first: str, again: str) -> str:
    """YAML in which each of a few lines holds the one before nine times."""
    names = "abcdefgh"
    lines = [f"a: &a {first}"]
    for before, name in itertools.pairwise(names):
        lines.append(f"{name}: &{name} " + again.format(",".join([f"*{before}"] * 9)))
    return "\n".join(lines)


ENTRY = "fingerprint: kw-3f0c6e1b9a52\n  rule: a\n  path: b\n  owner: d\n  until: 2027-01-31"
CONFIGS = {
    "unknown key": ("version: 1\nscn: {}\n", ":2:", "did you mean scan?"),
    "wrong type": ("version: 1\nscan:\n  exclude: docs\n", ":3:", "scan.exclude"),
    "wrong value": ("version: 1\nscan: {fail_on: sometimes}\n", ":2:", "low, medium, high", "do:"),
    "wrong word": ("version: 1\nscan: {legacy_pragmas: 3}\n", ":2:", "warn", "do:"),
    "nearly right value": ("version: 1\nscan: {fail_on: hihg}\n", ":2:", "did you mean high?"),
    "key twice": ("version: 1\nscan: {}\nscan: {}\n", ":3:", "twice"),
    "no version": ("scan: {}\n", ":1:", "version is missing"),
    "other version": ("version: 2\n", ":1:", "version", "do:  write version: 1"),
    "empty": ("", ":1:", "keywatch.yaml is empty", "do:  add version: 1"),
    "a key in the wrong section": (
        "exclude: app.py\n",
        ":1:",
        'exclude belongs under scan: write scan: {exclude: ["third_party/**"]}',
    ),
    "a section without keys": ("version: 1\nscan:\n", ":2:", "scan is empty", "or remove it"),
    "a word for exceptions": (
        "version: 1\nallow: yes\n",
        "allow must be a list",
        "write it as allow: [{fingerprint: kw-3f0c6e1b9a52, rule: generic-secret, path: docs/a.md,",
    ),
    "no reason": (
        f"version: 1\nallow:\n- {ENTRY}\n  reason: ''\n",
        "keywatch.yaml:8: reason in entry 1 of allow must not be empty",
        'write it as reason: "revoked sample"',
    ),
    "a number for a size": (
        "version: 1\nscan: {max_file_size: 20}\n",
        "scan.max_file_size must be a size",
        "write it as max_file_size: 20MB",
    ),
    "a word for a class": (
        "version: 1\nclasses: {k: 90d}\n",
        "classes.k must be a mapping",
        "write it as k: {rotate_every: 90d}",
    ),
    "a word for a list": ("version: 1\nscan: {exclude: a}\n", 'exclude: ["third_party/**"]'),
    "a bad size": ("version: 1\nscan: {max_file_size: big}\n", "write it as max_file_size: 20MB"),
    "list": ("[]", ":1:", "keywatch.yaml must consist of keys", "do:  add version: 1"),
    "word": ("word", ":1:", "keywatch.yaml must consist of keys"),
    "not YAML": ("version: 1\n\tscan: {}\n", ":2:", "not valid YAML"),
    "two documents": ("version: 1\n---\nversion: 1\n", "not valid YAML"),
    "not UTF-8": (b"version: 1\n# caf\xe9\n", "not valid YAML"),
    "binary": (b"\0\1\2\3", "not valid YAML"),
    "a program to run": ("version: !!python/object/apply:os.getcwd []\n", ":1:", "not valid YAML"),
    "a date": ("version: !!timestamp 2020-01-01\n", ":1:", "version"),
    "no plain key": ("version: 1\n? [a]\n: 1\n", ":2:", "plain word"),
    "a number for a key": ("version: 1\n1: 1\n", ":2:", "unknown key 1"),
    "size with a line end": (
        'version: 1\nscan: {max_file_size: "1MB\\n"}\n',
        ":2:",
        "max_file_size",
    ),
    "no such day": (
        "version: 1\naccept_gaps:\n- {kind: a, path: b, reason: c, owner: d, until: 2026-02-30}\n",
        ":3:",
        "calendar",
    ),
    "no such rule": (
        "version: 1\nscan:\n  disable_rules: [jwt,\n    gihub-oauth-token]\n",
        "keywatch.yaml:4:",
        "did you mean github-oauth-token?",
    ),
    "nothing like a rule": ("version: 1\nscan: {disable_rules: [qqq]}\n", ":2:", "do:"),
    "anchor in itself": ("version: 1\nscan: &a {exclude: [*a]}\n", "is too large"),
    "deep": ("version: 1\nscan: " + "[" * 900 + "]" * 900, "is too large"),
    "deeper": ("version: 1\nscan: " + "[" * 100_000, "not valid YAML"),
    "10 MB": ("version: 1\n#" + "x" * 10_000_000, "over 4,000,000 bytes"),
    "many globs": ("version: 1\nscan: {exclude: [" + "a," * 20_000 + "]}", "the maximum is 1000"),
    "many faults": ("version: 1\nallow: [" + "{}," * 9_000 + "]", "fingerprint is missing"),
    "bomb of lists": (bomb("[x, x]", "[{}]"), "is too large"),
    "bomb of merges": (bomb("{x: 1}", "{{<<: [{}]}}"), "is too large"),
    "bomb of text": (
        f"version: 1\nscan: {{exclude: [&a {'x' * 400}, {'*a,' * 20_000}]}}\n",
        "is too large",
    ),
}


class TestConfig:
    @pytest.mark.parametrize("kind", CONFIGS)
    def test_a_bad_keywatch_yaml_is_refused_with_its_place(
        self, keywatch: Keywatch, tmp_path: Path, kind: str
    ) -> None:
        text, *words = CONFIGS[kind]
        data = text if isinstance(text, bytes) else text.encode()
        (tmp_path / "keywatch.yaml").write_bytes(data)
        start = time.monotonic()
        done = keywatch("scan", cwd=tmp_path)
        says(done, 2, *(word for word in words if isinstance(word, str)))
        assert time.monotonic() - start < 30
        # no regular expression, keyword of JSON Schema or name of a class
        assert not re.search(rb"\^|\[0-9|additionalProp|Error|None|'type'", done.stderr)

    def test_a_value_of_a_bad_file_is_not_shown(self, keywatch: Keywatch, tmp_path: Path) -> None:
        (tmp_path / "keywatch.yaml").write_text(f"version: 1\nscan: {{fail_on: {token()}}}\n")
        done = keywatch("scan", cwd=tmp_path)
        says(done, 2, "fail_on")
        assert token()[4:8] not in done.stderr.decode()

    @pytest.mark.parametrize("name", ["keywatch.yaml", ".keywatch.baseline", ".secrets.baseline"])
    def test_a_control_file_that_is_no_file(
        self, keywatch: Keywatch, tmp_path: Path, name: str
    ) -> None:
        (tmp_path / "a.py").write_text(leak())
        (tmp_path / name).mkdir()
        says(keywatch("scan", cwd=tmp_path), 2, name, "do:  put a file in the folder's place")
        (tmp_path / name).rmdir()
        (tmp_path / name).symlink_to("/etc/passwd")
        says(keywatch("scan", cwd=tmp_path), 2, name, "link", "do:  put the file itself")

    def test_a_config_that_never_ends(self, keywatch: Keywatch, tmp_path: Path) -> None:
        (tmp_path / "keywatch.yaml").touch()
        os.truncate(tmp_path / "keywatch.yaml", 1 << 40)
        says(keywatch("scan", cwd=tmp_path), 2, "keywatch.yaml", "over", "do:")

    @pytest.mark.parametrize("option", ["--config", "--rules"])
    def test_a_file_that_is_named_and_cannot_be_read(
        self, keywatch: Keywatch, repo: Path, option: str
    ) -> None:
        for name in ("nothing.yaml", "."):
            says(keywatch("scan", option, name, cwd=repo), 2, f"{name} cannot be read", "do:")


class TestBaseline:
    @pytest.mark.parametrize(
        "data",
        [
            b"not json\n",
            b"[]\n",
            b"1\n",
            b'{"fingerprint": 1}\n',
            b'{"unknown": "x"}\n',
            b"\xff\xfe\n",
            b"{" * 9999,
            b"[" * 100_000,
            b'{"line": ' + b"9" * 9999 + b"}\n",
            b"\0\0\0",
        ],
    )
    def test_a_bad_baseline_is_refused_with_its_line(
        self, keywatch: Keywatch, tmp_path: Path, data: bytes
    ) -> None:
        (tmp_path / "a.py").write_text(leak())
        (tmp_path / ".keywatch.baseline").write_bytes(data)
        says(keywatch("scan", cwd=tmp_path), 2, ".keywatch.baseline:1")

    @pytest.mark.parametrize("data", ["[]", "null", '"text"'])
    def test_a_detect_secrets_baseline_that_is_no_object_is_refused_with_advice(
        self, keywatch: Keywatch, tmp_path: Path, data: str
    ) -> None:
        (tmp_path / "a.py").write_text(leak())
        (tmp_path / ".secrets.baseline").write_text(data)
        says(keywatch("scan", cwd=tmp_path), 2, ".secrets.baseline:1:", "do:  repair it")


class TestReports:
    @LINUX
    def test_a_full_disk_is_an_incomplete_run(self, keywatch: Keywatch, repo: Path) -> None:
        says(keywatch("scan", "--report=json=/dev/full", cwd=repo), 3, "/dev/full", "No space")
        (repo / "a.py").write_text(leak())
        says(keywatch("scan", "--report=json=/dev/full", cwd=repo), 1, "/dev/full")
        done = keywatch("scan", "--report=json=/dev/full", "--require-complete", cwd=repo)
        says(done, 3, "/dev/full")

    @LINUX
    def test_a_full_standard_output_is_an_incomplete_run(self, repo: Path) -> None:
        says(shell("exec $keywatch scan >/dev/full", repo), 3, "standard output", "No space")
        says(shell("exec $keywatch --help >/dev/full", repo), 3, "standard output")
        (repo / "a.py").write_text(leak())
        says(shell("exec $keywatch scan >/dev/full", repo), 1, "standard output")

    def test_a_report_that_could_not_be_written_leaves_the_old_one(self, repo: Path) -> None:
        (repo / "a.py").write_text(leak())
        (repo / "old.json").write_text("old")
        before = sorted(os.listdir(repo))
        line = "ulimit -f 1; exec $keywatch scan --quiet --report sarif=old.json"
        says(shell(f"trap '' XFSZ; {line}", repo), 1, "old.json", "untouched")
        assert (repo / "old.json").read_text() == "old"
        assert sorted(os.listdir(repo)) == before

    def test_one_report_that_fails_does_not_cost_the_others(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        more = ("--report=json=no/such/folder.json", "--report=sarif=good.sarif")
        says(keywatch("scan", *more, cwd=repo), 3, "no/such/folder.json")
        assert json.loads((repo / "good.sarif").read_text())["runs"]

    @pytest.mark.parametrize("given", ["json", "json=", "=x", "jsn=x", "json:x"])
    def test_a_report_that_is_none(self, keywatch: Keywatch, repo: Path, given: str) -> None:
        says(keywatch("scan", "--report", given, cwd=repo), 2, "FMT=FILE")

    def test_two_reports_cannot_share_standard_output(self, keywatch: Keywatch, repo: Path) -> None:
        says(keywatch("scan", "--report=json=-", "--report=sarif=-", cwd=repo), 2, "share")

    def test_a_link_is_replaced_not_followed(self, keywatch: Keywatch, repo: Path) -> None:
        target = repo.parent / "outside"
        target.write_text("kept")
        (repo / "out.json").symlink_to(target)
        assert keywatch("scan", "--report=json=out.json", cwd=repo).returncode == 0
        assert target.read_text() == "kept"
        assert not (repo / "out.json").is_symlink()

    @LINUX
    def test_the_systems_own_links_stay_what_they_are(self, keywatch: Keywatch, repo: Path) -> None:
        done = keywatch("scan", "--quiet", "--report=json=/dev/stdout", cwd=repo)
        assert json.loads(done.stdout)["complete"]
        assert Path("/dev/stdout").is_symlink()

    def test_a_pipe_gets_the_report_and_stays_a_pipe(self, repo: Path) -> None:
        line = "mkfifo p; $keywatch scan --quiet --report json=p >log & cat p; wait $!; test -p p"
        done = shell(line, repo)
        assert json.loads(done.stdout)["complete"]
        assert done.returncode == 0


class TestStreams:
    @pytest.mark.parametrize("ending", ["| head -c 0", ">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
    def test_a_closed_stream_is_quiet_and_the_exit_code_stands(
        self, repo: Path, ending: str
    ) -> None:
        (repo / "a.py").write_text(leak() * 2000)
        code = "; echo $? >&9; }" if "|" in ending else "; }; echo $? >&9"
        line = f"exec 9>code; {{ $keywatch scan {ending if '|' not in ending else ''}{code} "
        done = shell(line + (ending if "|" in ending else ""), repo)
        assert (repo / "code").read_text() == "1\n"
        assert done.stderr == b""

    def test_a_file_never_gets_what_is_meant_for_a_closed_stream(self, repo: Path) -> None:
        (repo / "a.py").write_text(leak())
        shell("exec $keywatch scan --report json=out.json --report sarif=no/x >&- 2>&-", repo)
        assert json.loads((repo / "out.json").read_text())["findings"]


def children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return [int(word) for word in text.split()]


def alive(pid: int) -> bool:
    """Whether the process runs; one that is dead and not yet waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(condition: Callable[[], object], seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


@LINUX
class TestSignals:
    @pytest.fixture
    def running(self, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], list[int]]]:
        """A scan of many large files (one, with many links), and its workers."""
        process = self.start(tmp_path, files=400, lines=40_000)
        yield process, children(process.pid)
        if process.poll() is None:
            process.kill()
        process.communicate()

    def start(self, folder: Path, *, files: int, lines: int) -> subprocess.Popen[bytes]:
        if len(os.sched_getaffinity(0)) < 2:
            pytest.skip("one processor: there are no workers")
        tree = folder / "tree"
        tree.mkdir()
        line = "password = os.environ['PASSWORD'] + token(get)\n"
        (tree / "0").write_text(line * lines)
        for number in range(1, files):
            os.link(tree / "0", tree / str(number))
        (folder / "out.json").write_text("old")
        # Whoever runs the tests in the background may ignore SIGINT, and that is inherited.
        heeding = ["env", "--default-signal=INT"]
        process = subprocess.Popen(
            [*heeding, *command("scan", "tree", "--quiet", "--report=json=out.json")],
            cwd=folder,
            env=environ(),
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert until(lambda: len(children(process.pid)) >= 2)
        return process

    @pytest.mark.parametrize("whole_group", [True, False])
    def test_ctrl_c_ends_at_once_without_a_report(
        self,
        running: tuple[subprocess.Popen[bytes], list[int]],
        tmp_path: Path,
        whole_group: bool,
    ) -> None:
        process, workers = running
        (os.killpg if whole_group else os.kill)(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130
        assert err == b"keywatch: interrupted; the run has no result\n"
        assert until(lambda: not any(map(alive, workers)), 5)
        assert (tmp_path / "out.json").read_text() == "old"
        assert sorted(os.listdir(tmp_path)) == ["out.json", "tree"]

    def test_ctrl_c_while_a_named_tuple_is_made_is_answered_like_any_other(
        self, tmp_path: Path
    ) -> None:
        code = (
            "import sys, scanner.cli as cli, scanner.__main__ as keywatch\n"
            "cli._dispatch = lambda *_: eval('(_ for _ in ()).throw(error)',"
            " {'error': KeyboardInterrupt})\n"
            "sys.exit(keywatch.main())"
        )
        (tmp_path / "interrupted.py").write_text(code)
        done = subprocess.run(
            [sys.executable, "-m", "interrupted"],
            check=False,
            cwd=tmp_path,
            env=environ(),
            capture_output=True,
        )
        assert done.returncode == 130
        assert done.stderr == b"keywatch: interrupted; the run has no result\n"

    def test_a_request_to_end_ends_the_workers_too(
        self, running: tuple[subprocess.Popen[bytes], list[int]], tmp_path: Path
    ) -> None:
        process, workers = running
        process.terminate()
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (143, b"")
        assert until(lambda: not any(map(alive, workers)), 5)
        assert (tmp_path / "out.json").read_text() == "old"

    def test_a_killed_scan_leaves_no_worker_behind(
        self, running: tuple[subprocess.Popen[bytes], list[int]]
    ) -> None:
        process, workers = running
        process.kill()
        process.communicate(timeout=60)
        assert until(lambda: not any(map(alive, workers)))

    def test_the_files_of_a_killed_worker_are_gaps_and_the_others_are_read(
        self, tmp_path: Path
    ) -> None:
        process = self.start(tmp_path, files=60, lines=4000)
        os.kill(children(process.pid)[0], signal.SIGKILL)
        _, err = process.communicate(timeout=120)
        report = json.loads((tmp_path / "out.json").read_text())
        assert (process.returncode, err) == (3, b"")
        assert {gap["kind"] for gap in report["gaps"]} == {"worker-lost"}
        assert 0 < len(report["gaps"]) < 20
        assert report["coverage"]["files"] + len(report["gaps"]) == 60


def slow_task() -> Callable[[Sequence[str]], list[str]]:
    """A task for the pool: slow, so that workers start; it dies at "kill" and fails at "raise"."""
    here = os.getpid()

    def task(paths: Sequence[str]) -> list[str]:
        time.sleep(0.05)
        if "kill" in paths and os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        if "raise" in paths and os.getpid() != here:
            raise ValueError("in a worker")
        return list(paths)

    return task


@pytest.mark.skipif(sys.platform != "linux", reason="the task is forked, not pickled")
class TestPool:
    ITEMS = tuple(map(str, range(300)))

    def run(self, items: Sequence[str]) -> tuple[list[str], list[Sequence[str]]]:
        """The items that were answered for, and the batches that were lost."""
        kept: list[str] = []
        lost: list[Sequence[str]] = []
        for result in pool.run(slow_task, items):
            if isinstance(result, pool.Lost):
                lost.append(result.items)
            else:
                kept += result
        return kept, lost

    def test_every_item_is_answered_for_once(self) -> None:
        kept, lost = self.run(self.ITEMS)
        assert (sorted(kept), lost) == (sorted(self.ITEMS), [])

    def test_a_worker_that_is_killed_loses_its_own_batch_alone(self) -> None:
        items = (*self.ITEMS, "kill", *self.ITEMS)
        kept, lost = self.run(items)
        assert len(lost) == 1
        assert "kill" in lost[0]
        assert sorted([*kept, *lost[0]]) == sorted(items)

    def test_an_error_in_a_worker_is_the_runs_error(self) -> None:
        items = (*self.ITEMS, "raise")
        with pytest.raises(ValueError, match="in a worker"):
            list(pool.run(slow_task, items))


class TestUnreadable:
    def test_a_file_that_may_not_be_read_is_a_gap(self, repo: Path) -> None:
        (repo / "a.py").write_text(leak())
        (repo / "b.py").write_text("x\n")
        (repo / "b.py").chmod(0)
        for more in ((), ("--no-git",)):
            done = unprivileged("scan", "--report=json=-", *more, cwd=repo)
            report = json.loads(done.stdout)
            assert (done.returncode, report["complete"]) == (1, False)
            assert [(gap["kind"], gap["path"]) for gap in report["gaps"]] == [
                ("unreadable", "b.py")
            ]
        done = unprivileged("scan", "--require-complete", cwd=repo)
        says(done, 3)
        assert b"b.py" in done.stdout

    @pytest.mark.parametrize("mode", [0o000, 0o644])
    def test_a_folder_that_may_not_be_entered_is_a_gap(self, repo: Path, mode: int) -> None:
        (repo / "sub").mkdir()
        (repo / "sub/a.py").write_text(leak())
        (repo / "sub").chmod(mode)
        try:
            for more in ((), ("--no-git",)):
                done = unprivileged("scan", "--report=json=-", *more, cwd=repo)
                gaps = json.loads(done.stdout)["gaps"]
                assert done.returncode == 3
                assert [gap["path"] for gap in gaps] in (["sub"], ["sub/a.py"])
        finally:
            (repo / "sub").chmod(0o755)

    def test_a_control_file_that_may_not_be_read_is_an_error(self, repo: Path) -> None:
        (repo / "keywatch.yaml").write_text("version: 1\n")
        (repo / "keywatch.yaml").chmod(0)
        says(unprivileged("scan", cwd=repo), 2, "keywatch.yaml cannot be read", "Permission", "do:")


class TestChanges:
    def test_a_file_that_vanishes_is_a_gap(self, tmp_path: Path) -> None:
        (tmp_path / "a").touch()
        folder = Folder(str(tmp_path), (), use_git=False)
        (path,) = folder.paths()
        (tmp_path / "a").unlink()
        assert folder.read(path, 99) == Gap("vanished", "a", "it was listed, but no longer exists")

    def test_a_folder_in_the_place_of_a_file_is_a_gap(self, tmp_path: Path) -> None:
        (tmp_path / "a").touch()
        folder = Folder(str(tmp_path), (), use_git=False)
        (path,) = folder.paths()
        (tmp_path / "a").unlink()
        (tmp_path / "a").mkdir()
        assert folder.read(path, 99) == Gap("changed", "a", "a folder has taken its place")

    def test_closed_standard_input_is_a_gap(self, tmp_path: Path) -> None:
        done = shell("$keywatch scan --stdin --stdin-name a.py <&-", tmp_path)
        says(done, 3)
        assert b"standard input cannot be read" in done.stdout

    def test_a_large_file_that_changes_while_it_is_read_says_so(self, tmp_path: Path) -> None:
        file = tmp_path / "a"
        file.touch()
        os.truncate(file, 2 * CHUNK)
        with file.open("r+b") as start:
            start.write(b"text " * 9999)
        blob = Folder(str(tmp_path), ("a",), use_git=False).read("a", 3 * CHUNK)
        assert isinstance(blob, Blob)
        chunks = iter(blob.chunks)
        next(chunks)
        with file.open("ab") as end:
            end.write(b"more")
        with pytest.raises(OSError, match="changed while it was read"):
            list(chunks)

    @LINUX
    def test_a_file_whose_size_is_not_its_own_is_a_gap(
        self, keywatch: Keywatch, tmp_path: Path
    ) -> None:
        """In /proc a file says that it is empty, and is not: as one that is being written."""
        seen = scan(keywatch, "/proc/self/status", cwd=tmp_path)
        assert (seen.code, [kind for kind, _ in seen.gaps]) == (3, ["changed"])

    def test_more_findings_than_anybody_reads_are_cut_and_said_to_be(
        self, keywatch: Keywatch, tmp_path: Path
    ) -> None:
        (tmp_path / "a.py").write_text(leak() * 10_500)
        seen = scan(keywatch, "--require-complete", cwd=tmp_path)
        assert len(seen.places) == 10_000
        assert (seen.code, seen.gaps) == (3, [("too-many-findings", "a.py")])


@pytest.fixture(scope="module")
def compiled(keywatch_with_few_rules: Keywatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete cache."""
    tree, base = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("cache")
    (tree / "a.py").write_text(leak())
    (tree / "keywatch.yaml").write_text("version: 1\n")
    found = scan(keywatch_with_few_rules, cwd=tree, XDG_CACHE_HOME=str(base))
    assert found.paths == ["a.py"]
    return base


# For tests that are not about the compiled databases: this makes none.
WITHOUT_DATABASE = ("--matcher=re",)


def replaced(change: Callable[[bytes], bytes]) -> Callable[[Path, Path], None]:
    """Damage to the bytes of a file: it stays a file, and its owner's alone."""

    def damage(file: Path, _: Path) -> None:
        file.write_bytes(change(file.read_bytes()))

    return damage


def a_folder(file: Path, _: Path) -> None:
    file.unlink()
    file.mkdir()


def a_pipe(file: Path, _: Path) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)


def a_link(file: Path, elsewhere: Path) -> None:
    file.rename(elsewhere)
    file.symlink_to(elsewhere)


DAMAGES: dict[str, Callable[[Path, Path], None]] = {
    "empty": replaced(lambda data: b""),
    "cut": replaced(lambda data: data[:-1]),
    "changed": replaced(lambda data: data[:-1] + bytes([data[-1] ^ 1])),
    "folder": a_folder,
    "pipe": a_pipe,
    "link": a_link,
}


class TestCache:
    """A fault of the cache costs time, never a finding. A few rules show it as well as all."""

    @pytest.fixture
    def keywatch(self, keywatch_with_few_rules: Keywatch) -> Keywatch:
        return keywatch_with_few_rules

    @pytest.fixture
    def tree(self, tmp_path: Path) -> Path:
        tree = tmp_path / "tree"
        tree.mkdir()
        (tree / "a.py").write_text(leak())
        (tree / "keywatch.yaml").write_text("version: 1\n")
        return tree

    @pytest.fixture
    def warm(self, compiled: Path, tmp_path: Path) -> Path:
        """A copy of its folder."""
        base = tmp_path / "cache"
        shutil.copytree(compiled, base)
        return base / "keywatch"

    def check(
        self, keywatch: Keywatch, tree: Path, base: Path | str, *options: str, **more: str
    ) -> None:
        seen = scan(keywatch, *options, cwd=tree, XDG_CACHE_HOME=str(base), **more)
        assert (seen.code, seen.paths, seen.err) == (1, ["a.py"], "")

    def test_it_is_closed_to_everyone_else(self, warm: Path) -> None:
        assert stat.S_IMODE(warm.stat().st_mode) == 0o700
        files = list(warm.iterdir())
        assert {name.name.partition("-")[0] for name in files} >= {"config", "database", "rules"}
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}

    def test_a_run_without_a_home_does_without(self, keywatch: Keywatch, tree: Path) -> None:
        before = sorted(os.listdir(tree))
        self.check(keywatch, tree, "", HOME="")
        self.check(keywatch, tree, "relative", HOME="/nonexistent")
        assert sorted(os.listdir(tree)) == before

    def test_a_user_whom_the_system_does_not_know_gets_no_cache_in_the_tree(
        self, tree: Path, few_rules: Path
    ) -> None:
        code = (
            "import os, pwd, sys\n"
            "def unknown(uid): raise KeyError(uid)\n"
            "pwd.getpwuid = unknown\n"
            "from scanner.__main__ import main\n"
            "sys.exit(main())\n"
        )
        variables = environ(PYTHONPATH=str(few_rules))
        del variables["HOME"]
        variables.pop("XDG_CACHE_HOME", None)
        argv = [sys.executable, "-c", code, "scan", *WITHOUT_DATABASE]
        done = subprocess.run(argv, cwd=tree, env=variables, capture_output=True, check=False)
        says(done, 1)
        assert sorted(os.listdir(tree)) == ["a.py", "keywatch.yaml"]

    @pytest.mark.parametrize("damage", DAMAGES)
    def test_a_damaged_file_is_as_good_as_absent(self, tmp_path: Path, damage: str) -> None:
        base = tmp_path / "base"
        cache.store("rules", b"some rules", str(base))
        assert cache.load("rules", str(base)) == b"some rules"
        DAMAGES[damage](base / "rules", tmp_path / "elsewhere")
        assert cache.load("rules", str(base)) is None

    @pytest.mark.parametrize("first", [0, 3])
    def test_damaged_files_are_made_again(
        self, keywatch: Keywatch, tree: Path, warm: Path, first: int, tmp_path: Path
    ) -> None:
        """Each file by another damage."""
        damages = itertools.islice(itertools.cycle(DAMAGES.values()), first, None)
        for number, (file, damage) in enumerate(zip(sorted(warm.iterdir()), damages, strict=False)):
            damage(file, tmp_path / str(number))
        self.check(keywatch, tree, warm.parent)

    def test_a_database_of_another_engine_is_made_again(
        self, keywatch: Keywatch, tree: Path, warm: Path
    ) -> None:
        other = b"a database of another version"
        names = [file.name for file in warm.glob("database-*")]
        for name in names:
            cache.store(name, other, str(warm))
        self.check(keywatch, tree, warm.parent)
        assert names
        assert other not in [cache.load(name, str(warm)) for name in names]

    def poison(self, folder: Path) -> None:
        """Rules that find nothing, with a right checksum: what an attacker would plant."""
        folder.chmod(0o700)
        for file in list(folder.iterdir()):
            if file.name.startswith("rules-"):
                cache.store(file.name, b"", str(folder))
            elif file.name.startswith("database-"):
                file.unlink()

    def test_rules_that_the_user_stored_are_used(
        self, keywatch: Keywatch, tree: Path, warm: Path
    ) -> None:
        """So that the tests below show something."""
        self.poison(warm)
        seen = scan(keywatch, *WITHOUT_DATABASE, cwd=tree, XDG_CACHE_HOME=str(warm.parent))
        assert seen.paths == []

    @pytest.mark.parametrize("open_to", [0o020, 0o002, 0o004, 0o040])
    @pytest.mark.parametrize("what", ["folder", "files"])
    def test_what_others_can_open_is_not_trusted(
        self, keywatch: Keywatch, tree: Path, warm: Path, open_to: int, what: str
    ) -> None:
        self.poison(warm)
        for path in [warm] if what == "folder" else warm.iterdir():
            path.chmod(path.stat().st_mode | open_to)
        self.check(keywatch, tree, warm.parent, *WITHOUT_DATABASE)

    @pytest.mark.parametrize("what", ["folder", "files"])
    def test_what_belongs_to_another_user_is_not_trusted(
        self, keywatch: Keywatch, tree: Path, warm: Path, what: str
    ) -> None:
        if os.getuid():
            pytest.skip("only root can give files away")
        self.poison(warm)
        for path in [warm] if what == "folder" else list(warm.iterdir()):
            os.chown(path, 65534, 65534)
        self.check(keywatch, tree, warm.parent, *WITHOUT_DATABASE)

    def test_a_cache_that_the_tree_brings_is_not_trusted(
        self, keywatch: Keywatch, tree: Path, warm: Path
    ) -> None:
        self.poison(warm)
        shutil.move(warm.parent, tree / ".cache")
        (tree / "keywatch.yaml").write_text("version: 1\nscan: {exclude: [.cache]}\n")
        self.check(keywatch, tree, tree / ".cache", *WITHOUT_DATABASE)

    def test_a_folder_that_cannot_be_written_costs_time_alone(
        self, tree: Path, tmp_path: Path, few_rules: Path
    ) -> None:
        base = tmp_path / "closed"
        base.mkdir(mode=0o500)
        argv = [sys.executable, "-c", _DROP, "-m", "scanner", "scan", *WITHOUT_DATABASE]
        variables = environ(XDG_CACHE_HOME=str(base), PYTHONPATH=str(few_rules))
        done = subprocess.run(argv, cwd=tree, env=variables, capture_output=True, check=False)
        says(done, 1)
        assert done.stderr == b""

    def test_a_file_in_the_folders_place_costs_time_alone(
        self, keywatch: Keywatch, tree: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "base").mkdir()
        (tmp_path / "base" / "keywatch").touch()
        self.check(keywatch, tree, tmp_path / "base", *WITHOUT_DATABASE)
        self.check(keywatch, tree, tmp_path / "base" / "keywatch", *WITHOUT_DATABASE)

    def test_a_full_disk_leaves_nothing_half_written(
        self, tree: Path, tmp_path: Path, few_rules: Path
    ) -> None:
        variables = f"XDG_CACHE_HOME={tmp_path}/c PYTHONPATH={few_rules}"
        line = f"trap '' XFSZ; ulimit -f 20; {variables} exec $keywatch scan"
        says(shell(line, tree), 1)
        assert all(f.stat().st_size for f in (tmp_path / "c/keywatch").iterdir())
        databases = (tmp_path / "c/keywatch").glob("database-*")
        assert all(b"no patterns" in f.read_bytes() for f in databases)  # this one fits

    def test_runs_at_the_same_time_on_a_cold_cache_agree(
        self, tree: Path, tmp_path: Path, few_rules: Path
    ) -> None:
        variables = environ(XDG_CACHE_HOME=str(tmp_path / "cold"), PYTHONPATH=str(few_rules))
        several = [
            subprocess.Popen(
                command("scan", "--report=json=-"),
                cwd=tree,
                env=variables,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            for _ in range(3)
        ]
        for process in several:
            out, err = process.communicate(timeout=60)
            assert (process.returncode, err) == (1, b"")
            assert len(json.loads(out)["findings"]) == 1
        names = os.listdir(tmp_path / "cold/keywatch")
        made = re.compile(r"[a-z_]+-[0-9a-f]+(-[a-z]+-[0-9a-f]+)?\.(json|hs|key|code)")
        assert [name for name in names if not made.fullmatch(name)] == []

    def test_old_files_are_forgotten(self, keywatch: Keywatch, tree: Path, warm: Path) -> None:
        for number in range(200):
            (warm / f"rules-{number}.json").touch(0o600)
            os.utime(warm / f"rules-{number}.json", (number, number))
        (tree / "keywatch.yaml").write_text("version: 1\n# changed\n")
        self.check(keywatch, tree, warm.parent)
        assert len(list(warm.iterdir())) <= 64
