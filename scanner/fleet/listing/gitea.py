"""List the repositories of an organisation or user of Gitea or Forgejo.

https://docs.gitea.com/api: GET /orgs/{org}/repos, GET /users/{username}/repos
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scanner.fleet.listing.pages import Dialect
from scanner.fleet.listing.repository import Repository, number, text
from scanner.fleet.targets import UNKNOWN_PARENT

BASE = ""
DIALECT = Dialect(
    page_size=("limit", 50),
    total="X-Total-Count",
    authorization=lambda credential: f"token {credential.token}",
)
LISTS = ("/orgs/{owner}/repos", "/users/{owner}/repos")
QUERY: Mapping[str, str] = {}


def git_origin(api_origin: str) -> str:
    """Where git finds the repositories, and for which host the token is."""
    return api_origin


def repository(item: Mapping[str, Any]) -> Repository:
    """A repository; its parent is an object of the same kind. The size is in KiB."""
    parent = text(item, "parent", "full_name") or UNKNOWN_PARENT
    return Repository(
        path=text(item, "full_name"),
        address=text(item, "clone_url"),
        team=text(item, "owner", "login"),
        archived=item.get("archived") is True,
        fork_of=parent if item.get("fork") is True else "",
        size=number(item, "size") * 1024,
    )
