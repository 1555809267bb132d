"""Path globs: `*` and `?` stay within a segment, `**` crosses segments."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_PIECE = re.compile(r"(?:(?<![^/])\*\*/)+|\*{2,}|\*|[^*]+")


def to_regex(glob: str) -> str:
    """The regular expression for `glob`, to be matched from the start of a path.

    `dir/` and a match of a folder cover everything below it, so that excluding `third_party` has
    the expected effect. A glob without a slash matches at any depth, as in .gitignore.

    A glob may come from a hostile repository. Each wildcard takes the earliest match of what
    follows it and is never tried again (an atomic group), so the time is not exponential.
    """
    glob = glob.removeprefix("./")
    anywhere = "" if "/" in glob.rstrip("/") else "**/"
    out, deep, flat = "", "", ""  # `deep` and `flat` close the groups of `**` and `*`
    for piece in _PIECE.findall(anywhere + glob.strip("/")):
        if piece.startswith("**"):
            out += flat + deep + ("(?>(?:[^/]*/)*?" if piece.endswith("/") else "(?>.*?")
            deep, flat = ")", ""
        elif piece == "*":
            out += flat + "(?>[^/]*?"
            flat = ")"
        else:
            out += re.escape(piece).replace(r"\?", "[^/]")
    return out + r"(?=/|\Z)" + flat + deep


def matcher(globs: Sequence[str]) -> Callable[[str], bool]:
    """A function that says whether a POSIX path matches any of `globs`; no globs match nothing."""
    if not globs:
        return lambda _path: False
    match = re.compile("|".join(map(to_regex, globs)), re.DOTALL).match
    return lambda path: match(path) is not None
