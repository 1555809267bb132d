"""Expressions that stay compiled: the same answers, nothing of what was read, and no work twice."""

from __future__ import annotations

import importlib
import marshal
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import scanner
from scanner import cache, regexes

ROOT = Path(scanner.__file__).parents[1]
known = pytest.mark.skipif(not regexes._IS_KNOWN, reason="this Python compiles as ever")

COUNTING = """
import re._compiler as compiler, sys
count, compile_anew = 0, compiler.compile
def counted(*given):
    global count
    count += 1
    return compile_anew(*given)
compiler.compile = counted
from scanner.cli import main
code = main(sys.argv[1:])
print(count, file=sys.stderr)
sys.exit(code)
"""


def scan(folder: Path, home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", COUNTING, "scan", str(folder), "--no-git", "--report=json=-"],
        env=os.environ | {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(home)} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "app.yaml").write_text("password: " + "Wq7" + "-vT2pLx9\n")
    return tree


@known
def test_a_second_scan_compiles_hardly_any_and_finds_the_same(tree: Path, tmp_path: Path) -> None:
    first, second = (scan(tree, tmp_path / "home") for _ in range(2))
    assert first.returncode == second.returncode == 1
    counts = [int(each.stderr.splitlines()[-1]) for each in (first, second)]
    assert counts[1] < counts[0] / 2
    findings = [each.stdout.partition('"findings"')[2] for each in (first, second)]
    assert findings[0] == findings[1] != ""


@known
def test_nothing_of_what_was_read_is_kept(tree: Path, tmp_path: Path) -> None:
    """Variables that an example lists are looked for by expressions; so is what follows `<<`."""
    (tree / ".env.example").write_text("ODDLY_NAMED_VARIABLE=\n")
    (tree / "Dockerfile").write_text("RUN <<ODDEND\nexport PASSWORD=abc\nODDEND\n")
    (tree / "keywatch.yaml").write_text("version: 1\nscan:\n  exclude: ['oddfolder/**']\n")
    scan(tree, tmp_path / "home")
    (kept,) = (tmp_path / "home" / "keywatch").glob("regexes-*")
    assert b"(?P<" in kept.read_bytes()
    assert b"odd" not in kept.read_bytes().lower()


@known
@pytest.mark.parametrize("damage", [b"", b"\0" * 64])
def test_what_is_damaged_is_as_good_as_absent(tree: Path, tmp_path: Path, damage: bytes) -> None:
    before = scan(tree, tmp_path / "home")
    (kept,) = (tmp_path / "home" / "keywatch").glob("regexes-*")
    kept.write_bytes(kept.read_bytes()[: len(damage)] + damage)
    after = scan(tree, tmp_path / "home")
    assert after.returncode == before.returncode == 1
    assert "internal error" not in after.stderr


@known
def test_an_expression_that_was_kept_is_the_one_that_is_compiled_anew(tmp_path: Path) -> None:
    """Of all that the modules of detection write down: the same code, groups and answers."""
    import scanner.detect

    for module in pkgutil.iter_modules(scanner.detect.__path__, "scanner.detect."):
        importlib.import_module(module.name)
    found = {
        (each.pattern, int(each.flags & ~re.UNICODE))
        for name, module in list(sys.modules.items())
        if name.startswith("scanner.detect")
        for each in vars(module).values()
        if isinstance(each, re.Pattern)
    }
    assert len(found) > 100
    keys = {(isinstance(pattern, bytes), pattern, flags) for pattern, flags in found}
    folder = str(tmp_path / "cache")
    regexes._new |= keys
    with regexes.kept(folder):
        pass
    texts = ["", "password = 'x'", "${{ secrets.A }} {{ b }} $C", "-----BEGIN a/b.c:d@e=f\n"]
    with regexes.kept(folder):
        assert {*regexes._kept} == keys
        for pattern, flags in found:
            ours, theirs = regexes._compile(pattern, flags), regexes._compile_anew(pattern, flags)
            assert (ours.pattern, ours.flags, ours.groups) == (
                theirs.pattern,
                theirs.flags,
                theirs.groups,
            )
            assert ours.groupindex == theirs.groupindex
            for text in texts:
                given = text if isinstance(pattern, str) else text.encode()
                matches = [(m.span(), m.groups(), m.lastgroup) for m in ours.finditer(given)]
                assert matches == [
                    (m.span(), m.groups(), m.lastgroup) for m in theirs.finditer(given)
                ]


@known
@pytest.mark.parametrize(
    "planted",
    [b"junk", marshal.dumps([1]), marshal.dumps({(False, "x", 0): (0, b"abc", 0, {}, ())})],
)
def test_what_was_kept_in_another_form_is_compiled_anew(tmp_path: Path, planted: bytes) -> None:
    folder = str(tmp_path / "cache")
    cache.store(regexes._name(), planted, folder)
    with regexes.kept(folder):
        assert regexes._compile("x", 0).fullmatch("x")


@known
def test_what_cannot_be_kept_is_none_the_less_compiled(tmp_path: Path) -> None:
    """A module may hand over anything: a text of its own kind, a pattern that is parsed already."""
    (tmp_path / "odd.py").write_text(
        "import re, enum\nclass E(enum.StrEnum):\n    X = 'aa*'\n"
        "one = re.compile(E.X)\ntwo = re.Scanner([('b', None)])\n"
        "three = re._compiler.compile('c', re.I)\nfour = re.compile('kept of odd')\n"
    )
    folder = str(tmp_path / "cache")
    sys.path.insert(0, str(tmp_path))
    try:
        with regexes.kept(folder):
            odd = importlib.import_module("odd")
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("odd", None)
    assert odd.one.fullmatch("aaa")
    assert odd.three.fullmatch("C")
    assert b"kept of odd" in (cache.load(regexes._name(), folder) or b"")


@known
def test_a_scan_within_the_loading_of_a_module_keeps_nothing_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    (tmp_path / "wrapper.py").write_text(
        "import re\nfrom scanner import regexes\n"
        f"with regexes.kept({str(folder)!r}):\n    re.compile('from what was read')\n"
    )
    subprocess.run(
        [sys.executable, "-c", "import wrapper"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{tmp_path}"},
        check=True,
    )
    assert not folder.exists()


def test_without_a_cache_all_is_as_ever(tree: Path) -> None:
    done = scan(tree, Path("relative"), HOME="")
    assert done.returncode == 1
    with regexes.kept(None):
        assert re.compile("never written before 1").fullmatch("never written before 1")


@known
def test_a_file_that_others_may_read_is_not_taken(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    regexes._new.add((False, "x", 0))
    with regexes.kept(str(folder)):
        pass
    (kept,) = folder.iterdir()
    assert cache.load(kept.name, str(folder)) is not None
    kept.chmod(0o644)
    with regexes.kept(str(folder)):
        assert not regexes._kept
