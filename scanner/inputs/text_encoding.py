"""Recognise binary files, and convert UTF-16 and UTF-32 to UTF-8. Nothing here raises an error."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator

from scanner.file_types import is_text_suffix
from scanner.inputs.interface import Blob
from scanner.lazy_pattern import lazy
from scanner.model import Skip, SkipKind

HEAD = 8192
"""Bytes at the start of a file that tell whether it is binary; git uses as many."""

_POINTER = lazy(
    rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:[0-9a-f]{64}\nsize [0-9]{1,20}\n"
)
_POINTS = b"version https://git-lfs"
_MARKED = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, _POINTS)
_UNMARKED = (("utf-16-le", (b" \0", b"\n\0")), ("utf-16-be", (b"\0 ", b"\0\n")))
_LONGEST_WORD = 80  # characters between two blanks of a text, on average
_BOMS = (  # the longer first: UTF-32's begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ASCII = bytes([9, 10, 12, 13, 27, *range(32, 127)])
_ONE = b"[" + re.escape(_ASCII) + b"]"
# One byte a character in a file that claims two: no text in UTF-16 has so many such bytes in a row.
_ONE_BYTE_TEXT = lazy(_ONE + b"{8,}")
# UTF-16 in a file of one byte a character, in either byte order.
_TWO_BYTE_TEXT = lazy(b"(?:%s\\0){8,}|(?:\\0%s){8,}" % (_ONE, _ONE))
_NOT_ASCII = bytes(range(128, 256))
_LONGEST_RUN = 1 << 20  # bytes that are kept until the next piece of a file


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
    if _is_text_with_zeros(head):
        return ""
    return next((name for name, blanks in _UNMARKED if _is_text(head, name, blanks)), None)


def _is_text_with_zeros(head: bytes) -> bool:
    """Is it a script, or text in UTF-8 but for a few control characters? Shells skip zero bytes."""
    if head.startswith(b"#!"):
        return len(head.translate(None, _NOT_ASCII)) * 10 > len(head) * 9
    if len(head.translate(None, _ASCII + _NOT_ASCII)) * 100 > len(head):
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


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
    if name is None and is_text_suffix(path):
        name = ""
    if name is None:
        return Skip(kind=SkipKind.BINARY, path=path)
    if name:
        chunks = to_utf8(chunks, name)
    elif size > len(head) or b"\0" in head:
        chunks = narrow(chunks)
    return Blob(path=path, size=size, chunks=chunks)


def text(data: bytes, path: str = "") -> bytes | None:
    """A whole file as text in UTF-8; None if it is binary or a Git LFS pointer.

    A file whose suffix is that of a text format is always text: zero bytes must not hide it.
    """
    if b"\0" not in data and not data.startswith(_MARKED):  # true for nearly all files
        return data
    if _is_pointer(data):
        return None
    name = encoding(data[:HEAD])
    if name is None and not is_text_suffix(path):
        return None
    return b"".join(to_utf8((data,), name) if name else narrow((data,)))


def _is_pointer(head: bytes) -> bool:
    return head.startswith(_POINTS) and bool(_POINTER.fullmatch(head))


def narrow(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Text of one byte a character, in which stretches of UTF-16 lose their zero bytes."""
    kept = b""
    for chunk in chunks:
        data = kept + chunk
        if b"\0" in data:
            end = data.rfind(b"\n") + 1 or len(data)  # a line is not cut in two
            data, kept = data[:end], data[end:]
            data = _TWO_BYTE_TEXT.sub(lambda run: run[0].replace(b"\0", b""), data)
        else:
            kept = b""
        yield data
    if kept:
        yield _TWO_BYTE_TEXT.sub(lambda run: run[0].replace(b"\0", b""), kept)


def to_utf8(chunks: Iterable[bytes], name: str) -> Iterator[bytes]:
    """The pieces as UTF-8; what does not decode becomes U+FFFD.

    Text of one byte a character in such a file stays as it is, so that neither a wrong byte order
    mark nor a change of the encoding hides it.
    """
    decoder = codecs.getincrementaldecoder(name)(errors="replace")
    width = 4 if "32" in name else 2
    pieces = iter(chunks)
    data, offset = next(pieces, b""), 0
    for following in pieces:
        end = len(data.rstrip(_ASCII))
        if len(data) - end > _LONGEST_RUN:
            end = len(data)
        text = _mixed(data[:end], decoder, offset, width)
        yield text if offset else text.removeprefix(codecs.BOM_UTF8)
        offset += end
        data = data[end:] + following
    text = _mixed(data, decoder, offset, width) + decoder.decode(b"", final=True).encode()
    yield text if offset else text.removeprefix(codecs.BOM_UTF8)


def _mixed(data: bytes, decoder: codecs.IncrementalDecoder, offset: int, width: int) -> bytes:
    """Decode a piece that begins at `offset`, but for the text of one byte a character in it."""
    parts, at = [], 0
    for run in _ONE_BYTE_TEXT.finditer(data):
        before = decoder.decode(data[at : run.start()], final=True)
        parts += [before.encode(errors="replace"), run[0]]
        decoder.reset()
        at = run.end() + -(offset + run.end()) % width  # the next character begins there
    last = decoder.decode(data[at:])
    return b"".join((*parts, last.encode(errors="replace")))
