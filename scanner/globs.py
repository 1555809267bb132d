"""Ground: path globs. `*` and `?` stay within a segment, `**` crosses segments."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_PIECE = re.compile(r"(?:(?<![^/])\*\*/)+|\*{2,}|\*|[^*]+")


def to_regex(glob: str) -> str:
    """The regular expression for `glob`, to be matched from the start of a path.

    `dir/` and a match of a folder cover everything below it, so an exclude of `third_party` means
    what its writer meant. A glob without a slash matches at any depth, as in .gitignore.

    A glob may come from a hostile repository. The earliest place of what follows a wildcard is as
    good as any later one, so it stands in an atomic group: once left, it is not tried again, and
    the time is a product of lengths, not a power of them.
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
