"""List the repositories of a GitHub organisation or user.

https://docs.github.com/en/rest/repos/repos: GET /orgs/{org}/repos, GET /users/{username}/repos
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scanner.fleet.listing.pages import Dialect
from scanner.fleet.listing.repository import Repository, number, text
from scanner.fleet.targets import UNKNOWN_PARENT

BASE = "https://api.github.com"
DIALECT = Dialect(
    page_size=("per_page", 100),
    total="",
    authorization=lambda credential: f"Bearer {credential.token}",
)
LISTS = ("/orgs/{owner}/repos", "/users/{owner}/repos")
QUERY: Mapping[str, str] = {"type": "all", "sort": "created", "direction": "asc"}


def git_origin(api_origin: str) -> str:
    """Where git finds the repositories, and for which host the token is."""
    return "https://github.com" if api_origin == BASE else api_origin


def repository(item: Mapping[str, Any]) -> Repository:
    """A "minimal repository", which says that it is a fork but not of what. The size is in KiB."""
    return Repository(
        path=text(item, "full_name"),
        address=text(item, "clone_url"),
        team=text(item, "owner", "login"),
        archived=item.get("archived") is True,
        fork_of=UNKNOWN_PARENT if item.get("fork") is True else "",
        size=number(item, "size") * 1024,
    )
