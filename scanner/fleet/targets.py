"""Find the repositories to scan: from files, folders of clones, and the APIs of hosts."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import NamedTuple

from scanner.model import Gap, Skip

UNKNOWN_PARENT = "unknown"
"""The parent of a fork whose host does not name it in a list (GitHub)."""


class Target(NamedTuple):
    """One repository.

    `name` is unique in a run, printable and without `.` or `..` segments: `github.com/acme/web`, or
    the path of a clone below its folder. `address` is https://..., ssh://..., git@host:path, or the
    absolute path of a local clone; it never holds a user name with a password. `fork_of` is the
    name of the repository that this one is a fork of, UNKNOWN_PARENT, or "". `size` is in bytes, 0
    if unknown.
    """

    name: str
    address: str
    team: str = ""
    archived: bool = False
    fork_of: str = ""
    size: int = 0

    @property
    def is_local(self) -> bool:
        """Is it a clone on this machine?"""
        return self.address.startswith("/")


class Host(enum.StrEnum):
    """The API that lists repositories."""

    GITHUB = "github"
    GITLAB = "gitlab"
    GITEA = "gitea"


class Listing(NamedTuple):
    """All repositories of one organisation, user or group (a GitLab group with its subgroups).

    `api` is the base address of the API, such as https://github.example.com/api/v3; "" means
    github.com or gitlab.com. Gitea needs one.
    """

    host: Host
    owner: str
    api: str = ""


class TargetsRequest(NamedTuple):
    """Where repositories come from, and which of them to scan.

    `files` name files with one address or path in a line. `folders` hold clones at any depth.
    `include` and `exclude` are globs of names; without `include`, all are scanned. `archived` and
    `forks` say whether to scan archived repositories and forks. `loopback_http` allows http:// for
    127.0.0.1, [::1] and localhost. `seconds` limits the time of each listing.
    """

    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    listings: tuple[Listing, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    archived: bool = True
    forks: bool = True
    loopback_http: bool = False
    seconds: float = 3600


def find_targets(request: TargetsRequest) -> Iterator[Target | Skip | Gap]:
    """The targets, as they are found; memory does not grow with an API's answer.

    A Skip is a repository that a filter leaves out, a Gap is one that cannot be scanned or a list
    that cannot be read to its end. The path of both is a target's name, or `file:line`. UsageError
    if the request names no source, a file cannot be read, or nothing at all was found.
    """
    import os

    for folder in request.folders:
        for base, dirs, _ in os.walk(folder):
            if ".git" in dirs or base.endswith(".git"):
                dirs.clear()
                yield Target(
                    os.path.relpath(base, folder),
                    base,
                    team=os.path.relpath(base, folder).split("/")[0],
                )
