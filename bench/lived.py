"""Benchmark: a history that people wrote: the first 906 commits of spinnaker.

Package archives carry no repositories, but for the test data of go-git: Debian has it, and in it
the packs of some projects, without their branches.
"""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

from bench import corpora, peers, real_configs

PACKAGE = real_configs.Archive(
    "real", "debian", "golang-github-go-git-go-git-fixtures-dev==4.3.1~git20240304.46037e5-1"
)
PACK = "pack-f2e0a8889a746f7600e07d2246a2e29a72f696be.pack"
HEAD = "06ce06d0fc49646c4de733c45b7788aabad98a6f"
COMMITS = 906


def write(folder: Path) -> None:
    """Fill the empty repository `folder` with the history, and check out what is its newest."""
    pack = folder / ".git" / "objects" / "pack" / PACK
    pack.write_bytes(_packed(real_configs.fetched(PACKAGE)))
    corpora.run_git(folder, "index-pack", str(pack))
    corpora.run_git(folder, "update-ref", "refs/heads/main", HEAD)
    corpora.run_git(folder, "reset", "-q", "--hard")


def _packed(package: Path) -> bytes:
    argv = ["dpkg-deb", "--fsys-tarfile", str(package)]
    with (
        subprocess.Popen(argv, stdout=subprocess.PIPE) as process,
        tarfile.open(fileobj=process.stdout, mode="r|") as tar,
    ):
        for member in tar:
            if Path(member.name).name == PACK and (file := tar.extractfile(member)):
                data = file.read()
                process.kill()
                return data
    raise peers.BenchError(f"{package.name} holds no {PACK}: another version of it may.")
