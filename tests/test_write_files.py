"""Files are replaced as a whole, or not at all."""

from __future__ import annotations

import os
import resource
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from scanner import files
from scanner.errors import ExitCode, OutputError
from scanner.fix import replace_file

NOBODY = 65534


@pytest.fixture
def small_files() -> Iterator[int]:
    """No file may grow over this number of bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        yield 4096
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def read_only_folder() -> Iterator[Path]:
    """A folder with a file `kept`, in which this process may not write; root could, so it is not
    root meanwhile."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "kept").write_bytes(b"before")
        folder.chmod(0o555)
        user = os.geteuid()
        if not user:
            os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            os.seteuid(user)
            folder.chmod(0o700)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class TestReplacing:
    def test_the_new_content_takes_the_place_of_the_old(self, tmp_path: Path) -> None:
        path = tmp_path / "report"
        path.write_bytes(b"a longer one that was there before")
        files.write_pieces(str(path), iter([b"first, ", b"second"]))
        assert path.read_bytes() == b"first, second"
        assert names(tmp_path) == ["report"]

    def test_a_name_without_a_folder_is_in_the_current_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        files.write_file("report", b"data")
        assert (tmp_path / "report").read_bytes() == b"data"

    def test_a_link_is_replaced_and_its_target_stays(self, tmp_path: Path) -> None:
        (tmp_path / "target").write_bytes(b"before")
        (tmp_path / "link").symlink_to("target")
        files.write_file(str(tmp_path / "link"), b"after")
        assert not (tmp_path / "link").is_symlink()
        assert (tmp_path / "target").read_bytes() == b"before"

    @pytest.mark.parametrize("mode", [files.PRIVATE, 0o755, 0o644])
    def test_a_mode_that_is_given_does_not_depend_on_the_umask(
        self, tmp_path: Path, mode: int
    ) -> None:
        before = os.umask(0o077)
        try:
            files.write_file(str(tmp_path / "file"), b"", mode=mode)
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode

    def test_without_a_mode_the_umask_decides(self, tmp_path: Path) -> None:
        before = os.umask(0o027)
        try:
            files.write_file(str(tmp_path / "file"), b"")
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640

    def test_a_pipe_is_written_to_and_stays_a_pipe(self, tmp_path: Path) -> None:
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        files.write_file(str(pipe), b"data")
        assert os.read(reader, 10) == b"data"
        os.close(reader)
        assert stat.S_ISFIFO(pipe.stat().st_mode)


class TestFailures:
    def test_on_a_full_disk_the_old_file_stays(self, tmp_path: Path, small_files: int) -> None:
        path = tmp_path / "report"
        path.write_bytes(b"before")
        with pytest.raises(OutputError) as error:
            files.write_file(str(path), b"x" * (small_files + 1))
        assert error.value.exit_code == ExitCode.INCOMPLETE
        assert error.value.why == "File too large"
        assert path.read_bytes() == b"before"
        assert names(tmp_path) == ["report"]

    def test_a_device_that_is_full_is_an_error(self) -> None:
        with pytest.raises(OutputError) as error:
            files.write_file("/dev/full", b"data")
        assert error.value.why == "No space left on device"

    def test_a_folder_that_is_missing_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError) as error:
            files.write_file(str(tmp_path / "missing" / "report"), b"data")
        assert error.value.why == f"there is no folder {tmp_path / 'missing'}"
        assert names(tmp_path) == []

    def test_a_folder_is_not_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "report").mkdir()
        with pytest.raises(OutputError) as error:
            files.write_file(str(tmp_path / "report"), b"data")
        assert error.value.why == "Is a directory"
        assert names(tmp_path) == ["report"]

    def test_in_a_folder_that_is_read_only_the_old_file_stays(self, read_only_folder: Path) -> None:
        with pytest.raises(OutputError) as error:
            files.write_file(str(read_only_folder / "kept"), b"after")
        assert error.value.why == "Permission denied"
        assert (read_only_folder / "kept").read_bytes() == b"before"
        assert names(read_only_folder) == ["kept"]

    def test_an_error_in_the_pieces_leaves_the_old_file(self, tmp_path: Path) -> None:
        path = tmp_path / "report"
        path.write_bytes(b"before")

        def pieces() -> Iterator[bytes]:
            yield b"after"
            raise ValueError("in a reporter")

        with pytest.raises(ValueError, match="in a reporter"):
            files.write_pieces(str(path), pieces())
        assert path.read_bytes() == b"before"
        assert names(tmp_path) == ["report"]

    def test_an_error_of_the_last_check_leaves_the_old_file(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"before")

        def check() -> None:
            assert len(names(tmp_path)) == 2, "the new file is complete when it is called"
            raise ValueError("it has changed")

        with pytest.raises(ValueError, match="it has changed"):
            files.replace(str(path), [b"after"], check=check)
        assert path.read_bytes() == b"before"
        assert names(tmp_path) == ["file"]


class TestFixedFiles:
    """A file of the scanned tree, replaced by its fixed version."""

    def test_a_file_keeps_its_mode(self, tmp_path: Path) -> None:
        path = tmp_path / "deploy.sh"
        path.write_bytes(b"before")
        path.chmod(0o750)
        assert replace_file.replace(str(tmp_path), "deploy.sh", b"before", b"after") == ""
        assert path.read_bytes() == b"after"
        assert stat.S_IMODE(path.stat().st_mode) == 0o750

    def test_a_file_that_was_not_there_is_created(self, tmp_path: Path) -> None:
        assert replace_file.replace(str(tmp_path), ".env.example", None, b"NAME=\n") == ""
        assert (tmp_path / ".env.example").read_bytes() == b"NAME=\n"

    def test_a_file_that_has_changed_stays(self, tmp_path: Path) -> None:
        path = tmp_path / "app.yaml"
        path.write_bytes(b"newer")
        why = replace_file.replace(str(tmp_path), "app.yaml", b"before", b"after")
        assert why == "it changed in the meantime: run the command again"
        assert path.read_bytes() == b"newer"
        assert names(tmp_path) == ["app.yaml"]

    def test_a_link_stays(self, tmp_path: Path) -> None:
        (tmp_path / "target").write_bytes(b"before")
        (tmp_path / "link").symlink_to("target")
        why = replace_file.replace(str(tmp_path), "link", b"before", b"after")
        assert why == "it is a symbolic link, or not a regular file"
        assert (tmp_path / "target").read_bytes() == b"before"

    def test_a_file_in_a_linked_folder_stays(self, tmp_path: Path) -> None:
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside" / "file").write_bytes(b"before")
        (tmp_path / "tree").mkdir()
        (tmp_path / "tree" / "folder").symlink_to(tmp_path / "outside")
        why = replace_file.replace(str(tmp_path / "tree"), "folder/file", b"before", b"after")
        assert why == "its folder is a symbolic link"
        assert (tmp_path / "outside" / "file").read_bytes() == b"before"

    def test_in_a_folder_that_is_read_only_it_stays(self, read_only_folder: Path) -> None:
        why = replace_file.replace(str(read_only_folder), "kept", b"before", b"after")
        assert why == "it could not be written (Permission denied)"
        assert (read_only_folder / "kept").read_bytes() == b"before"

    def test_on_a_full_disk_it_stays(self, tmp_path: Path, small_files: int) -> None:
        (tmp_path / "file").write_bytes(b"before")
        why = replace_file.replace(str(tmp_path), "file", b"before", b"x" * (small_files + 1))
        assert why == "it could not be written (File too large)"
        assert names(tmp_path) == ["file"]
