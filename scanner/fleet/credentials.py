"""Take a token from a credential helper of git that is bound to one host.

Only helpers that the user's git configuration binds with `credential.https://HOST.helper` are
asked. A helper without a host would hand its token to every server that a list of targets names.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from scanner.fleet import addresses, git

_PATIENCE = 60.0
_MAX_OUTPUT = 1 << 20


class Credential(NamedTuple):
    """A user name, which may be "", and a token."""

    user: str
    token: str

    def __repr__(self) -> str:
        """Without the token, which must not reach a log."""
        return "Credential(...)"


def helpers(origin: str) -> Sequence[tuple[str, str]]:
    """The settings of git that bind helpers to this origin (`https://host:port`), in their order,
    after one that switches off all others."""
    said = git.run(
        ("config", "-z", "--get-regexp", r"^credential\..*\.helper$"),
        cwd=os.sep,
        seconds=_PATIENCE,
        max_output=_MAX_OUTPUT,
        accepts=(0, 1),  # 1: there is none
    )
    found = [entry.partition("\n") for entry in os.fsdecode(said).split("\0") if entry]
    bound = [(key, value) for key, _, value in found if _is_bound(key, origin)]
    return [("credential.helper", ""), *bound]


def credential(origin: str) -> Credential | None:
    """The credential for an origin, or None if no helper is bound to it or has one.

    CloneError if git cannot be run.
    """
    settings = helpers(origin)
    if not settings[1:]:
        return None
    scheme, _, host = origin.partition("://")
    said = git.run(
        ("credential", "fill"),
        cwd=os.sep,
        seconds=_PATIENCE,
        max_output=_MAX_OUTPUT,
        settings=settings,
        fed=f"protocol={scheme}\nhost={host}\n\n".encode(),
        accepts=(0, 128),  # 128: no helper knows it
    )
    fields = dict(line.partition("=")[::2] for line in os.fsdecode(said).splitlines())
    token = fields.get("password", "")
    if not token or not (token.isascii() and token.isprintable()):
        return None
    return Credential(user=fields.get("username", ""), token=token)


def _is_bound(key: str, origin: str) -> bool:
    """Does the key name this origin, whatever path it adds?"""
    url = key.removeprefix("credential.").removesuffix(".helper")
    try:
        return addresses.origin_of(url) == origin
    except ValueError:
        return False
