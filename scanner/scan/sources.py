"""Find the source of bytes that a request means, and the keywatch.yaml that applies to it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from scanner import cache, masking
from scanner.configuration import repository
from scanner.configuration.repository import Config
from scanner.console import Console
from scanner.errors import UsageError
from scanner.inputs.folder import Folder
from scanner.inputs.git.index import Index
from scanner.inputs.git.stored import Stored
from scanner.inputs.interface import Source
from scanner.inputs.root import path_to_root, root_of
from scanner.inputs.stdin import Stdin
from scanner.scan import commits
from scanner.scan.request import CommitSelection

if TYPE_CHECKING:
    from scanner.scan.request import ScanRequest


class Selection(NamedTuple):
    """What is read, under which policy.

    `open_from` is the path from the current folder to the root. `config_path` is the policy's path
    in the source, "" if the policy is elsewhere. `named`: somebody named files or folders by hand.
    `only` are their paths.
    """

    source: Source
    config: Config
    config_data: bytes | None
    config_name: str
    config_path: str
    exclude: tuple[str, ...]
    archives: bool
    whole_tree: bool
    named: bool
    open_from: str
    cache_folder: str | None
    only: tuple[str, ...] = ()
    commits: CommitSelection | None = None


def select(request: ScanRequest, console: Console, cache_folder: str | None) -> Selection:
    """The source that the request means, and the keywatch.yaml that applies to it.

    UsageError if the request contradicts itself or names what does not exist.
    """
    _refuse_contradictions(request)
    if request.reads_commits:
        root = commits.root_of(console.cwd)
        chosen = commits.chosen(request, root)
        return of_commits(request, console, chosen, cache_folder)
    paths = [_absolute(path, console.cwd, follow=not request.staged) for path in request.paths]
    root = root_of(paths, console.cwd)
    only = [_inside(root, path) for path in paths] if set(paths) - {root} else []
    in_git = os.path.lexists(os.path.join(root, ".git"))
    if request.staged and not in_git:
        raise UsageError(
            "--staged needs a git repository",
            why=f"{root} is not in one",
            todo="run git init, or name files",
        )
    source = _source(request, console, root, only, use_git=in_git and not request.no_git)
    selection = _selection(request, console, source, root, cache_folder)
    return selection._replace(only=() if request.staged else tuple(only))


def of_commits(
    request: ScanRequest, console: Console, chosen: CommitSelection, cache_folder: str | None
) -> Selection:
    """These commits, and the keywatch.yaml of their source."""
    source = chosen.source
    selection = _selection(request, console, source, source.root, cache_folder)
    return selection._replace(commits=chosen, whole_tree=False)


def under_policy_of(
    request: ScanRequest, console: Console, selection: Selection, source: Source
) -> Selection:
    """The same selection, controlled by the files of another source."""
    made = _selection(request, console, source, source.root, selection.cache_folder)
    asked = selection.commits
    return made._replace(
        commits=asked and asked._replace(source=source),
        whole_tree=selection.whole_tree,
    )


def _selection(
    request: ScanRequest, console: Console, source: Source, root: str, cache_folder: str | None
) -> Selection:
    cache.distrust(root)
    if cache_folder and _is_below(os.path.realpath(cache_folder), root):
        cache_folder = None
    name = request.config or repository.NAME
    path = path_in_commit(name, console, source) if request.config else name
    data = source.control(path) if path else console.file(name)
    config = repository.load(data, name, cache_folder, masking.cached)
    return Selection(
        source=source,
        config=config,
        config_data=data,
        config_name=name,
        config_path=path,
        exclude=(*config.exclude, *request.exclude),
        archives=request.archives or config.archives,
        whole_tree=source.whole_tree and not request.exclude,
        named=bool(request.paths) and not request.staged,
        open_from=path_to_root(console.cwd, root),
        cache_folder=cache_folder,
    )


def _is_below(path: str, root: str) -> bool:
    return os.path.commonpath((path, root)) == root


def _refuse_contradictions(request: ScanRequest) -> None:
    if request.stdin_name is not None and (request.paths or request.staged or request.no_git):
        raise UsageError("--stdin reads only standard input", todo="leave out the other inputs")
    if request.staged and request.no_git:
        raise UsageError(
            "--staged and --no-git exclude each other",
            why="--staged reads git's index",
            todo="leave out one of them",
        )
    commits.refuse_contradictions(request)


def _absolute(given: str, cwd: str, *, follow: bool) -> str:
    """The absolute path. If `follow`, a link is replaced by its target."""
    path = os.path.normpath(os.path.join(cwd, given))
    folder, name = os.path.split(path)
    path = os.path.join(os.path.realpath(folder), name)
    if not follow:
        return path
    if not os.path.exists(path):
        link = "it is a broken link" if os.path.islink(path) else ""
        raise UsageError(f"{given} does not exist", why=link, todo="check the path")
    return os.path.realpath(path)


def _inside(root: str, path: str) -> str:
    return os.path.relpath(path, root).replace(os.sep, "/")


def _source(
    request: ScanRequest, console: Console, root: str, only: Sequence[str], *, use_git: bool
) -> Source:
    if request.stdin_name is not None:
        path = os.path.normpath(os.path.join(os.path.realpath(console.cwd), request.stdin_name))
        if not _is_below(path, root):
            raise UsageError(
                "--stdin-name is outside the scanned tree",
                why=f"the tree is {root}",
                todo="run the command in the file's own tree",
            )
        return Stdin(root, _inside(root, path), console.stdin)
    if request.staged:
        return Index(root, only or None, or_work_tree=request.staged_first)
    return Folder(root, only, use_git=use_git)


def path_in_commit(given: str, console: Console, source: Source) -> str:
    """The path of a named file in the commit whose policy applies.

    "" if the policy comes from files, or if the file is outside the repository. The file in the
    work tree may have been changed by the very commits that are scanned.
    """
    if not (isinstance(source, Stored) and source.is_of_commit):
        return ""
    path = _inside(source.root, os.path.join(os.path.realpath(console.cwd), given))
    return "" if path.startswith("../") else path
