"""What an access review was asked for."""

from __future__ import annotations

from typing import NamedTuple


class ReviewRequest(NamedTuple):
    """One review, as it was asked for.

    `path` is a folder of the repository. `write_policy` and `record` are folders to write to,
    `compare` is an earlier record, and `trail` are Vault audit logs or files that `keywatch trail
    --last-used` wrote; "" and () for none. `operator` and `backends` choose the live stores of a
    live review; `cross_check` compares each answer with the server's own, for which it makes tokens
    of a minute.
    """

    path: str
    use_git: bool = True
    write_policy: str = ""
    record: str = ""
    compare: str = ""
    trail: tuple[str, ...] = ()
    operator: str | None = None
    backends: tuple[str, ...] = ()
    timeout: int = 600
    cross_check: bool = False
