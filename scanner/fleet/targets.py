"""What is scanned: repositories, and where they come from."""

from __future__ import annotations

import enum
from typing import NamedTuple

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
