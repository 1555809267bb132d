"""Benchmark: the history of a real project: the first 906 commits of spinnaker.

Few package archives contain a repository. Debian's package of go-git's test data does: it holds the
packs of some projects, without their branches.
"""

from __future__ import annotations

import tarfile
from pathlib import Path, PurePosixPath

from bench import corpora, peers, real_configs

PACKAGE = real_configs.Archive(
    "real", "debian", "golang-github-go-git-go-git-fixtures-dev==4.3.1~git20240304.46037e5-1"
)
PACK = "pack-f2e0a8889a746f7600e07d2246a2e29a72f696be.pack"
HEAD = "06ce06d0fc49646c4de733c45b7788aabad98a6f"
COMMITS = 906


def write(folder: Path) -> None:
    """Fill the empty repository `folder` with the history, and check out its newest commit."""
    write_from(real_configs.fetched(PACKAGE), folder)


def write_from(package: Path, folder: Path) -> None:
    """Do the same with a package that is already downloaded."""
    packs = folder / ".git" / "objects" / "pack"
    real_configs.unpack(package, packs, _only_the_pack)
    if not (packs / PACK).exists():
        raise peers.BenchError(f"{package.name} holds no {PACK}: another version of it may.")
    corpora.run_git(folder, "index-pack", str(packs / PACK))
    corpora.run_git(folder, "update-ref", "refs/heads/main", HEAD)
    corpora.run_git(folder, "reset", "-q", "--hard")


def _only_the_pack(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    if PurePosixPath(member.name).name != PACK:
        return None
    return tarfile.data_filter(member.replace(name=PACK, deep=False), folder)
