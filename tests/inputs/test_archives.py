"""Members of archives as inputs, tried from outside: what is found where, and what hostile archives
come to."""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from scanner.inputs.archives import compression
from scanner.inputs.archives.archives import DEPTH, FLOOR, HELD, MEMBERS
from tests.support.archives import COMPRESSED, Members, image, info, tar_of, tarred, zipped
from tests.support.helpers import (
    NOW,
    Keywatch,
    Scanned,
    git,
    leak,
    repository,
    scan,
    token,
    write_files,
)

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "rules/schema/report.schema.json").read_bytes())
LEAK = f"import os\n\n{leak()}".encode()  # found in line 3, column 10
MEMBERS_OF = {"src/app.py": LEAK, "README": b"nothing here\n"}
TAR = tarred(MEMBERS_OF)
WITH_MEMBERS = {
    **{f"a.{suffix}": zipped(MEMBERS_OF) for suffix in ("zip", "jar", "whl", "docx", "nupkg")},
    "stored.zip": zipped(MEMBERS_OF, zipfile.ZIP_STORED),
    "bzip2.zip": zipped(MEMBERS_OF, zipfile.ZIP_BZIP2),
    "lzma.zip": zipped(MEMBERS_OF, zipfile.ZIP_LZMA),
    "script.pyz": b"#!/usr/bin/env python3\n" + zipped(MEMBERS_OF),
    "a.tar": TAR,
    "ustar.tar": tarred(MEMBERS_OF, tarfile.USTAR_FORMAT),
    "gnu.tar": tarred(MEMBERS_OF, tarfile.GNU_FORMAT),
    "a.tgz": COMPRESSED["gz"](TAR),
    **{f"a.tar.{suffix}": compress(TAR) for suffix, compress in COMPRESSED.items()},
    "parts.tar.gz": gzip.compress(TAR[:700]) + gzip.compress(TAR[700:]),
    "no-name": COMPRESSED["xz"](TAR),
}


def opened(keywatch: Keywatch, folder: Path, *arguments: str, **more: Any) -> Scanned:
    """A scan of a folder with --archives; its report follows the schema."""
    seen = scan(keywatch, "--archives", "--no-git", *arguments, cwd=folder, **more)
    jsonschema.Draft202012Validator(SCHEMA).validate(seen.report)
    return seen


def one(keywatch: Keywatch, folder: Path, name: str, data: bytes, *arguments: str) -> Scanned:
    return opened(keywatch, write_files(folder, {name: data}), *arguments)


class TestFormats:
    def test_a_secret_is_found_in_a_member_of_each(
        self, keywatch: Keywatch, tmp_path: Path
    ) -> None:
        seen = opened(keywatch, write_files(tmp_path, WITH_MEMBERS))
        assert seen.places == [(f"{name}!/src/app.py", 3, 10) for name in sorted(WITH_MEMBERS)]
        assert (seen.code, seen.skips, seen.gaps) == (1, [], [])
        assert seen.files == 2 * len(WITH_MEMBERS)

    def test_a_file_that_is_only_compressed_is_the_file_of_its_name(
        self, keywatch: Keywatch, tmp_path: Path
    ) -> None:
        files = {f"app.py.{suffix}": compress(LEAK) for suffix, compress in COMPRESSED.items()}
        seen = opened(keywatch, write_files(tmp_path, files))
        assert seen.places == [(f"{name}!/app.py", 3, 10) for name in sorted(files)]

    def test_they_stay_binary_files_where_nobody_asks(
        self, keywatch: Keywatch, tmp_path: Path
    ) -> None:
        seen = scan(keywatch, "--no-git", cwd=write_files(tmp_path, WITH_MEMBERS))
        assert (seen.code, seen.files) == (0, 0)
        assert seen.skips == [("binary", name) for name in sorted(WITH_MEMBERS)]

    def test_keywatch_yaml_may_ask(self, keywatch: Keywatch, tmp_path: Path) -> None:
        write_files(tmp_path, {"a.zip": zipped(MEMBERS_OF)})
        (tmp_path / "keywatch.yaml").write_text("version: 1\nscan: {archives: true}\n")
        seen = scan(keywatch, "--no-git", cwd=tmp_path)
        assert seen.paths == ["a.zip!/src/app.py"]

    def test_members_are_what_their_names_say(self, keywatch: Keywatch, tmp_path: Path) -> None:
        line = b"db:\n  password: " + b"Tr0ub4dor" + b"&3xyz\n"
        seen = one(keywatch, tmp_path, "chart.tgz", gzip.compress(tarred({"values.yaml": line})))
        assert seen.paths == ["chart.tgz!/values.yaml"]
        assert seen.report["findings"][0]["rule"].startswith("config-")

    def test_a_member_in_utf_16_is_text(self, keywatch: Keywatch, tmp_path: Path) -> None:
        data = LEAK.decode().encode("utf-16")
        assert one(keywatch, tmp_path, "a.zip", zipped({"a.ps1": data})).places == [
            ("a.zip!/a.ps1", 3, 10)
        ]

    def test_text_with_an_archives_name_is_text(self, keywatch: Keywatch, tmp_path: Path) -> None:
        names = ["a.zip", "b.tar", "c.gz", "d.7z"]
        seen = opened(keywatch, write_files(tmp_path, dict.fromkeys(names, LEAK)))
        assert (seen.paths, seen.gaps) == (names, [])

    def test_text_that_looks_like_a_mark_is_text(self, keywatch: Keywatch, tmp_path: Path) -> None:
        files = {"a.py": LEAK.ljust(257) + b"ustar\n", "b.py": b"PK\x03\x04 = 1\n" + LEAK}
        seen = opened(keywatch, write_files(tmp_path, files))
        assert seen.paths == ["a.py", "b.py"]
        assert seen.gaps == [("archive-damaged", "b.py")]

    def test_a_script_before_a_zip_is_scanned_with_it(
        self, keywatch: Keywatch, tmp_path: Path
    ) -> None:
        script = LEAK + b"exec java -jar $0\n" * 1000
        seen = one(keywatch, tmp_path, "run.jar", script + zipped(MEMBERS_OF))
        assert seen.paths == ["run.jar", "run.jar!/src/app.py"]

    def test_a_tar_from_before_there_was_a_mark(self, keywatch: Keywatch, tmp_path: Path) -> None:
        head = bytearray(tarred(MEMBERS_OF, tarfile.USTAR_FORMAT)[:512])
        head[257:265] = bytes(8)
        head[148:156] = b" " * 8
        head[148:156] = b"%06o\0 " % sum(head)
        seen = one(keywatch, tmp_path, "v7.tar", bytes(head) + LEAK.ljust(512, b"\0"))
        assert seen.paths == ["v7.tar!/src/app.py"]

    def test_7z_is_a_gap_that_says_what_to_do(self, keywatch: Keywatch, tmp_path: Path) -> None:
        seen = one(keywatch, tmp_path, "a.7z", b"7z\xbc\xaf\x27\x1c" + bytes(100))
        assert seen.gaps == [("archive-unsupported", "a.7z")]
        assert "unpack it" in seen.report["gaps"][0]["reason"]

    @pytest.mark.skipif(sys.version_info >= (3, 14), reason="Python itself has zstd there")
    def test_zstd_without_its_library_says_what_to_install(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delitem(sys.modules, "backports.zstd")
        monkeypatch.setitem(sys.modules, "backports", None)
        with pytest.raises(compression.Refused, match=r"keywatch\[archives\]"):
            compression.engine("zstd", HELD)


class TestTars:
    def test_long_names_in_each_style(self, keywatch: Keywatch, tmp_path: Path) -> None:
        name = "deep/" * 60 + "app.py"
        styles = {"pax.tar": tarfile.PAX_FORMAT, "gnu.tar": tarfile.GNU_FORMAT}
        files = {each: tarred({name: LEAK, "b.py": LEAK}, style) for each, style in styles.items()}
        seen = opened(keywatch, write_files(tmp_path, files))
        assert seen.paths == [
            f"{each}!/{member}" for each in sorted(files) for member in ("b.py", name)
        ]

    def test_a_second_tar_behind_the_end_is_read(self, keywatch: Keywatch, tmp_path: Path) -> None:
        seen = one(keywatch, tmp_path, "a.tar", tarred({"a.py": b"x\n"}) + tarred({"b.py": LEAK}))
        assert (seen.paths, seen.gaps) == (["a.tar!/b.py"], [])

    @pytest.mark.parametrize("version", ["0.1", "1.0"])
    def test_a_file_with_holes(self, keywatch: Keywatch, tmp_path: Path, version: str) -> None:
        """As GNU's tar stores it: the map of the holes in a header, or before the content."""
        major, minor = version.split(".")
        said = {"GNU.sparse.major": major, "GNU.sparse.minor": minor, "GNU.sparse.name": "a.py"}
        data = LEAK if major == "0" else f"1\n0\n{len(LEAK)}\n".encode().ljust(512, b"\0") + LEAK
        member = tarfile.TarInfo("GNUSparseFile.0/a.py" if major == "1" else "a.py")
        member.size = len(data)
        member.pax_headers = said
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as archive:
            archive.addfile(member, io.BytesIO(data))
        assert one(keywatch, tmp_path, "a.tar", out.getvalue()).places == [("a.tar!/a.py", 3, 10)]

    def test_links_and_devices_are_skipped(self, keywatch: Keywatch, tmp_path: Path) -> None:
        members = (
            info("soft", tarfile.SYMTYPE, "/etc/passwd"),
            info("hard", tarfile.LNKTYPE, "../../up"),
            info("null", tarfile.CHRTYPE),
            info("disk", tarfile.BLKTYPE),
            info("pipe", tarfile.FIFOTYPE),
            info("folder", tarfile.DIRTYPE),
        )
        seen = one(keywatch, tmp_path, "a.tar", tar_of(*members))
        assert (seen.code, seen.files) == (0, 0)
        assert seen.skips == [
            ("special", "a.tar!/disk"),
            ("symlink", "a.tar!/hard"),
            ("special", "a.tar!/null"),
            ("special", "a.tar!/pipe"),
            ("symlink", "a.tar!/soft"),
        ]


class TestZips:
    def test_a_link_is_skipped(self, keywatch: Keywatch, tmp_path: Path) -> None:
        link = zipfile.ZipInfo("link")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        seen = one(keywatch, tmp_path, "a.zip", _zip_of(link, b"/etc/passwd"))
        assert seen.skips == [("symlink", "a.zip!/link")]

    def test_what_is_encrypted_is_a_gap_and_the_rest_is_read(
        self, keywatch: Keywatch, tmp_path: Path
    ) -> None:
        data = _patched(zipped({"locked.py": LEAK, "open.py": LEAK}), 6, 8, b"\x01")
        seen = one(keywatch, tmp_path, "a.zip", data)
        assert seen.gaps == [("archive-encrypted", "a.zip!/locked.py")]
        assert seen.paths == ["a.zip!/open.py"]

    def test_an_unknown_compression_is_a_gap(self, keywatch: Keywatch, tmp_path: Path) -> None:
        data = _patched(zipped({"odd.py": LEAK, "open.py": LEAK}), 8, 10, b"\x09")
        seen = one(keywatch, tmp_path, "a.zip", data)
        assert seen.gaps == [("archive-unsupported", "a.zip!/odd.py")]
        assert seen.paths == ["a.zip!/open.py"]

    def test_separators_of_windows_part_a_name(self, keywatch: Keywatch, tmp_path: Path) -> None:
        data = zipped({"src/app.py": LEAK}).replace(b"src/app.py", b"src\\app.py")
        assert one(keywatch, tmp_path, "a.zip", data).paths == ["a.zip!/src/app.py"]

    def test_two_members_of_one_name_are_both_read(
        self, keywatch: Keywatch, tmp_path: Path
    ) -> None:
        data = zipped({"a.py": leak(1).encode(), "b.py": leak(2).encode()})
        seen = one(keywatch, tmp_path, "a.zip", data.replace(b"b.py", b"a.py"))
        assert seen.paths == ["a.zip!/a.py"] * 2

    def test_a_list_of_members_that_takes_too_much_memory_is_a_gap(
        self, keywatch: Keywatch, tmp_path: Path
    ) -> None:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for number in range(200):
                member = zipfile.ZipInfo(str(number))
                member.comment = bytes(0xFFFF)
                archive.writestr(member, b"")
        seen = one(keywatch, tmp_path, "a.zip", out.getvalue())
        assert (seen.code, seen.gaps) == (3, [("archive-too-large", "a.zip")])


class TestImages:
    LAYER = tarred({"app/run.py": LEAK, "etc/.wh.gone": b"", "app/.wh..wh..opq": b""})

    @pytest.mark.parametrize("compress", [bytes, *COMPRESSED.values()], ids=["tar", *COMPRESSED])
    def test_a_layout_is_a_folder_of_blobs(
        self, keywatch: Keywatch, tmp_path: Path, compress: Callable[[bytes], bytes]
    ) -> None:
        files = image(compress(self.LAYER))
        layer = list(files)[-1]
        seen = opened(keywatch, write_files(tmp_path, files))
        assert seen.places == [(f"{layer}!/app/run.py", 3, 10)]
        assert (seen.gaps, seen.skips, seen.files) == ([], [], 7)

    def test_a_layout_in_a_tar_names_the_layer(self, keywatch: Keywatch, tmp_path: Path) -> None:
        files = image(gzip.compress(self.LAYER))
        layer = list(files)[-1]
        seen = one(keywatch, tmp_path, "image.tar", tarred(files))
        assert seen.paths == [f"image.tar!/{layer}!/app/run.py"]

    def test_what_docker_saves(self, keywatch: Keywatch, tmp_path: Path) -> None:
        manifest = json.dumps([{"Layers": ["abc/layer.tar"]}]).encode()
        saved = tarred({"manifest.json": manifest, "abc/layer.tar": self.LAYER})
        link = tar_of(info("def/layer.tar", tarfile.SYMTYPE, "../abc/layer.tar"))
        seen = one(keywatch, tmp_path, "saved.tar", saved + link)
        assert seen.paths == ["saved.tar!/abc/layer.tar!/app/run.py"]
        assert seen.skips == [("symlink", "saved.tar!/def/layer.tar")]


class TestNesting:
    def test_archives_in_archives(self, keywatch: Keywatch, tmp_path: Path) -> None:
        jar = zipped({"BOOT-INF/lib/core.jar": zipped({"app.py": LEAK}), "b.py": LEAK})
        seen = one(keywatch, tmp_path, "a.tar.gz", gzip.compress(tarred({"app.jar": jar})))
        inner = "a.tar.gz!/app.jar!/"
        assert seen.paths == [f"{inner}BOOT-INF/lib/core.jar!/app.py", f"{inner}b.py"]

    def test_a_large_archive_in_a_zip(self, keywatch: Keywatch, tmp_path: Path) -> None:
        noise = random.Random(3).randbytes(10 << 20)
        jar = zipped({"noise.bin": noise, "app.py": LEAK}, zipfile.ZIP_STORED)
        text = b"some words\n" * 1_500_000 + leak().encode()
        data = zipped({"a.jar": jar, "b.txt": text}, zipfile.ZIP_STORED)
        seen = one(keywatch, tmp_path, "a.zip", data)
        assert (seen.paths, seen.gaps) == (["a.zip!/a.jar!/app.py", "a.zip!/b.txt"], [])

    def test_a_script_before_a_nested_zip(self, keywatch: Keywatch, tmp_path: Path) -> None:
        jar = LEAK + b"exec java -jar $0\n" * 1000 + zipped(MEMBERS_OF)
        seen = one(keywatch, tmp_path, "a.tar", tarred({"run.jar": jar, "text.zip": LEAK}))
        assert seen.paths == ["a.tar!/run.jar", "a.tar!/run.jar!/src/app.py", "a.tar!/text.zip"]

    def test_what_is_nested_too_deep_is_a_gap(self, keywatch: Keywatch, tmp_path: Path) -> None:
        data = zipped({"deep.py": LEAK})
        for number in range(DEPTH):
            data = zipped({f"{number}.zip": data, f"{number}.py": LEAK})
        seen = one(keywatch, tmp_path, "a.zip", data)
        assert seen.code == 1
        assert seen.gaps == [("archive-too-deep", "a.zip!/4.zip!/3.zip!/2.zip!/1.zip!/0.zip")]
        assert sorted(path[-4:] for path in seen.paths) == ["0.py", "1.py", "2.py", "3.py", "4.py"]

    def test_a_nested_zip_that_is_too_large_to_be_held_is_a_gap(
        self, keywatch: Keywatch, tmp_path: Path
    ) -> None:
        large = tarfile.TarInfo("large.zip")
        large.size = HELD + 1
        with (
            open(tmp_path / "a.tar", "wb") as file,
            tarfile.open(fileobj=file, mode="w") as archive,
        ):
            archive.addfile(large, io.BytesIO(b"PK\x03\x04".ljust(large.size, b"\0")))
            archive.addfile(info("after", tarfile.SYMTYPE, "x"))
        seen = opened(keywatch, tmp_path)
        assert seen.gaps == [("archive-too-large", "a.tar!/large.zip")]
        assert seen.skips == [("symlink", "a.tar!/after")]


class TestLimits:
    def test_a_member_over_max_file_size_is_skipped_and_an_archive_is_not(
        self, keywatch: Keywatch, tmp_path: Path
    ) -> None:
        noise = random.Random(3).randbytes(3000).hex().encode()
        members = {"large.txt": noise, "small.py": LEAK}
        write_files(tmp_path, {"a.zip": zipped(members), "b.tar": tarred(members)})
        write_files(tmp_path, {"large.txt.gz": gzip.compress(noise)})
        (tmp_path / "keywatch.yaml").write_text("version: 1\nscan: {max_file_size: 2KB}\n")
        seen = opened(keywatch, tmp_path)
        assert seen.paths == ["a.zip!/small.py", "b.tar!/small.py"]
        assert seen.skips == [
            ("too-large", "a.zip!/large.txt"),
            ("too-large", "b.tar!/large.txt"),
            ("too-large", "large.txt.gz!/large.txt"),
        ]

    def test_a_member_of_several_pieces(self, keywatch: Keywatch, tmp_path: Path) -> None:
        (tmp_path / "keywatch.yaml").write_text("version: 1\nscan: {max_file_size: 100MB}\n")
        data = random.Random(3).randbytes(1 << 20).hex().encode() + b"\n"
        data = data * 15 + leak().encode()
        seen = one(keywatch, tmp_path, "a.tar.gz", gzip.compress(tarred({"a.log": data}), 1))
        assert seen.places == [("a.tar.gz!/a.log", 16, 10)]
        seen = one(keywatch, tmp_path, "b.log.gz", gzip.compress(data, 1), "b.log.gz")
        assert seen.places == [("b.log.gz!/b.log", 16, 10)]

    def test_globs_leave_out_members_and_archives(self, keywatch: Keywatch, tmp_path: Path) -> None:
        members = {"vendor/a.py": LEAK, "b.py": LEAK, "c.jar": zipped({"d.py": LEAK})}
        write_files(tmp_path, {"a.zip": zipped(members), "e/f.zip": zipped(members)})
        seen = opened(keywatch, tmp_path, "--exclude=vendor", "--exclude=*.jar", "--exclude=e/**")
        assert seen.paths == ["a.zip!/b.py"]
        assert seen.skips == [
            ("excluded", "a.zip!/c.jar"),
            ("excluded", "a.zip!/vendor/a.py"),
            ("excluded", "e/f.zip"),
        ]
        seen = opened(keywatch, tmp_path, "--exclude=a.zip!/**", "--exclude=e")
        assert seen.paths == []

    @pytest.mark.slow
    def test_a_hundred_thousand_empty_members(self, keywatch: Keywatch, tmp_path: Path) -> None:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for number in range(100_000):
                archive.writestr(zipfile.ZipInfo(f"{number}"), b"")
        seen = one(keywatch, tmp_path, "a.zip", out.getvalue())
        assert (seen.code, seen.files, seen.gaps) == (0, 100_000, [])

    def test_too_many_members_are_a_gap(self, keywatch: Keywatch, tmp_path: Path) -> None:
        block = info("folder", tarfile.DIRTYPE).tobuf(tarfile.USTAR_FORMAT)
        seen = one(keywatch, tmp_path, "a.tar", block * (MEMBERS + 1))
        assert seen.gaps == [("archive-bomb", "a.tar")]


def bombs() -> dict[str, bytes]:
    """Small files out of which more comes than they are allowed."""
    text = b"0" * (19 << 20)
    large = bytes(2 * FLOOR)
    level = zipped({f"{number}.dll": text for number in range(4)})
    for depth in range(4):
        level = zipped({f"{depth}-{number}.zip": level for number in range(16)})
    many = tarred({f"{number}.txt": text[: FLOOR // 4] for number in range(5)})
    return {
        "42.zip": level,
        "one.zip": zipped({"zeros.txt": large}),
        "tar.tgz": gzip.compress(tarred({"zeros": large})),
        "many.tar.xz": COMPRESSED["xz"](many),
        **{f"zeros.{suffix}": compress(large) for suffix, compress in COMPRESSED.items()},
    }


class TestBombs:
    def test_each_is_a_gap_and_the_rest_of_the_tree_is_scanned(
        self, keywatch: Keywatch, tmp_path: Path
    ) -> None:
        files = bombs()
        write_files(tmp_path, {**files, "app.py": LEAK, "z.zip": zipped(MEMBERS_OF)})
        seen = opened(keywatch, tmp_path)
        assert (seen.code, seen.paths) == (1, ["app.py", "z.zip!/src/app.py"])
        assert {kind for kind, _ in seen.gaps} == {"archive-bomb"}
        assert sorted({path.partition("!/")[0] for _, path in seen.gaps}) == sorted(files)

    @pytest.mark.skipif(sys.platform != "linux", reason="sizes are in kB there")
    def test_they_take_little_memory(self, tmp_path: Path) -> None:
        """That of the largest process that was waited for."""
        write_files(tmp_path, bombs())
        code = (
            "import resource, subprocess, sys; subprocess.run(sys.argv[1:], capture_output=True);"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        )
        command = [sys.executable, "-m", "scanner", "scan", "--archives", "--no-git"]
        done = subprocess.run(
            [sys.executable, "-c", code, *command, str(tmp_path)],
            env={"PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
            capture_output=True,
            check=True,
        )
        assert int(done.stdout) < 200_000


class TestDamage:
    @pytest.mark.parametrize("name", WITH_MEMBERS)
    def test_a_file_that_was_cut_off_is_a_gap(
        self, keywatch: Keywatch, tmp_path: Path, name: str
    ) -> None:
        data = WITH_MEMBERS[name]
        # A tar without compression ends with more than 7 KB of zeros.
        seen = one(keywatch, tmp_path, name, data[: min(len(data) // 2, 1540)])
        assert {kind for kind, _ in seen.gaps} == {"archive-damaged"}
        assert seen.code in {1, 3}

    @pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.gz", "a.bz2", "a.xz", "a.zst"])
    def test_binary_content_under_an_archives_name_is_a_gap(
        self, keywatch: Keywatch, tmp_path: Path, name: str
    ) -> None:
        seen = one(keywatch, tmp_path, name, b"\0\1\2\3" * 1000)
        assert (seen.code, seen.gaps) == (3, [("archive-damaged", name)])

    def test_what_comes_before_the_damage_is_scanned(
        self, keywatch: Keywatch, tmp_path: Path
    ) -> None:
        noise = random.Random(3).randbytes(100_000).hex().encode()
        data = gzip.compress(LEAK + noise)
        cut = gzip.compress(tarred({"a.py": LEAK, "b.py": noise}))[:-40_000]
        seen = opened(keywatch, write_files(tmp_path, {"a.py.gz": data[:-40_000], "b.tgz": cut}))
        assert seen.paths == ["a.py.gz!/a.py", "b.tgz!/a.py"]
        assert {path for _, path in seen.gaps} == {"a.py.gz!/a.py", "b.tgz!/b.py", "b.tgz"}

    def test_a_damaged_header_is_not_taken_for_the_end(
        self, keywatch: Keywatch, tmp_path: Path
    ) -> None:
        data = bytearray(tarred({"a.py": LEAK, "b.py": LEAK, "c.py": LEAK}))
        data[1024 + 1] ^= 0xFF  # in the name of the second
        seen = one(keywatch, tmp_path, "a.tar", bytes(data))
        assert seen.paths == ["a.tar!/a.py"]
        assert seen.gaps == [("archive-damaged", "a.tar")]

    def test_a_window_that_takes_too_much_memory_is_a_gap(
        self, keywatch: Keywatch, tmp_path: Path
    ) -> None:
        frame = b"\x28\xb5\x2f\xfd\x00" + bytes([31 - 10 << 3]) + bytes(100)  # of 2 GB
        seen = one(keywatch, tmp_path, "a.zst", frame)
        assert [kind for kind, _ in seen.gaps] == ["archive-damaged"]

    @pytest.mark.parametrize("seed", range(4))
    def test_whatever_bytes_change_each_file_comes_to_something(
        self, keywatch: Keywatch, tmp_path: Path, seed: int
    ) -> None:
        chance = random.Random(seed)
        whole = WITH_MEMBERS | {"nested.zip": zipped({"a.tgz": WITH_MEMBERS["a.tgz"]})}
        files = {
            f"{number}-{name}": _mutated(data, chance)
            for number in range(20)
            for name, data in whole.items()
        }
        seen = opened(keywatch, write_files(tmp_path, files))
        assert seen.code in {0, 1, 3}
        assert "internal" not in {kind for kind, _ in seen.gaps}
        said = {path.partition("!/")[0] for _, path in seen.gaps + seen.skips} | {
            path.partition("!/")[0] for path in seen.paths
        }
        clean = set(files) - said
        # The secret is gone only where its own bytes were hit.
        assert len(clean) <= len(files) // 5


class TestNames:
    HOSTILE = (
        *("../../up.py", "/root.py", "C:\\win.py", "..", "a/./b/../c.py", "x" * 5000 + ".py"),
        *("bell\a.py", "esc\x1b[31m.py", "line\nbreak.py", "café.py", "%2e%2e/per.py", "a b?#.py"),
    )

    @pytest.mark.parametrize("make", [zipped, tarred], ids=["zip", "tar"])
    def test_they_are_labels_and_nothing_is_written(
        self, keywatch: Keywatch, tmp_path: Path, make: Callable[[Members], bytes]
    ) -> None:
        folder = write_files(
            tmp_path / "in/here", {"a.bin": make(dict.fromkeys(self.HOSTILE, LEAK))}
        )
        before = sorted(tmp_path.rglob("*"))
        seen = opened(keywatch, folder)
        assert sorted(tmp_path.rglob("*")) == before
        assert len(seen.paths) == len(self.HOSTILE)
        for path in seen.paths:
            assert path.startswith("a.bin!/")
            assert not {"", ".", ".."} & set(path.split("/"))

    def test_sarif_and_terminal_take_them(self, keywatch: Keywatch, tmp_path: Path) -> None:
        write_files(tmp_path, {"a b.zip": zipped(dict.fromkeys(self.HOSTILE, LEAK))})
        arguments = ("--archives", "--no-git", f"--now={NOW}")
        done = keywatch("scan", *arguments, "--report=sarif=-", cwd=tmp_path)
        (run,) = json.loads(done.stdout)["runs"]
        places = [each["locations"][0]["physicalLocation"] for each in run["results"]]
        assert len(places) == len(self.HOSTILE)
        for place in places:
            uri = place["artifactLocation"]["uri"]
            assert re.fullmatch(r"a%20b\.zip%21/(?:[\w.~/-]|%[0-9A-F]{2})+", uri)
            assert ".." not in uri.split("/")
            assert place["region"]["startLine"] == 3
        shown = keywatch("scan", *arguments, "--report=terminal=-", cwd=tmp_path).stdout.decode()
        assert "a b.zip!/root.py:3:10" in shown
        assert "\a" not in shown
        assert "\x1b[31m.py" not in shown
        assert " --archives --now " in shown

    def test_a_nul_in_a_name(self, keywatch: Keywatch, tmp_path: Path) -> None:
        record = b"path=a\0b.py\n"
        record = b"%d %b" % (len(record) + 3, record)
        header = info("@", tarfile.XHDTYPE)
        header.size = len(record)
        data = header.tobuf(tarfile.USTAR_FORMAT) + record.ljust(512, b"\0")
        seen = one(keywatch, tmp_path, "a.tar", data + tarred({"plain.py": LEAK}))
        assert seen.paths == ["a.tar!/a\0b.py"]

    def test_a_secret_in_a_name_is_found_and_masked(
        self, keywatch: Keywatch, tmp_path: Path
    ) -> None:
        secret = token(9)
        members = {f"keys/{secret}.py": LEAK, f"{secret}.bin": b"\0" * 100}
        write_files(tmp_path, {"a.zip": zipped(members), f"{token(8)}.zip": zipped(MEMBERS_OF)})
        seen = opened(keywatch, tmp_path)
        text = json.dumps(seen.report)
        assert secret not in text
        assert token(8) not in text
        assert len(seen.paths) == 5


class TestInputs:
    def test_the_work_tree_the_index_and_standard_input(
        self, keywatch: Keywatch, tmp_path: Path
    ) -> None:
        repo = repository(tmp_path / "repo")
        write_files(repo, {"lib/a.jar": zipped(MEMBERS_OF)})
        git(repo, "add", ".")
        found = ["lib/a.jar!/src/app.py"]
        assert scan(keywatch, "--archives", cwd=repo).paths == found
        (repo / "lib/a.jar").write_bytes(zipped({"b.py": b"x = 1\n"}))
        assert scan(keywatch, "--archives", "--staged", cwd=repo).paths == found
        assert scan(keywatch, "--archives", cwd=repo).paths == []
        from_pipe = ("--archives", "--stdin", "--stdin-name=x.whl")
        seen = scan(keywatch, *from_pipe, cwd=repo, stdin=zipped(MEMBERS_OF))
        assert seen.paths == ["x.whl!/src/app.py"]
        assert scan(keywatch, *from_pipe, cwd=repo, stdin=LEAK).paths == ["x.whl"]

    def test_what_cannot_be_held_in_memory_is_a_gap(
        self, keywatch: Keywatch, tmp_path: Path
    ) -> None:
        data = b"PK\x03\x04".ljust(HELD + 1, b"\0")
        from_pipe = ("--archives", "--stdin", "--stdin-name=x.zip")
        seen = scan(keywatch, *from_pipe, cwd=tmp_path, stdin=data)
        assert (seen.code, seen.gaps) == (3, [("archive-too-large", "x.zip")])

    def test_a_link_to_an_archive_is_a_link(self, keywatch: Keywatch, tmp_path: Path) -> None:
        write_files(tmp_path / "tree", {"x.py": b"x\n"})
        write_files(tmp_path, {"a.zip": zipped(MEMBERS_OF)})
        (tmp_path / "tree/a.zip").symlink_to("../a.zip")
        seen = opened(keywatch, tmp_path / "tree")
        assert (seen.paths, seen.skips) == ([], [("symlink", "a.zip")])

    def test_a_large_member_is_read_once_and_alone_in_exact_mode(
        self, keywatch: Keywatch, tmp_path: Path
    ) -> None:
        filler = b"some words that say nothing at all\n" * 70_000
        members = {"a.py": LEAK, "large.py": filler + leak().encode()}
        write_files(tmp_path, {f"{number}.zip": zipped(members) for number in range(3)})
        seen = opened(keywatch, tmp_path, "--detect-secrets=exact")
        assert seen.files == 6
        assert len(seen.paths) == len({*seen.places}) == 6


class TestPolicy:
    def test_a_baseline_knows_members(self, keywatch: Keywatch, tmp_path: Path) -> None:
        repo = repository(tmp_path / "repo")
        write_files(repo, {"a.zip": zipped(MEMBERS_OF)})
        assert keywatch("baseline", "create", "--archives", cwd=repo).returncode == 0
        known = (repo / ".keywatch.baseline").read_bytes()
        assert b"a.zip!/src/app.py" in known
        assert scan(keywatch, "--archives", cwd=repo).code == 0
        for run in ((), ("--exclude=*.zip",)):  # where the archive is not opened, the debt stays
            seen = scan(keywatch, *run, cwd=repo)
            assert (seen.code, seen.report["notes"]) == (0, [])
            keywatch("baseline", "update", *run, cwd=repo)
            assert (repo / ".keywatch.baseline").read_bytes() == known
        (repo / "a.zip").write_bytes(zipped({"src/app.py": b"x = 1\n"}))
        keywatch("baseline", "update", "--archives", "a.zip", cwd=repo)
        assert b"app.py" not in (repo / ".keywatch.baseline").read_bytes()

    def test_an_exception_covers_a_member_and_is_unused_only_where_it_was_opened(
        self, keywatch: Keywatch, tmp_path: Path
    ) -> None:
        repo = repository(tmp_path / "repo")
        write_files(repo, {"a.zip": zipped(MEMBERS_OF)})
        (found,) = scan(keywatch, "--archives", cwd=repo).report["findings"]
        terms = ("--reason=sample", "--owner=@team", "--until=2027-01-01", f"--now={NOW}")
        done = keywatch("allow", found["id"], "--archives", *terms, cwd=repo)
        assert done.returncode == 0, done.stderr
        assert scan(keywatch, "--archives", cwd=repo).code == 0
        assert scan(keywatch, cwd=repo).code == 0
        (repo / "a.zip").write_bytes(zipped({"src/app.py": b"x = 1\n"}))
        assert scan(keywatch, cwd=repo).code == 0
        later = "--now=2026-12-20T00:00:00Z"  # an exception of the last 14 days is not unused
        (unused,) = scan(keywatch, "--archives", later, cwd=repo).report["findings"]
        assert unused["rule"] == "allow-unused"

    def test_a_gap_may_be_accepted(self, keywatch: Keywatch, tmp_path: Path) -> None:
        write_files(tmp_path, {"vendor/a.7z": b"7z\xbc\xaf\x27\x1c" + bytes(100)})
        (tmp_path / "keywatch.yaml").write_text(
            "version: 1\naccept_gaps:\n  - {kind: archive-unsupported, path: 'vendor/**',"
            " reason: ours, owner: '@team', until: 2027-01-01}\n"
        )
        assert opened(keywatch, tmp_path).code == 0

    def test_fix_does_not_change_archives(self, keywatch: Keywatch, tmp_path: Path) -> None:
        write_files(tmp_path, {"a.zip": zipped(MEMBERS_OF)})
        done = keywatch("fix", "--templates", "--archives", cwd=tmp_path)
        assert (done.returncode, b"files in archives" in done.stderr) == (2, True)


def _zip_of(member: zipfile.ZipInfo, data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(member, data)
    return out.getvalue()


def _patched(data: bytes, local: int, central: int, value: bytes) -> bytes:
    """A zip with a byte changed in both headers of its first member."""
    (start,) = struct.unpack_from("<L", data, data.rindex(b"PK\x05\x06") + 16)
    changed = bytearray(data)
    changed[local : local + 1] = value
    changed[start + central : start + central + 1] = value
    return bytes(changed)


def _mutated(data: bytes, chance: random.Random) -> bytes:
    """Some bytes changed, cut out or doubled."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(changed))
        match chance.randrange(4):
            case 0:
                changed[at] = chance.randrange(256)
            case 1:
                changed[at] ^= 1 << chance.randrange(8)
            case 2:
                del changed[at : at + chance.randint(1, 40)]
            case _:
                changed[at:at] = changed[at : at + chance.randint(1, 40)]
        changed = changed or bytearray(data)
    return bytes(changed)
