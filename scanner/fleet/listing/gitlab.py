"""List the projects of a GitLab group with its subgroups, or of a user.

https://docs.gitlab.com/api/groups: GET /groups/:id/projects; /api/projects: GET /users/:id/projects
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scanner.fleet.listing.pages import Dialect
from scanner.fleet.listing.repository import Repository, number, text

BASE = "https://gitlab.com/api/v4"
DIALECT = Dialect(
    page_size=("per_page", 100),
    total="X-Total",
    authorization=lambda credential: f"Bearer {credential.token}",
)
LISTS = ("/groups/{owner}/projects", "/users/{owner}/projects")
# Projects that other groups share are listed by these groups.
QUERY: Mapping[str, str] = {
    "include_subgroups": "true",
    "with_shared": "false",
    "statistics": "true",
    "order_by": "id",
    "sort": "asc",
}


def git_origin(api_origin: str) -> str:
    """Where git finds the repositories, and for which host the token is."""
    return api_origin


def repository(item: Mapping[str, Any]) -> Repository:
    """A project. Its size is only told to those who may see its statistics."""
    return Repository(
        path=text(item, "path_with_namespace"),
        address=text(item, "http_url_to_repo"),
        team=text(item, "namespace", "full_path"),
        archived=item.get("archived") is True,
        fork_of=text(item, "forked_from_project", "path_with_namespace"),
        size=number(item, "statistics", "repository_size"),
    )
