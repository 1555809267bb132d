"""What was ever committed: `keywatch scan --history`, on real repositories, from outside."""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.inputs.git import versions
from scanner.inputs.git.versions import NEAR, Version, Versions, added, around
from scanner.model import Gap
from tests.support.helpers import (
    IDENTITY,
    NOW,
    Keywatch,
    Scanned,
    detector,
    git,
    leak,
    repository,
    scan,
    token,
    write_commits,
    write_files,
    write_non_text_files,
)
from tests.support.repositories import password

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return repository(tmp_path / "repo")


def commit(root: Path, files: Mapping[str, str | bytes], *removed: str, when: int = 0) -> str:
    write_files(root, files)
    for name in removed:
        git(root, "rm", "-q", "--", name)
    git(root, "add", "-A")
    argv = ["git", *IDENTITY, "commit", "-q", "--allow-empty", "-m", "change"]
    date = f"{when or int(time.time())} +0000"
    at = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    subprocess.run(argv, cwd=root, env=os.environ | at, check=True)
    return git(root, "rev-parse", "HEAD").strip()


def history(keywatch: Keywatch, root: Path, *arguments: str) -> Scanned:
    return scan(keywatch, "--history", *arguments, cwd=root)


class TestWhatIsSaid:
    def test_the_first_commit_its_author_its_date_and_that_it_is_still_there(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        first = commit(repo, {"app.py": leak()}, when=1_700_000_000)
        commit(repo, {"app.py": "x = 1\n" + leak()})
        seen = history(keywatch, repo)
        (finding,) = seen.report["findings"]
        assert seen.code == 1
        assert finding["location"]["line"] == 2  # where it stands now
        assert finding["since"] == {
            "commit": first,
            "author": "Test <test@example.org>",
            "date": "2023-11-14T22:13:20Z",
            "present": True,
        }
        words = f"first in commit {first[:12]} of 2023-11-14 by Test <test@example.org>"
        assert finding["detail"] == words
        assert token() not in json.dumps(seen.report)

    def test_what_is_gone_is_to_be_revoked(self, keywatch: Keywatch, repo: Path) -> None:
        first = commit(repo, {"app.py": leak()})
        commit(repo, {}, "app.py")
        (finding,) = history(keywatch, repo).report["findings"]
        assert finding["since"]["commit"] == first
        assert finding["since"]["present"] is False
        assert finding["detail"].startswith("only in the history, revoke it")

    def test_each_value_is_reported_once(self, keywatch: Keywatch, repo: Path) -> None:
        for number in range(6):
            commit(repo, {"app.py": f"x = {number}\n{leak(number % 2)}"})
        found = history(keywatch, repo).report["findings"]
        assert sorted(each["since"]["present"] for each in found) == [False, True]
        assert len({each["fingerprint"] for each in found}) == 2

    def test_the_fingerprint_of_what_is_still_there_is_that_of_a_scan(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        commit(repo, {"app.py": leak()})
        now = scan(keywatch, cwd=repo).report["findings"][0]["fingerprint"]
        assert history(keywatch, repo).report["findings"][0]["fingerprint"] == now

    @pytest.mark.parametrize(
        "text",
        [
            "kind: Pod\nspec:\n  containers:\n  - env:\n    - name: DB_PASSWORD\n      value: {}\n",
            "kind: Secret\nstringData:\n" + "  # the next one\n" * 9 + "  colour: {}\n",
        ],
    )
    def test_a_value_that_a_line_means_which_did_not_change(
        self, keywatch: Keywatch, repo: Path, text: str
    ) -> None:
        text = f"apiVersion: v1\n{text}"
        commit(repo, {"it.yaml": text.format('""')})
        second = commit(repo, {"it.yaml": text.format(password(3).split('"')[1])})
        found = history(keywatch, repo).report["findings"]
        assert {each["since"]["commit"] for each in found} == {second}

    def test_a_file_that_moved_is_followed(self, keywatch: Keywatch, repo: Path) -> None:
        first = commit(repo, {"a.py": leak() + "x = 1\n" * 20})
        for old, new in (("a.py", "b.py"), ("b.py", "c.py")):
            git(repo, "mv", old, new)
            commit(repo, {})
        (finding,) = history(keywatch, repo).report["findings"]
        assert finding["location"]["path"] == "c.py"
        assert (finding["since"]["commit"], finding["since"]["present"]) == (first, True)

    def test_reports_for_people_and_for_code_scanning_say_it_too(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        first = commit(repo, {"app.py": leak()})
        schema = json.loads((ROOT / "rules" / "schema" / "report.schema.json").read_text())
        jsonschema.validate(history(keywatch, repo).report, schema)
        shown = keywatch("scan", "--history", "--now", NOW, cwd=repo).stdout.decode()
        assert f"first in commit {first[:12]}" in shown
        done = keywatch("scan", "--history", "--report", "sarif=-", "--now", NOW, cwd=repo)
        (result,) = json.loads(done.stdout)["runs"][0]["results"]
        assert result["properties"]["since"]["commit"] == first

    def test_a_hostile_author_breaks_no_report(self, keywatch: Keywatch, repo: Path) -> None:
        write_files(repo, {"app.py": leak()})
        git(repo, "add", "-A")
        author = f"\x1b[2J::error::x {token(4)} <e@example.org>"
        git(repo, "commit", "-q", "-m", "x", f"--author={author}")
        done = keywatch("scan", "--history", cwd=repo)
        assert b"\x1b[2J" not in done.stdout
        assert token(4).encode() not in done.stdout

    def test_exceptions_count_as_they_are_now(self, keywatch: Keywatch, repo: Path) -> None:
        commit(repo, {"app.py": password(1)})
        commit(repo, {}, "app.py")
        (finding,) = history(keywatch, repo).report["findings"]
        terms = ("--reason", "revoked", "--owner", "@x", "--until", "2098-01-01", "--now", NOW)
        shown = keywatch("scan", "--history", cwd=repo).stdout.decode()
        assert f"keywatch allow {finding['id']} --history --reason" in shown
        done = keywatch("allow", finding["id"], "--history", *terms, cwd=repo)
        assert done.returncode == 0, done.stderr
        seen = history(keywatch, repo)
        assert (seen.code, seen.report["summary"]["suppressed"]) == (0, {"entry": 1})


class TestWhichCommits:
    def test_those_of_all_refs(self, keywatch: Keywatch, repo: Path) -> None:
        git(repo, "checkout", "-q", "-b", "other")
        commit(repo, {"a.py": leak(1)})
        git(repo, "tag", "-a", "v1", "-m", "tagged")
        git(repo, "checkout", "-q", "--detach", "main")
        commit(repo, {"b.py": leak(2)})
        assert history(keywatch, repo).paths == ["a.py", "b.py"]

    def test_those_of_a_range_or_of_one_name(self, keywatch: Keywatch, repo: Path) -> None:
        commit(repo, {"a.py": leak(1)})
        git(repo, "tag", "v1")
        commit(repo, {"b.py": leak(2)})
        assert history(keywatch, repo, "v1..HEAD").paths == ["b.py"]
        assert history(keywatch, repo, "v1").paths == ["a.py"]
        assert history(keywatch, repo, "HEAD..HEAD").code == 0
        assert history(keywatch, repo, "nope").code == 2

    def test_stashes_and_notes_where_they_are_asked_for(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        for number in (1, 2):
            write_files(repo, {"start.txt": leak(number)})
            git(repo, "stash", "-q")
        git(repo, "notes", "add", "-m", leak(3).strip())
        assert history(keywatch, repo).paths == []
        assert history(keywatch, repo, "--stashes").paths == ["start.txt"] * 2
        assert len(history(keywatch, repo, "--notes").paths) == 1

    def test_what_a_merge_itself_adds(self, keywatch: Keywatch, repo: Path) -> None:
        git(repo, "checkout", "-q", "-b", "side")
        commit(repo, {"side.py": "a = 1\n", "both.py": "s = 1\n"})
        git(repo, "checkout", "-q", "main")
        commit(repo, {"main.py": "b = 1\n"})
        git(repo, "merge", "-q", "--no-commit", "side")
        merge = commit(repo, {"both.py": "s = 1\n" + leak(), "evil.py": leak(2)})
        found = history(keywatch, repo).report["findings"]
        assert {each["since"]["commit"] for each in found} == {merge}
        assert [each["location"]["path"] for each in found] == ["both.py", "evil.py"]

    def test_an_octopus(self, keywatch: Keywatch, repo: Path) -> None:
        for name in ("a", "b", "c"):
            git(repo, "checkout", "-q", "-b", name, "main")
            commit(repo, {f"{name}.py": leak(ord(name))})
        git(repo, "checkout", "-q", "main")
        git(repo, "merge", "-q", "-m", "octopus", "a", "b", "c")
        found = history(keywatch, repo).report["findings"]
        assert len(found) == 3
        assert all(each["since"]["present"] for each in found)

    def test_links_submodules_and_lfs_pointers_are_skipped(
        self, keywatch: Keywatch, repo: Path, tmp_path: Path
    ) -> None:
        wanted = write_non_text_files(repo, repository(tmp_path / "other"))
        commit(repo, {"app.py": leak()})
        seen = history(keywatch, repo)
        assert seen.skips == wanted
        assert seen.report["complete"] is True
        assert seen.paths == ["app.py"]

    def test_a_merge_that_only_takes_both_sides_adds_nothing(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        first = commit(repo, {"a.py": leak()})
        git(repo, "checkout", "-q", "-b", "side", "HEAD~1")
        commit(repo, {"b.py": "x = 1\n"})
        git(repo, "merge", "-q", "-m", "merge", "main")
        (finding,) = history(keywatch, repo).report["findings"]
        assert finding["since"]["commit"] == first

    def test_the_oldest_of_two_branches_is_the_first(self, keywatch: Keywatch, repo: Path) -> None:
        git(repo, "checkout", "-q", "-b", "late")
        commit(repo, {"a.py": leak()}, when=1_900_000_000)
        git(repo, "checkout", "-q", "-b", "early", "main")
        early = commit(repo, {"a.py": leak()}, when=1_800_000_000)
        (finding,) = history(keywatch, repo).report["findings"]
        assert finding["since"]["commit"] == early

    def test_many_commits_in_several_processes(self, keywatch: Keywatch, tmp_path: Path) -> None:
        root = repository(tmp_path / "many")
        lines = (leak(n) if n % 100 == 0 else f"x = {n}\n" for n in range(1, 1301))
        write_commits(root, ({f"f{n % 7}.py": line} for n, line in enumerate(lines)))
        seen = history(keywatch, root, "main")
        assert len(seen.paths) == 13
        assert seen.files == 1300 + 1

    def test_a_repository_without_a_commit(self, keywatch: Keywatch, tmp_path: Path) -> None:
        git(tmp_path, "init", "-q")
        seen = history(keywatch, tmp_path)
        assert (seen.code, seen.files) == (0, 0)

    def test_an_unborn_branch_beside_others(self, keywatch: Keywatch, repo: Path) -> None:
        commit(repo, {"a.py": leak()})
        git(repo, "checkout", "-q", "--orphan", "new")
        (finding,) = history(keywatch, repo).report["findings"]
        assert finding["since"]["present"] is False

    def test_a_bare_repository_has_its_own_policy(
        self, keywatch: Keywatch, repo: Path, tmp_path: Path
    ) -> None:
        commit(
            repo,
            {
                "a.py": leak(1),
                "b/c.py": leak(2),
                "keywatch.yaml": "version: 1\nscan: {exclude: [b]}\n",
            },
        )
        git(tmp_path, "clone", "-q", "--bare", str(repo), "bare.git")
        seen = history(keywatch, tmp_path / "bare.git")
        assert seen.paths == ["a.py"]
        assert seen.skips == [("excluded", "b/c.py")]


class TestWhatIsMissing:
    def test_a_shallow_clone_is_a_gap(self, keywatch: Keywatch, repo: Path, tmp_path: Path) -> None:
        commit(repo, {"a.py": leak()})
        commit(repo, {"b.py": "x = 1\n"})
        git(tmp_path, "clone", "-q", "--depth=1", f"file://{repo}", "shallow")
        seen = history(keywatch, tmp_path / "shallow")
        assert (seen.code, seen.paths) == (1, ["a.py"])
        assert seen.report["complete"] is False
        assert [kind for kind, _ in seen.gaps] == ["shallow"]
        assert "git fetch --unshallow" in seen.report["gaps"][0]["reason"]

    def test_what_a_partial_clone_left_out_is_a_gap(
        self, keywatch: Keywatch, repo: Path, tmp_path: Path
    ) -> None:
        commit(repo, {"a.py": leak()})
        git(repo, "config", "uploadpack.allowFilter", "true")
        options = ("--filter=blob:none", "--no-checkout")
        git(tmp_path, "clone", "-q", *options, f"file://{repo}", "part")
        seen = history(keywatch, tmp_path / "part")
        assert (seen.code, seen.paths) == (3, [])
        assert seen.gaps == [("unreadable", "a.py"), ("unreadable", "start.txt")]

    def test_a_commit_without_a_sound_author_is_told_without_one(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        commit(repo, {"a.py": leak()})
        text = git(repo, "cat-file", "commit", "HEAD")
        argv = ["git", "hash-object", "-t", "commit", "-w", "--stdin", "--literally"]
        broken = text.replace(text.splitlines()[2], "author nobody", 1).encode()
        made = subprocess.run(argv, cwd=repo, input=broken, capture_output=True, check=True)
        git(repo, "update-ref", "refs/heads/main", made.stdout.decode().strip())
        (finding,) = history(keywatch, repo, "main").report["findings"]
        assert (finding["since"]["author"], finding["since"]["date"]) == ("", "")

    def test_a_ref_that_leads_nowhere_is_a_gap(self, keywatch: Keywatch, repo: Path) -> None:
        commit(repo, {"a.py": leak()})
        broken = repo / ".git" / "refs" / "heads" / "broken"
        broken.write_text("1" * 40 + "\n")
        seen = history(keywatch, repo)
        assert seen.paths == ["a.py"]
        assert "refs/heads/broken" in seen.report["gaps"][0]["reason"]

    def test_so_is_one_whose_file_is_garbage(self, keywatch: Keywatch, repo: Path) -> None:
        commit(repo, {"a.py": "x = 1\n"})
        (repo / ".git" / "refs" / "heads" / "broken").write_text("garbage\n")
        seen = history(keywatch, repo)
        assert "refs/heads/broken" in seen.report["gaps"][0]["reason"]

    def test_a_ref_whose_name_breaks_lines_is_one(self, keywatch: Keywatch, repo: Path) -> None:
        commit(repo, {"a.py": leak()})
        git(repo, "update-ref", "refs/heads/a\u2028b", "HEAD")
        assert not history(keywatch, repo).report["gaps"]

    def test_a_stash_with_a_signature_runs_nothing(
        self, keywatch: Keywatch, repo: Path, tmp_path: Path
    ) -> None:
        head = commit(repo, {"a.py": "x = 1\n"})
        program, ran = tmp_path / "gpg", tmp_path / "ran"
        program.write_text(f"#!/bin/sh\ntouch {ran}\n")
        program.chmod(0o755)
        person = "a <a@b> 1700000000 +0000"
        mark = "PGP SIGNATURE-----"
        signed = (
            f"tree {git(repo, 'rev-parse', 'HEAD^{tree}').strip()}\n"
            f"parent {head}\nparent {head}\nauthor {person}\ncommitter {person}\n"
            f"gpgsig -----BEGIN {mark}\n \n x\n -----END {mark}\n\nmessage\n"
        )
        argv = ["git", "hash-object", "-t", "commit", "-w", "--stdin"]
        made = subprocess.run(
            argv, cwd=repo, input=signed.encode(), capture_output=True, check=True
        )
        git(repo, "stash", "store", "-m", "x", made.stdout.decode().strip())
        git(repo, "config", "log.showSignature", "true")
        git(repo, "config", "gpg.program", str(program))
        git(repo, "reflog", "show", "--format=%H", "refs/stash")
        assert ran.exists()
        ran.unlink()
        assert history(keywatch, repo, "--stashes").code == 0
        assert not ran.exists()

    def test_a_damaged_commit_hides_no_other_one(self, keywatch: Keywatch, repo: Path) -> None:
        commit(repo, {"a.py": leak(1)}, when=1_700_000_000)
        bad = commit(repo, {"b.py": leak(2)}, when=1_700_001_000)
        commit(repo, {"c.py": leak(3)}, when=1_700_002_000)
        commit(repo, {"a.py": "x = 1\n"}, when=1_700_003_000)
        path = repo / ".git" / "objects" / bad[:2] / bad[2:]
        path.chmod(0o644)
        path.write_bytes(b"")
        seen = history(keywatch, repo)
        assert seen.paths == ["a.py"]  # what b.py and c.py add, only the damaged one could tell
        assert len(seen.gaps) == 2
        assert "git cannot list all commits" in json.dumps(seen.report["gaps"])
        assert history(keywatch, repo, "HEAD").code == 2

    def test_a_commit_whose_tree_is_damaged_is_a_gap_and_the_others_are_read(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        commit(repo, {"a.py": leak(1)})
        bad = commit(repo, {"b.py": leak(2)})
        commit(repo, {"a.py": "x = 1\n", "c.py": leak(3)}, "b.py")
        oid = git(repo, "rev-parse", f"{bad}^{{tree}}").strip()
        path = repo / ".git" / "objects" / oid[:2] / oid[2:]
        path.chmod(0o644)
        path.write_bytes(b"")
        seen = history(keywatch, repo)
        assert seen.paths == ["a.py"]
        assert len(seen.gaps) == 2  # of what it changes, and of what the next one does
        assert bad[:12] in json.dumps(seen.report["gaps"])


class TestSinceLast:
    def scan(self, keywatch: Keywatch, repo: Path, *arguments: str) -> Scanned:
        return history(keywatch, repo, "--since-last", *arguments)

    def test_a_commit_is_looked_at_once(self, keywatch: Keywatch, repo: Path) -> None:
        commit(repo, {"a.py": leak(1)})
        assert self.scan(keywatch, repo).paths == ["a.py"]
        assert self.scan(keywatch, repo).files == 0
        commit(repo, {"b.py": leak(2)})
        seen = self.scan(keywatch, repo)
        assert (seen.files, seen.paths) == (1, ["b.py"])

    def test_after_a_force_push_what_is_new_is_looked_at(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        commit(repo, {"a.py": leak(1)})
        self.scan(keywatch, repo)
        git(repo, "reset", "-q", "--hard", "HEAD~1")
        git(repo, "reflog", "expire", "--expire=now", "--all")
        git(repo, "gc", "-q", "--prune=now")
        commit(repo, {"b.py": leak(2)})
        assert self.scan(keywatch, repo).paths == ["b.py"]

    def test_other_rules_look_at_everything_again(self, keywatch: Keywatch, repo: Path) -> None:
        commit(repo, {"a.py": leak(1)})
        self.scan(keywatch, repo)
        write_files(repo, {"keywatch.yaml": "version: 1\nscan: {max_file_size: 30MB}\n"})
        assert self.scan(keywatch, repo).paths == ["a.py"]

    def test_an_incomplete_run_is_not_the_last_one(
        self, keywatch: Keywatch, repo: Path, tmp_path: Path
    ) -> None:
        commit(repo, {"a.py": leak(1)})
        git(tmp_path, "clone", "-q", "--depth=1", f"file://{repo}", "shallow")
        for _ in range(2):
            assert self.scan(keywatch, tmp_path / "shallow").paths == ["a.py"]
        git(tmp_path / "shallow", "fetch", "-q", "--unshallow")
        assert self.scan(keywatch, tmp_path / "shallow").paths == ["a.py"]
        assert self.scan(keywatch, tmp_path / "shallow").files == 0

    def test_it_needs_a_cache(self, keywatch: Keywatch, repo: Path) -> None:
        seen = scan(keywatch, "--history", "--since-last", cwd=repo, XDG_CACHE_HOME=str(repo))
        assert seen.code == 2
        assert "cache" in seen.err


def test_what_a_removed_line_makes_of_others_is_told_whatever_was_looked_at_before(
    keywatch: Keywatch, repo: Path
) -> None:
    value = password(5).split('"')[1]
    lines = ["x = 1", "password = (", "    # c", "    # d", f'    "{value}"', ")", ""]
    commit(repo, {"a.py": "\n".join(lines)})
    commit(repo, {"a.py": "\n".join(lines[:2] + lines[4:])})
    one, other = (history(keywatch, repo, *named) for named in ((), ("HEAD~1..HEAD",)))
    assert one.report["findings"] == other.report["findings"]
    assert len(one.report["findings"]) == 1


def test_what_a_content_marks_is_kept_for_each_path_that_has_it(
    keywatch: Keywatch, repo: Path
) -> None:
    text = "apiVersion: v1\nkind: Pod\nspec: {}\n" + "# filler\n" * 1000
    text += "  containers:\n  - env:\n    - name: DB_PASSWORD\n      value: correct7horse9b\n"
    commit(repo, {"b.yaml": text.format(">"), "z.py": text.format(">")})
    commit(repo, {"b.yaml": text.format("")})
    found = history(keywatch, repo).report["findings"]
    assert "b.yaml" in {each["location"]["path"] for each in found}


def test_a_history_that_was_looked_at_twice_says_the_same(keywatch: Keywatch, repo: Path) -> None:
    chosen = random.Random(7)
    names = ["a.py", "b/c.yaml", "d.env", "caf\xe9.txt"]
    for number in range(25):
        name = chosen.choice(names)
        commit(repo, {name: password(chosen.randrange(5)) + f"x = {number}\n"})
    arguments = ("scan", "--history", "--now", NOW, "--report", "json=-")
    one, other = (keywatch(*arguments, cwd=repo).stdout for _ in range(2))
    assert one == other


@pytest.mark.parametrize("seed", range(3))
def test_each_value_is_told_with_the_first_commit_that_has_it(
    keywatch: Keywatch, repo: Path, seed: int
) -> None:
    """Of most contents one pass says that there is nothing new in them: it is never mistaken."""
    chosen = random.Random(seed)
    texts = {
        "short.py": ["x = 0\n"],
        "long.py": [f"step_{number} = {number}\n" for number in range(800)],
        "other/long.py": [f"stage_{number} = {number}\n" for number in range(800)],
    }
    first: dict[tuple[str, str], str] = {}
    for number in range(40):
        name = chosen.choice([*texts])
        lines = texts[name]
        for _ in range(chosen.choice((1, 2, 5))):
            at = chosen.randrange(len(lines))
            new = chosen.choice((password(chosen.randrange(12)), f"y = {number}\n", lines[at]))
            lines[at : at + chosen.randrange(3)] = [new, lines[at]]
        oid = commit(repo, {path: "".join(each) for path, each in texts.items()})
        for path, each in texts.items():
            for line in each:
                if "password" in line:
                    first.setdefault((path, line[-4:-2]), oid)
    told = {
        (each["location"]["path"], each["preview"][1:3], each["since"]["commit"])
        for each in history(keywatch, repo).report["findings"]
    }
    assert told == {(*where, oid) for where, oid in first.items()}


def test_names_of_any_bytes(keywatch: Keywatch, repo: Path) -> None:
    for name in (b"new\nline.py", b"caf\xe9.py", b":100644 x.py", b". 00\n.py"):
        Path(os.fsdecode(os.fsencode(repo) + b"/" + name)).write_text(leak())
    commit(repo, {})
    assert len(history(keywatch, repo).paths) == 4


LINES = st.lists(st.sampled_from([b"a", b"b", b"c", b"", b"d\r"]), max_size=8)


@given(LINES, st.lists(LINES, min_size=1, max_size=3))
def test_each_line_that_no_version_before_has_is_new(
    lines: list[bytes], before: list[list[bytes]]
) -> None:
    text, others = b"\n".join(lines), [b"\n".join(each) for each in before]
    numbers = {n for first, last in added(text, others) for n in range(first, last + 1)}
    every = text.split(b"\n")
    known = {line for each in others for line in each.split(b"\n")}
    assert {n for n, line in enumerate(every, 1) if line not in known} <= numbers
    assert numbers <= set(range(1, len(every) + 1))
    assert added(text, [text]) in ((), ((1, 1),) if not text else ())
    new = {line for line in every if line not in known}
    assert new <= {*around(text, added(text, others)).split(b"\n")}


MARKED = st.lists(
    st.sampled_from([*(password(n).encode() for n in range(3)), b"x = 1\n", b"\n", b"key = (\n"]),
    max_size=9,
).map(b"".join)


@given(MARKED, MARKED)
def test_what_the_new_lines_and_those_near_them_may_say_is_marked_as_new(
    text: bytes, before: bytes
) -> None:
    one = detector()
    marks, known = (one.marks("a.py", each, NEAR) for each in (text, before))
    assert marks is not None
    assert known is not None
    if one.has_candidate("a.py", around(text, added(text, [before]))):
        assert not marks <= known
    assert bool(marks) == one.has_candidate("a.py", text)


def test_all_marks_of_one_line_have_the_same_lines_near_them() -> None:
    """Told once a line: a line of a megabyte may have any number."""
    one, line = detector(), password(1).strip().encode()
    short = b"x = 1\n" * 5
    long = short + b" ; ".join([line] * 400) + b"\n" + short
    marks = one.marks("a.py", long, NEAR)
    assert marks is not None
    assert max(marks.values()) >= 400
    assert len(marks) < 9
    assert one.marks("a.py", long * 3, NEAR) is None  # too many to be kept


def naive_ends(text: bytes, before: bytes) -> tuple[int, int]:
    """How many bytes of whole lines both begin with, and of the rest how many both end with."""
    start = same(text, before)
    start = text.rfind(b"\n", 0, start) + 1
    tail = same(text[start:][::-1], before[start:][::-1])
    end = text.find(b"\n", len(text) - tail)
    return start, len(text) - end if tail and end >= 0 else 0


def same(one: bytes, other: bytes) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


SHARED = st.lists(st.sampled_from([b"a\n", b"b: >\n", b" zT9qLw2xK7p\n", b"# filler\n" * 4, b"c"]))


@given(SHARED, SHARED, SHARED, SHARED)
def test_lines_are_new_that_stand_between_what_both_begin_and_end_with(
    head: list[bytes], ours: list[bytes], theirs: list[bytes], tail: list[bytes]
) -> None:
    text, before = (b"".join([*head, *middle, *tail]) for middle in (ours, theirs))
    start, end = naive_ends(text, before)
    known = set(before[start : len(before) - end].split(b"\n"))
    between = text[start : len(text) - end].split(b"\n")
    first = text.count(b"\n", 0, start) + 1
    expected = [number for number, line in enumerate(between, first) if line not in known]
    found = added(text, [before])
    assert {n for low, high in found for n in range(low, high + 1)} >= {*expected}


@pytest.mark.parametrize("path", ["it.md", "it.txt", "it.py"])
def test_a_value_is_found_that_changes_far_behind_what_says_that_it_is_one(
    keywatch: Keywatch, repo: Path, path: str
) -> None:
    """Some rules skip hundreds of characters between the two."""
    options = "".join(f"  option_{n} = {n}\n" for n in range(5)) + f"  -- {'long ' * 44}\n"
    for number in range(3):
        value = password(number).split('"')[1]
        commit(repo, {path: f"CREATE USER app\n{options}  PASSWORD '{value}';\n{'#' * 90}\n"})
    assert len(history(keywatch, repo).report["findings"]) == 3


def test_a_parent_in_another_encoding_is_still_one(keywatch: Keywatch, repo: Path) -> None:
    """With a zero among its characters its text is none that another look would know as text."""
    text = f"first\0\n{leak()}" + "x = 1\n" * 9
    commit(repo, {"a.py": text.encode("utf-16")})
    commit(repo, {"a.py": (text + "y = 2\n").encode("utf-16")})
    commit(repo, {"a.py": (text + leak(8)).encode("utf-16")})
    (finding,) = scan(keywatch, "--diff", "HEAD~2..HEAD", cwd=repo).report["findings"]
    assert finding["location"]["line"] == 12


def test_a_value_that_a_commit_repeats_below_is_found_there(keywatch: Keywatch, repo: Path) -> None:
    """What a file begins and ends with is told to the byte: else these new lines are old ones."""
    filler = ("#" + "-" * 62 + "\n") * 2
    value = password(3).split('"')[1]
    commit(repo, {"f.yaml": f"{filler}password: >\nb: >\n {value}\n"})
    commit(repo, {"f.yaml": f"{filler}password: >\nb: >\n {value}\npassword: >\n {value}\n"})
    (finding,) = history(keywatch, repo).report["findings"]
    assert finding["location"]["line"] >= 6


class TestACommitThatIsTooMuch:
    """Half a million files are; here it is less that counts as such."""

    @pytest.fixture(autouse=True)
    def fewer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(versions, "MOST_LISTED", 4_000)

    def seen(self, repo: Path, item: str) -> list[Version | Gap]:
        asked = Versions(str(repo))
        found = [got for _, got in asked.of([git(repo, "rev-parse", item).strip()])]
        asked.close()
        return found

    def test_what_it_removes_does_not_count(self, repo: Path) -> None:
        commit(repo, {f"vendor/{number}.py": "x = 1\n" for number in range(60)})
        git(repo, "rm", "-rq", "vendor")
        commit(repo, {"b.py": leak()})
        assert [got.path for got in self.seen(repo, "HEAD")] == ["b.py"]
        assert [type(got) for got in self.seen(repo, "HEAD~1")] == [Gap]

    def test_a_merge_that_is_is_a_gap(self, repo: Path) -> None:
        git(repo, "checkout", "-q", "-b", "side")
        commit(repo, {"side.py": "x = 1\n"})
        git(repo, "checkout", "-q", "main")
        commit(repo, {"main.py": "x = 1\n"})
        git(repo, "merge", "-q", "--no-commit", "side")
        commit(repo, {f"vendor/{number}.py": "x = 1\n" for number in range(60)})
        assert git(repo, "rev-list", "--merges", "HEAD")
        assert [type(got) for got in self.seen(repo, "HEAD")] == [Gap]


def test_trees_that_are_the_same_stand_between_others(repo: Path) -> None:
    before = git(repo, "rev-parse", "HEAD^{tree}").strip()
    commit(repo, {"new\n: a.py": "x = 1\n"})
    after = git(repo, "rev-parse", "HEAD^{tree}").strip()
    same, other = f"{before} {before}", f"{before} {after}"
    asked = Versions(str(repo))
    found = [*asked.of([same, other, f"{after} {after}"])]
    asked.close()
    assert [(item, got.path) for item, got in found if not isinstance(got, Gap)] == [
        (other, "new\n: a.py")
    ]
    assert len(found) == 1
