"""Recognise archive and compression formats, and read compressed streams from front to back.

Only a few bytes are kept in memory, and the memory of each decompressor is limited.
"""

from __future__ import annotations

import bz2
import lzma
import re
import sys
import zlib
from collections.abc import Callable
from typing import NamedTuple, Protocol

from scanner import project

HEAD = 512
"""Bytes at the start of a file that tell its format."""

WINDOWED = ("xz", "zstd")
"""Formats in which the file decides how much memory its decompressor takes."""

PIECE = 1 << 16
"""Bytes that are unpacked at once."""

_MARKS = re.compile(
    rb"(?P<zip>PK(?:\x03\x04|\x05\x06|\x07\x08))|(?P<gzip>\x1f\x8b\x08)|(?P<xz>\xfd7zXZ\x00)"
    rb"|(?P<bzip2>BZh[1-9](?:1AY&SY|\x17rE8P\x90))"
    # The second mark is of a frame that decompressors skip, which may come first.
    rb"|(?P<zstd>\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18)|(?P<sevenzip>7z\xbc\xaf\x27\x1c)"
    rb"|(?P<tar>.{257}ustar)",
    re.DOTALL,
)
_ZIPS = (
    "zip jar war ear apk aar whl egg pyz pex nupkg vsix xpi ipa epub docx xlsx pptx odt ods odp"
).split()
_NAMES = {
    **dict.fromkeys(_ZIPS, "zip"),
    **dict.fromkeys(("gz", "tgz"), "gzip"),
    **dict.fromkeys(("bz2", "tbz", "tbz2"), "bzip2"),
    **dict.fromkeys(("xz", "txz"), "xz"),
    **dict.fromkeys(("zst", "tzst"), "zstd"),
    "tar": "tar",
    "7z": "sevenzip",
}
_SINGLE = ("gz", "bz2", "xz", "zst")


class Refused(Exception):  # noqa: N818 - it becomes a Gap of the same kind
    """An archive or a member is not read. `kind` and `reason` are those of the Gap."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


class Reader(Protocol):
    """Reads from front to back. `read` returns fewer bytes than asked for only at the end or before
    damage."""

    def read(self, most: int, /) -> bytes: ...


class Member(NamedTuple):
    """A member of an archive. `size` is None if it is unknown before reading. `left_out` is "", a
    kind of Skip, or `folder`. `ratio` is its unpacked size divided by its stored size."""

    name: str
    size: int | None
    left_out: str
    open: Callable[[], Reader]
    ratio: Callable[[], float] = lambda: 1.0


class Engine(Protocol):
    """A decompressor of the standard library."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, most: int, /) -> bytes: ...


def mark(head: bytes) -> str:
    """The format according to the first bytes, or ""."""
    found = _MARKS.match(head)
    return (found and found.lastgroup) or ""


def by_name(path: str) -> str:
    """The format according to the name, or ""."""
    return _NAMES.get(_suffix(path), "")


def inner_name(path: str) -> str:
    """The name of the unpacked file: `a` for `x/a.gz`."""
    name = path.rpartition("/")[2]
    return name.rpartition(".")[0] if _suffix(name) in _SINGLE else name


def _suffix(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[2].lower()


def engine(kind: str, memory: int) -> Callable[[], Engine]:
    """A function that makes a decompressor. One of WINDOWED takes at most `memory` bytes.

    Refused if its library is not installed.
    """
    if kind == "zstd":
        return _zstd(memory)
    if kind == "xz":
        return lambda: lzma.LZMADecompressor(memlimit=memory)
    return _Gzip if kind == "gzip" else bz2.BZ2Decompressor


class Unpacked:
    """Reads a compressed file, which may consist of several streams.

    `spend` is called with the number of bytes that came out, before they are returned. Bytes before
    damage are returned; the next read raises the decompressor's error, or EOFError if the file is
    cut off.
    """

    def __init__(
        self, file: Reader, make: Callable[[], Engine], spend: Callable[[int], None]
    ) -> None:
        self._file = file
        self._make = make
        self._engine = make()
        self._spend = spend
        self._input = b""
        self._error: Exception | None = None
        self.taken = 0
        """Bytes of the compressed stream that were read."""
        self.given = 0
        """Bytes that came out of it."""

    def read(self, most: int, /) -> bytes:
        if self._error:
            raise self._error
        pieces: list[bytes] = []
        left = most
        try:
            while left and (piece := self._next(left)):
                pieces.append(piece)
                left -= len(piece)
        except Exception as error:
            self._error = error
            if not pieces:
                raise
        return b"".join(pieces)

    def _next(self, most: int) -> bytes:
        while not self._engine.eof or self._more_follows():
            ended = False
            if self._engine.needs_input and not self._input:
                self._input = self._fetch()
                ended = not self._input
            piece = self._engine.decompress(self._input, min(most, PIECE))
            self._input = b""
            if piece:
                self.given += len(piece)
                self._spend(len(piece))
                return piece
            if ended and not self._engine.eof:
                raise EOFError("it ends too early")
        return b""

    def _more_follows(self) -> bool:
        """Does another stream follow? There may be zero bytes between them."""
        rest = self._engine.unused_data.lstrip(b"\0")
        while not rest:
            piece = self._fetch()
            if not piece:
                return False
            rest = piece.lstrip(b"\0")
        self._engine = self._make()
        self._input = rest
        return True

    def _fetch(self) -> bytes:
        data = self._file.read(PIECE)
        self.taken += len(data)
        return data


class _Gzip:
    """zlib's decompressor with the interface of the others."""

    def __init__(self) -> None:
        self._engine = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._engine.eof

    @property
    def needs_input(self) -> bool:
        return not self._engine.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._engine.unused_data

    def decompress(self, data: bytes, most: int, /) -> bytes:
        return self._engine.decompress(self._engine.unconsumed_tail + data, most)


def _zstd(memory: int) -> Callable[[], Engine]:
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
    except ImportError:
        reason = f"zstd needs a library: pip install {project.requirement('archives')}"
        raise Refused("archive-unsupported", reason) from None
    options = {int(zstd.DecompressionParameter.window_log_max): memory.bit_length() - 1}
    return lambda: zstd.ZstdDecompressor(options=options)
