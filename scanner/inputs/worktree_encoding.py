"""Read files that git re-encodes in the work tree: `working-tree-encoding` in `.gitattributes`.

Such a file may be in EBCDIC, in which no rule matches, and it is committed as UTF-8.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from scanner.inputs.git import commands
from scanner.inputs.interface import Blob
from scanner.lazy_pattern import lazy
from scanner.model import Gap, GapKind

MARK = b"working-tree-encoding"

# Python's decoders of these encodings take linear time.
_KNOWN = lazy(
    r"(?i)(?:utf-?(?:8|16|32)(?:-?[lb]e)?(?:-bom)?|iso-?8859-?\d{1,2}|latin-?\d|(?:windows|cp|ibm)-?\d+"
    r"|koi8-[rut]|shift[_-]?jis|euc-?(?:jp|kr|cn)|gbk|gb\d+|big5|us-ascii|macroman)"
)


def read(root: str, paths: Iterable[str]) -> Mapping[str, str]:
    """The encoding of each file that git does not keep in UTF-8."""
    fed = b"".join(os.fsencode(path) + b"\0" for path in paths)
    output = commands.run(root, "check-attr", "-z", "--stdin", MARK.decode(), fed=fed).split(b"\0")
    return {
        os.fsdecode(path): value.decode("latin-1")
        for path, _, value in zip(output[0::3], output[1::3], output[2::3], strict=False)
        if value not in {b"unspecified", b"unset", b"set"}
    }


def blob(path: str, data: bytes, name: str) -> Blob | Gap:
    """The file in UTF-8 and as it is. A Gap if the encoding is unknown."""
    codec = name.lower().removesuffix("-bom").replace("ibm-", "cp")
    try:
        text = data.decode(codec if _KNOWN.fullmatch(name) else "unknown", "replace")
    except (LookupError, UnicodeError):
        reason = "its .gitattributes name a working-tree-encoding that keywatch cannot read"
        return Gap(kind=GapKind.UNREADABLE, path=path, reason=reason)
    return Blob(path=path, size=len(data), chunks=(text.encode(errors="replace"),))
