"""Recognise binary files, and convert UTF-16 and UTF-32 to UTF-8. Nothing here raises an error."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator

from scanner.inputs.interface import Blob
from scanner.model import Skip, SkipKind

HEAD = 8192
"""Bytes at the start of a file that tell whether it is binary; git uses as many."""

_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:[0-9a-f]{64}\nsize [0-9]{1,20}\n"
)
_POINTS = b"version https://git-lfs"
_MARKED = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, _POINTS)
_UNMARKED = (("utf-16-le", (b" \0", b"\n\0")), ("utf-16-be", (b"\0 ", b"\0\n")))
_LONGEST_WORD = 80  # characters between two blanks of a text, on average
_BOMS = (  # the longer first: UTF-32's begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def encoding(head: bytes) -> str | None:
    """The encoding to decode, "" for UTF-8 and one-byte encodings, None for a binary file."""
    if b"\0" not in head and head[:2] not in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return ""
    for bom, name in _BOMS:
        if head.startswith(bom):
            return name
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = max(len(head) // 2, 1)
    if odd > 0.7 * half and even < 0.05 * half:
        return "utf-16-le"
    if even > 0.7 * half and odd < 0.05 * half:
        return "utf-16-be"
    return next((name for name, blanks in _UNMARKED if _is_text(head, name, blanks)), None)


def _is_text(head: bytes, name: str, blanks: tuple[bytes, bytes]) -> bool:
    """Is it UTF-16 text in a script such as Chinese, with few zero bytes?

    Then it has many blanks and line breaks, and hardly any unprintable characters.
    """
    if sum(map(head.count, blanks)) * _LONGEST_WORD * 2 < len(head):
        return False
    text = head.decode(name, errors="replace")
    odd = sum(char == "\ufffd" or not (char.isprintable() or char.isspace()) for char in text)
    return odd * 100 <= len(text)


def blob(path: str, size: int, head: bytes, chunks: Iterable[bytes]) -> Blob | Skip:
    """The file that begins with `head` as text, or a Skip for a binary file or an LFS pointer."""
    if _is_pointer(head):
        return Skip(kind=SkipKind.LFS, path=path)
    name = encoding(head[:HEAD])
    if name is None:
        return Skip(kind=SkipKind.BINARY, path=path)
    return Blob(path=path, size=size, chunks=to_utf8(chunks, name) if name else chunks)


def text(data: bytes) -> bytes | None:
    """A whole file as text in UTF-8; None if it is binary or a Git LFS pointer."""
    if data.find(b"\0", 0, HEAD) < 0 and not data.startswith(_MARKED):  # true for nearly all files
        return data
    name = None if _is_pointer(data) else encoding(data[:HEAD])
    return b"".join(to_utf8((data,), name)) if name else data if name == "" else None


def _is_pointer(head: bytes) -> bool:
    return head.startswith(_POINTS) and bool(_POINTER.fullmatch(head))


def to_utf8(chunks: Iterable[bytes], name: str) -> Iterator[bytes]:
    """The pieces as UTF-8, with U+FFFD for invalid bytes."""
    decoder = codecs.getincrementaldecoder(name)(errors="replace")
    for chunk in chunks:
        yield decoder.decode(chunk).encode(errors="replace")
    rest = decoder.decode(b"", final=True)
    if rest:
        yield rest.encode(errors="replace")
