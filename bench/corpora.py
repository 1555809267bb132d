"""Benchmark: trees, plain and as git repositories: source distributions of large projects, and one
that is made up, of Helm charts."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import helm, peers

PINS = (
    "ansible-core==2.19.14",
    "django==5.2.19",
    "apache-airflow-core==3.3.2",
    "salt==3008.5",
    "botocore==1.44.8",
    "kubernetes==37.0.2",
)
CHARTS = 90
INIT = ("init", "-q", "-b", "main", "--template=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """A tree on disk. `size` is the sum of all regular files in bytes."""

    name: str
    plain: Path
    git: Path
    files: int
    size: int

    @property
    def megabytes(self) -> float:
        return self.size / 1e6


def all_corpora() -> tuple[Corpus, ...]:
    """The source distributions, and a generated tree of Helm charts."""
    folder = peers.BUILD / "trees" / "plain" / "helm"
    make(folder, lambda part: helm.write_tree(part, CHARTS))
    return (*map(corpus, PINS), described("helm", folder))


def corpus(pin: str) -> Corpus:
    """Return the extracted source distribution `pin`, downloaded once."""
    name = pin.partition("==")[0]
    plain = peers.BUILD / "trees" / "plain" / name
    make(plain, lambda part: extract(_download(pin), part))
    return described(name, plain)


def make(folder: Path, fill: Callable[[Path], None]) -> Path:
    """Return `folder`, filled if it is missing. An interrupted run leaves no incomplete folder.

    It becomes a git repository without a file in its index: these folders lie in the project's own
    work tree, whose policy and baseline must not apply to them.
    """
    if not folder.exists():
        part = folder.with_name(folder.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        run_git(part, *INIT)
        fill(part)
        part.rename(folder)
    return folder


def described(name: str, plain: Path) -> Corpus:
    """Return the corpus of a tree and of its copy as a git repository."""
    git = make(peers.BUILD / "trees" / "git" / name, lambda part: _commit_copy(plain, part))
    sizes = [path.lstat().st_size for path in regular_files(plain)]
    return Corpus(name=name, plain=plain, git=git, files=len(sizes), size=sum(sizes))


def regular_files(tree: Path) -> list[Path]:
    """Yield all regular files of a tree except those of git, without following links."""
    found = (
        Path(base, name)
        for base, _, names in os.walk(tree)
        if ".git" not in Path(base).relative_to(tree).parts
        for name in names
    )
    return [path for path in found if path.is_file() and not path.is_symlink()]


def multiplied(tree: Path, times: int) -> Path:
    """Return a folder with `times` copies of a tree."""
    folder = peers.BUILD / "trees" / "times" / f"{tree.name}-x{times}"

    def fill(part: Path) -> None:
        ignore = shutil.ignore_patterns(".git")
        for number in range(times):
            shutil.copytree(tree, part / f"copy{number}", symlinks=True, ignore=ignore)

    return make(folder, fill)


def extract(archive: Path, folder: Path) -> None:
    """Unpack without links out of the tree, devices, absolute names or a .git of its own."""
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter=harmless)  # noqa: S202 (that is what the filter is for)


def harmless(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    """Return the member if it may be unpacked: it stays in the folder and is not git's."""
    if ".git" in Path(member.name).parts:
        return None
    try:
        return tarfile.data_filter(member, folder)
    except tarfile.FilterError:
        return None


def _download(pin: str) -> Path:
    """The archive of `pin` in build/bench/dl.

    Building wheels is not wanted, but pip runs the project's own build to learn its metadata.
    """
    folder = peers.BUILD / "dl" / pin
    if not any(folder.glob("*.tar.gz")):
        name = pin.partition("==")[0]
        options = ("--no-deps", "--no-binary", name, "-d", str(folder))
        peers.pip(peers.venv("fetch") / "bin" / "python", "download", *options, pin)
    return next(folder.glob("*.tar.gz"))


def _commit_copy(plain: Path, part: Path) -> None:
    ignore = shutil.ignore_patterns(".git")
    shutil.copytree(plain, part, symlinks=True, dirs_exist_ok=True, ignore=ignore)
    commit_all(part)


def commit_all(folder: Path) -> None:
    """Commit all files of a repository that has no commit yet."""
    run_git(folder, "add", "-A")
    run_git(folder, "commit", "-q", "--no-verify", "-m", "corpus")


def run_git(folder: Path, *arguments: str) -> None:
    """Run git in `folder` with only the configuration of that repository."""
    person = {
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in (("NAME", "bench"), ("EMAIL", "bench@example.org"))
    }
    subprocess.run(
        ["git", "-c", "gc.auto=0", *arguments],
        cwd=folder,
        env=peers.environment() | person,
        check=True,
        stdout=subprocess.DEVNULL,
    )
