"""Ground: path globs. `*` and `?` stay within a segment, `**` crosses segments."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence


def to_regex(glob: str) -> str:
    """The regular expression for `glob`, anchored at both ends.

    `dir/` and a match of a folder cover everything below it, so an exclude of `third_party` means
    what its writer meant. A glob without a slash matches at any depth, as in .gitignore.
    """
    glob = glob.removeprefix("./")
    anywhere = "/" not in glob.rstrip("/")
    glob = glob.strip("/")
    out = "(?:.*/)?" if anywhere else ""
    i = 0
    while i < len(glob):
        if glob.startswith("**/", i):
            out, i = out + "(?:.*/)?", i + 3
        elif glob.startswith("**", i):
            out, i = out + ".*", i + 2
        elif glob[i] == "*":
            out, i = out + "[^/]*", i + 1
        elif glob[i] == "?":
            out, i = out + "[^/]", i + 1
        else:
            out, i = out + re.escape(glob[i]), i + 1
    return f"(?s:{out}(?:/.*)?)\\Z"


def matcher(globs: Sequence[str]) -> Callable[[str], bool]:
    """A function that says whether a POSIX path matches any of `globs`; no globs match nothing."""
    if not globs:
        return lambda _path: False
    match = re.compile("|".join(map(to_regex, globs))).match
    return lambda path: match(path) is not None
