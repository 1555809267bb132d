"""The command line: the arguments that say what to read, and the Source that they mean.

Shared by every verb that scans.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import NamedTuple

from scanner.configuration import repository as config
from scanner.configuration.repository import Config
from scanner.console import Io
from scanner.errors import UsageError
from scanner.inputs.folder import Folder
from scanner.inputs.git import commands
from scanner.inputs.git.index import Index
from scanner.inputs.git.stored import Stored
from scanner.inputs.interface import Source
from scanner.inputs.stdin import Stdin
from scanner.scan import commits
from scanner.scan.commits import Commits


class Selection(NamedTuple):
    """What is read, under which policy. `open_from` leads from the current folder to the root.
    `config_path`: where the policy lies in what is read, "" where it lies elsewhere.

    `named`: files and folders are named by hand, not by a hook, whose files are git's index's.
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
    commits: Commits | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        nargs="*",
        type=given_path,
        metavar="PATH",
        help="files and folders; default: the whole repository",
    )
    parser.set_defaults(or_work_tree=False)  # what a hook asks for, of files that are not staged
    group = parser.add_argument_group("what to read")
    group.add_argument(
        "--staged", action="store_true", help="the bytes in git's index: what a commit would hold"
    )
    group.add_argument("--stdin", action="store_true", help="one file from standard input")
    group.add_argument(
        "--stdin-name", metavar="NAME", help="the path to judge it as; --stdin needs it"
    )
    group.add_argument(
        "--no-git", action="store_true", help="every file there is, ignored ones and all"
    )
    group.add_argument(
        "--archives",
        action="store_true",
        help="what is in archives too: zip, jar, wheel, tar, gz, xz, container images …",
    )
    group.add_argument(
        "--exclude",
        action="append",
        default=[],
        type=given_glob,
        metavar="GLOB",
        help="files to leave out, as 'third_party/**'; repeatable",
    )
    group.add_argument(
        "--config",
        type=given_path,
        metavar="FILE",
        help="the policy, instead of the repository's keywatch.yaml",
    )
    commits.add_arguments(parser)


def add_folder(parser: argparse.ArgumentParser) -> None:
    """The argument of a verb that looks at one tree."""
    parser.add_argument(
        "path",
        nargs="?",
        default=".",
        type=given_path,
        metavar="PATH",
        help="a folder of the repository",
    )


def given_path(text: str) -> str:
    """A path of the command line. UsageError for an empty one: a variable that is not set would
    quietly stand for the current folder, or for the default."""
    if not text.strip():
        raise UsageError(
            "an empty path names nothing",
            why="perhaps it comes from a variable that is not set",
            todo="name a file or folder, or leave it out",
        )
    return text


def given_glob(text: str) -> str:
    """A pattern of the command line. UsageError for one that nobody can mean: it names no file, or
    begins a set of characters and does not end it."""
    if not text.strip("./ "):
        raise UsageError(
            f"the pattern {text!r} names no file",
            todo="write it as 'third_party/**', or leave it out",
        )
    if "[" in text.rpartition("]")[2]:
        raise UsageError(
            f"the pattern {text!r} cannot be read",
            why="it has a [ without a ]",
            todo="write ? for a bracket that stands alone in a name",
        )
    return text


def select(args: argparse.Namespace, io: Io, cache_folder: str | None) -> Selection:
    """The Source that the arguments mean, with the keywatch.yaml that governs it."""
    _refuse_contradictions(args)
    commits.refuse_contradictions(args)
    if commits.are_asked(args):
        root = commits.root_of(io.cwd)
        asked = commits.chosen(args, root)
        selection = _selection(args, io, asked.source, root, cache_folder)
        return selection._replace(commits=asked, whole_tree=False)
    paths = [_absolute(path, io.cwd, follow=not args.staged) for path in args.paths]
    root = root_of(paths, io.cwd)
    only = [_inside(root, path) for path in paths] if set(paths) - {root} else []
    in_git = os.path.lexists(os.path.join(root, ".git"))
    if args.staged and not in_git:
        raise UsageError(
            "--staged needs a git repository",
            why=f"{root} is in none",
            todo="git init, or name files",
        )
    source = _source(args, io, root, only, use_git=in_git and not args.no_git)
    return _selection(args, io, source, root, cache_folder)


def _selection(
    args: argparse.Namespace, io: Io, source: Source, root: str, cache_folder: str | None
) -> Selection:
    if cache_folder and _is_brought(cache_folder, root):
        cache_folder = None
    name = args.config or config.NAME
    path = in_commit(name, io, source) if args.config else name
    data = source.control(path) if path else io.file(name)
    settings = config.load(data, name, cache_folder)
    return Selection(
        source=source,
        config=settings,
        config_data=data,
        config_name=name,
        config_path=path,
        exclude=(*settings.exclude, *args.exclude),
        archives=args.archives or settings.archives,
        whole_tree=source.whole_tree and not args.exclude,
        named=bool(args.paths) and not args.staged,
        open_from=to_root(io.cwd, root),
        cache_folder=cache_folder,
    )


def _is_brought(cache_folder: str, root: str) -> bool:
    """Is the cache the scanned tree's own? One inside the user's home, which is a repository, is
    not."""
    home = os.path.expanduser("~")
    in_home = os.path.isabs(home) and _is_below(os.path.realpath(home), root)
    return _is_below(os.path.realpath(cache_folder), root) and not in_home


def _is_below(path: str, root: str) -> bool:
    return os.path.commonpath((path, root)) == root


def _refuse_contradictions(args: argparse.Namespace) -> None:
    if args.stdin != bool(args.stdin_name):
        raise UsageError("--stdin and --stdin-name NAME go together", todo="give both or neither")
    if args.stdin and (args.paths or args.staged or args.no_git):
        raise UsageError("--stdin reads standard input alone", todo="leave out the other inputs")
    if args.staged and args.no_git:
        raise UsageError(
            "--staged reads git's index, so --no-git makes no sense with it",
            todo="leave out one of them",
        )


def root_of(paths: Sequence[str], cwd: str) -> str:
    """The repository that holds all paths, else the folder that does: the same from everywhere."""
    folders = [
        p if os.path.isdir(p) else os.path.dirname(p) for p in paths or [os.path.realpath(cwd)]
    ]
    tops = {commands.top_of(folder) for folder in folders}
    if len(tops) > 1:
        raise UsageError(
            "the paths lie in different repositories",
            why="each has its own policy and baseline",
            todo="scan them one by one",
        )
    return tops.pop() or os.path.commonpath(folders)


def _absolute(given: str, cwd: str, *, follow: bool) -> str:
    """The path itself; behind it, where it is a link that somebody named by hand."""
    path = os.path.normpath(os.path.join(cwd, given))
    folder, name = os.path.split(path)
    path = os.path.join(os.path.realpath(folder), name)
    if not follow:
        return path
    if not os.path.exists(path):
        link = "it is a link to nothing" if os.path.islink(path) else ""
        raise UsageError(f"there is no file or folder {given}", why=link, todo="check the path")
    return os.path.realpath(path)


def _inside(root: str, path: str) -> str:
    return os.path.relpath(path, root).replace(os.sep, "/")


def _source(
    args: argparse.Namespace, io: Io, root: str, only: Sequence[str], *, use_git: bool
) -> Source:
    if args.stdin:
        place = os.path.normpath(os.path.join(os.path.realpath(io.cwd), args.stdin_name))
        if not _is_below(place, root):
            raise UsageError(
                "--stdin-name is the name of a file outside the tree",
                why=f"what is scanned lies in {root}",
                todo="run it in the tree of the file",
            )
        return Stdin(root, _inside(root, place), io.stdin)
    if args.staged:
        return Index(root, only or None, or_work_tree=args.or_work_tree)
    return Folder(root, only, use_git=use_git)


def in_commit(given: str, io: Io, source: Source) -> str:
    """The path, in the commit that steers a scan, of a file that somebody names; "" where files do,
    or the file lies elsewhere. The one in the work tree may be what a change makes of it."""
    if not (isinstance(source, Stored) and source.is_of_commit):
        return ""
    path = _inside(source.root, os.path.join(os.path.realpath(io.cwd), given))
    return "" if path.startswith("../") else path


def to_root(cwd: str, root: str) -> str:
    """From the current folder to the root: "" or a path that ends with a slash."""
    way = os.path.relpath(root, os.path.realpath(cwd)).replace(os.sep, "/")
    return "" if way == "." else way + "/"
