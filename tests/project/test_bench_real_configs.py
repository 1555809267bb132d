"""The bench's real configuration: what is kept of an archive, and which kind a file is."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath

import pytest

from bench import corpora, peers, real_configs, real_history
from bench.real_configs import ARCHIVES, KINDS, Archive, Held
from tests.support.helpers import git

MANIFEST = b"apiVersion: apps/v1\nkind: Deployment\nspec: {}\n"
CHARTS = frozenset({PurePosixPath("a/chart")})


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a/chart/values.yaml", b"image: nginx\n", "helm"),
        ("a/chart/charts/b/templates/_helpers.tpl", b"", "helm"),
        ("a/chart/templates/deployment.yaml", MANIFEST, "helm"),
        ("a/deployment.yml", MANIFEST, "kubernetes"),
        ("a/deployment.yaml.j2", b"{% if a %}\n" + MANIFEST, "kubernetes"),
        (
            "a/chart/crds/b.yaml",
            MANIFEST.replace(b"Deployment", b"CustomResourceDefinition"),
            "crd",
        ),
        ("a/docker-compose.override.yml", b"", "compose"),
        ("a/stack.yml", b"version: 2\r\nservices:\r\n  web:\r\n    image: nginx\r\n", "compose"),
        ("a/services.yml", b"services:\n  - web\n", "yaml"),
        ("roles/b/defaults/main.yml", b"port: 80\n", "ansible"),
        ("site.yaml", b"- hosts: all\n  roles: [b]\n", "ansible"),
        ("roles/b/templates/b.conf.j2", b"port = {{ port }}\n", "jinja"),
        ("a/chart/main.tf", b"", "hcl"),
        ("a/prod.tfvars.example", b"", "hcl"),
        ("changelogs/changelog.yaml", b"- name: release\n", "yaml"),
        (".github/workflows/ci.yml", b"on: push\n", "yaml"),
    ],
)
def test_a_file_is_of_the_kind_that_its_place_and_text_say(
    name: str, text: bytes, expected: str
) -> None:
    path = PurePosixPath(name)
    assert real_configs.is_config(path)
    assert real_configs.kind(path, text, CHARTS) == expected
    assert expected in KINDS


@pytest.mark.parametrize("name", ["setup.py", "yaml", "a.tf.py", ".git/config.yaml", "a/notes.md"])
def test_what_is_no_configuration_is_not_kept(name: str) -> None:
    assert not real_configs.is_config(PurePosixPath(name))


def test_a_file_among_tests_is_told_by_a_folder_of_that_name() -> None:
    assert real_configs.is_test(PurePosixPath("a/tests/integration/main.yml"))
    assert not real_configs.is_test(PurePosixPath("a/latest/tests.yml"))


def test_only_configuration_inside_the_folder_is_unpacked(tmp_path: Path) -> None:
    archive = packed(tmp_path / "a.tar.gz", "a/b.tf", "a/b.py", "../evil.yml", "a/.git/c.yml")
    folder = unpacked(archive, tmp_path / "inner" / "tree", budget=1_000)
    assert [path.name for path in corpora.regular_files(folder)] == ["b.tf"]
    assert not list(tmp_path.rglob("evil.yml"))


def test_a_link_is_not_unpacked(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        link = tarfile.TarInfo("a.yml")
        link.type, link.linkname = tarfile.SYMTYPE, "b.yml"
        tar.addfile(link)
    assert not list(unpacked(archive, tmp_path / "tree", budget=1_000).iterdir())


def test_an_archive_of_too_much_configuration_is_refused(tmp_path: Path) -> None:
    archive = packed(tmp_path / "a.tar.gz", "a.yml", "b.yml", "c.yml")
    assert len(list(unpacked(archive, tmp_path / "fits", budget=6).iterdir())) == 3
    with pytest.raises(peers.BenchError, match="It holds over"):
        unpacked(archive, tmp_path / "large", budget=5)


makes_packages = pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="makes a Debian package")


@makes_packages
def test_a_debian_package_is_unpacked_as_any_other_archive(tmp_path: Path) -> None:
    package = debian(tmp_path, {"a.yml": b"a: 1\n", "a.txt": b"a\n"})
    chosen = real_configs.only_configs(real_configs.ARCHIVE_BYTES)
    real_configs.unpack(package, tmp_path / "tree", chosen)
    assert [path.name for path in corpora.regular_files(tmp_path / "tree")] == ["a.yml"]


@makes_packages
def test_a_history_is_made_of_the_pack_in_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "old"
    write(old / "a.py", "x = 1\n")
    git(old, "init", "-q")
    corpora.commit_all(old)
    git(old, "repack", "-adq")
    (pack,) = old.glob(".git/objects/pack/*.pack")
    package = debian(tmp_path, {f"usr/share/{pack.name}": pack.read_bytes(), "usr/b.pack": b""})
    monkeypatch.setattr(real_history, "HEAD", git(old, "rev-parse", "HEAD").strip())
    with pytest.raises(peers.BenchError, match="holds no"):
        corpora.make(tmp_path / "none", partial(real_history.write_from, package))
    monkeypatch.setattr(real_history, "PACK", pack.name)
    made = corpora.make(tmp_path / "made", partial(real_history.write_from, package))
    assert git(made, "rev-list", "--count", "main").strip() == "1"
    assert (made / "a.py").read_text() == "x = 1\n"


def debian(folder: Path, files: Mapping[str, bytes]) -> Path:
    """A package that installs these files."""
    root = folder / "package"
    control = (
        "Package: a\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: a\n"
    )
    for name, data in {"DEBIAN/control": control.encode(), **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    package = folder / "a.deb"
    argv = ["dpkg-deb", "--build", "--root-owner-group", str(root), str(package)]
    subprocess.run(argv, check=True, capture_output=True)
    return package


def test_files_and_lines_are_counted_by_kind_and_lines_among_tests_apart(tmp_path: Path) -> None:
    write(tmp_path / "a" / "main.tf", "a = 1\nb = 2\n")
    write(tmp_path / "b" / "Chart.yaml", "name: b\n")
    write(tmp_path / "b" / "tests" / "values.yaml", "c: 1\nd: 2\ne: 3")
    assert real_configs.counted(tmp_path) == Held(
        files=Counter(hcl=1, helm=2), lines=Counter(hcl=2, helm=4), tests=3
    )


def test_the_page_has_a_row_for_each_archive_and_a_sum_for_each_group() -> None:
    archives = [Archive("real", "pypi", name) for name in ("a==1", "b==2")]
    held = real_configs.NOTHING._replace(files=Counter(hcl=1), lines=Counter(hcl=1_200), tests=7)
    rows = real_configs.page(dict.fromkeys(archives, held)).splitlines()[2:]
    assert [row.split(" | ")[1] for row in rows] == ["pypi-a==1", "pypi-b==2", "all 2", "all 0"]
    assert " 2 / 2,400 " in rows[2]
    assert rows[2].endswith(" 14 |")


def test_every_pin_is_of_a_known_source_has_a_version_and_stands_once() -> None:
    assert {archive.source for archive in ARCHIVES} == {"pypi", "npm", "debian"}
    assert all(archive.pin.count("==") == 1 for archive in ARCHIVES)
    labels = [archive.label for archive in ARCHIVES]
    assert len(labels) == len(set(labels))
    assert all("/" not in label for label in labels)


@pytest.mark.parametrize("code", ["raise SystemExit('gone')", "print('gone')"])
def test_a_client_that_brings_nothing_is_an_error_with_its_words(code: str, tmp_path: Path) -> None:
    with pytest.raises(peers.BenchError, match=r"gone\nCheck the network"):
        real_configs._client([sys.executable, "-c", code], tmp_path)


def packed(archive: Path, *names: str) -> Path:
    """An archive of files of two bytes each."""
    with tarfile.open(archive, "w:gz") as tar:
        for member in members(names):
            tar.addfile(member, io.BytesIO(b"a\n"))
    return archive


def members(names: tuple[str, ...]) -> Iterator[tarfile.TarInfo]:
    for name in names:
        member = tarfile.TarInfo(name)
        member.size = 2
        yield member


def unpacked(archive: Path, folder: Path, *, budget: int) -> Path:
    folder.mkdir(parents=True)
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter=real_configs.only_configs(budget))
    return folder


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
