"""Find the commits that a request means, and the source of the policy that applies to them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from scanner.errors import UsageError
from scanner.inputs.folder import Folder
from scanner.inputs.git import commands
from scanner.inputs.git.stored import NO_COMMIT, Stored
from scanner.inputs.interface import Source
from scanner.scan.request import CommitSelection

if TYPE_CHECKING:
    from scanner.scan.request import ScanRequest


def refuse_contradictions(request: ScanRequest) -> None:
    """UsageError for a request whose parts exclude each other."""
    if request.diff is not None and request.history is not None:
        raise UsageError("--diff and --history exclude each other", todo="leave out one of them")
    reads_files = (
        request.paths or request.staged or request.stdin_name is not None or request.no_git
    )
    if request.reads_commits and reads_files:
        raise UsageError(
            "a scan of commits reads no files",
            todo="leave out paths, --staged, --stdin and --no-git; use --exclude to skip files",
        )
    if request.approve and request.diff is None and request.push is None:
        raise UsageError(
            "--approve belongs to --diff", todo="add --diff BASE, or leave out --approve"
        )
    if request.trust and request.diff is None:
        raise UsageError("--trust belongs to --diff", todo="add --diff BASE, or leave out --trust")


def root_of(cwd: str) -> str:
    """The repository around a folder, or the folder itself if it is a bare repository.

    UsageError for a bare repository inside another one, unless GIT_DIR names it: somebody may have
    planted it there.
    """
    place = os.path.realpath(cwd)
    top = commands.top_of(place)
    if commands.is_bare(place):
        if top and not commands.is_git_dir(place):
            raise UsageError(
                f"{place} looks like a repository inside another repository",
                todo=f"run the command in {top}, or set GIT_DIR={place}",
            )
        return place
    if top is None:
        raise UsageError(f"{place} is not in a git repository", todo="run the command in one")
    return top


def chosen(request: ScanRequest, root: str) -> CommitSelection:
    """The commits that a request for a history, a push or a diff means."""
    if request.history is not None:
        return CommitSelection(source=_here(root), history=request.history)
    if request.push is not None:
        return request.push
    from scanner.inputs.git.revisions import of_diff

    change = of_diff(root, request.diff or "")
    if request.trust:
        trust, newer = commit(root, request.trust, "--trust"), ""
    else:
        trust, newer = change.base, change.branch if change.branch != change.base else ""
    return CommitSelection(source=at(root, trust), changes=(change,), is_trusted=True, newer=newer)


def at(root: str, oid: str) -> Stored:
    """The files that control a scan, as a commit has them. With "" for a commit there are none."""
    return Stored(root, {}, f"{oid or NO_COMMIT}:")


def commit(root: str, name: str, given: str) -> str:
    """The id of the commit that the option `given` names. UsageError if there is none."""
    found = commands.objects(root).commit(name)
    if found is None:
        raise UsageError(
            f"{given} {name} is not a commit of this repository", todo=f"try git rev-parse {name}"
        )
    return found


def _here(root: str) -> Source:
    """The working tree, or HEAD in a bare repository."""
    return at(root, "HEAD") if commands.is_bare(root) else Folder(root, (), use_git=True)
