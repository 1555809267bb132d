"""The names of files: what they give away, and which file they mean."""

from __future__ import annotations

from pathlib import Path

from tests.support.helpers import Keywatch, leak, scan, token


def test_a_secret_in_the_name_of_an_excluded_file_is_masked_and_no_finding(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    folder = tmp_path / "out" / token()
    folder.mkdir(parents=True)
    (folder / "a.py").write_text(leak())
    (tmp_path / "b.py").write_text("nothing\n")
    done = keywatch("scan", "--report=json=-", "--exclude=out/**", cwd=tmp_path)
    assert token().encode() not in done.stdout + done.stderr
    seen = scan(keywatch, "--exclude=out/**", cwd=tmp_path)
    ((kind, path),) = seen.skips
    assert (seen.code, seen.files, kind) == (0, 1, "excluded")
    assert path.startswith("out/")


def test_standard_input_under_an_absolute_name_is_that_file_of_the_tree(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    for name in ("sub/a.py", str(tmp_path / "sub" / "a.py")):
        seen = scan(
            keywatch, "--stdin", f"--stdin-name={name}", cwd=tmp_path, stdin=leak().encode()
        )
        assert seen.paths == ["sub/a.py"]


def test_a_password_in_the_name_of_a_file_or_folder_is_masked(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    value = "Tr0ub4dor-" + "xK9qL"
    for name in (f"password={value}.py", f"db-password={value}/b.py", "year=2026/key=abc.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(leak())
    done = keywatch("scan", "--report=json=-", cwd=tmp_path)
    assert value.encode() not in done.stdout + done.stderr
    seen = scan(keywatch, cwd=tmp_path)
    assert {*seen.paths} == {
        *("password=(15 characters).py", "db-password=(15 characters)/b.py"),
        "year=2026/key=abc.py",
    }
