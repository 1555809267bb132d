"""Detect: decode base64, hex, percent-encoding, escapes, and gzip data in base64 or hex.

The prefilter reports where encoded text with a secret may be (see `encoded_patterns`). The run of
encoded characters around each hit is decoded, and the prefilter searches the decoded text, which
may hold encoded text again. Depth, number and size of what is decoded are limited.
"""

from __future__ import annotations

import re
import zlib
from binascii import a2b_base64, unhexlify
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import accumulate
from typing import NamedTuple

from scanner.detect.decoding.encoded_patterns import (
    BASE64_TEXT,
    ENCODINGS,
    ESCAPED_TEXT,
    GZIP,
    HEX_TEXT,
    MIN_TEXT,
    PERCENT_TEXT,
)
from scanner.detect.prefilter.matcher import Hit

MAX_BYTES = 16 << 20
"""Most bytes that are decoded from one file."""

_MAX_DEPTH = 4
_MAX_RUNS = 10_000  # of one file
_MAX_INFLATED = 8 << 20  # bytes of one gzip stream after decompression
_BINARY_HEAD = 8192  # bytes in which a null byte means binary data
_NO_NEW_HIT = 30  # characters after a hit without encoded text, in which another hit is ignored

# Characters of a base64 or hex run that are decoded before and after a hit.
_BLOCK_BEFORE, _BLOCK_AFTER = 64 << 10, 4 << 20
_BLOCK_CONTEXT = 40  # characters around a hit in which encoded text must begin
_BLOCK_MARGIN = 256  # characters: room for a line and for what stands between two lines

# The same for percent-encoding and escapes.
_ESCAPE_BEFORE, _ESCAPE_AFTER = 4096, 64 << 10
_NAME_CONTEXT, _LOGIN_CONTEXT = 36, 144  # before and after a hit: room for a name, and for a login

SpanMapper = Callable[[int, int], tuple[int, int]]
"""Maps a span of a decoded text to the span of the encoded text that stands for it."""

Prefilter = Callable[[bytes], tuple[Sequence[Hit], Sequence[Hit]]]
"""Searches a text; returns the hits of rules, and the hits numbered by ENCODINGS."""


class DecodedText(NamedTuple):
    """A decoded text with hits of rules. It holds plaintext.

    span: maps a span of `data` to the file.
    layers: the encodings around the text, the innermost first.
    """

    data: bytes
    hits: Sequence[Hit]
    span: SpanMapper
    layers: tuple[str, ...]

    def __repr__(self) -> str:
        return f"DecodedText({self.layers} {len(self.data)} bytes)"


class Budget:
    """What may still be decoded from one file. `exceeded`: was something left out?"""

    def __init__(self) -> None:
        self.bytes = MAX_BYTES
        self.runs = _MAX_RUNS
        self.exceeded = False

    def spend(self, size: int) -> bool:
        """Count a run of `size` bytes. Returns False if the budget is exceeded."""
        self.bytes -= size
        self.runs -= 1
        is_enough = self.bytes >= 0 and self.runs >= 0
        self.exceeded = self.exceeded or not is_enough
        return is_enough


class Decoder:
    """Decodes the encoded texts in one file."""

    def __init__(self, prefilter: Prefilter) -> None:
        self._prefilter = prefilter
        self._budget = Budget()

    @property
    def is_truncated(self) -> bool:
        """Does the file hold more encoded text than is decoded?"""
        return self._budget.exceeded

    def decode(
        self,
        data: bytes,
        hits: Sequence[Hit],
        layers: tuple[str, ...] = (),
        outer: SpanMapper = lambda start, end: (start, end),
    ) -> Iterator[DecodedText]:
        """Return the texts with hits of rules that are encoded in `data`, at any depth.

        hits: `(index in ENCODINGS, end offset)`.
        layers: the encodings that were already removed from `data`.
        outer: maps a span of `data` to the file.
        """
        if len(layers) >= _MAX_DEPTH:
            self._budget.exceeded = self._budget.exceeded or bool(hits)
            return
        for run in _decoded_runs(data, hits, self._budget):
            inner_layers = (*run.layers, *layers)
            span = partial(_map_twice, run.span, outer)
            found, encoded = self._prefilter(run.data)
            if found:
                yield DecodedText(data=run.data, hits=found, span=span, layers=inner_layers)
            yield from self.decode(run.data, encoded, inner_layers, span)


def _map_twice(first: SpanMapper, then: SpanMapper, start: int, end: int) -> tuple[int, int]:
    return then(*first(start, end))


class _DecodedRun(NamedTuple):
    """A decoded run of encoded characters. `end`: earlier hits are covered by this run."""

    data: bytes
    span: SpanMapper
    layers: tuple[str, ...]
    end: int


def _decoded_runs(data: bytes, hits: Sequence[Hit], budget: Budget) -> Iterator[_DecodedRun]:
    """Decode the runs around the hits, each run once."""
    covered = [0] * len(ENCODINGS)
    for encoding, to in sorted(hits, key=lambda hit: hit[1]):
        if to > covered[encoding] and budget.spend(0):
            run = _DECODERS[encoding](data, to, covered[encoding], budget)
            if run:
                covered[encoding] = run.end
                if run.data:
                    yield run


class _BlockEncoding(NamedTuple):
    """An encoding that writes blocks of `size` bytes as blocks of `characters` characters.

    before, after: match the run before a hit (backwards) and after it, over line breaks.
    part: matches a line break, or in group 1 the encoded characters of one line.
    likely: matches near a hit if text may be encoded there.
    """

    name: str
    characters: int
    size: int
    decode: Callable[[bytes], bytes]
    before: re.Pattern[bytes]
    after: re.Pattern[bytes]
    part: re.Pattern[bytes]
    likely: re.Pattern[bytes]


# What stands between two lines of a run: a line break, with the quotes and the `+` that join two
# string literals, and with the `#`, `//` or `*` of a comment; or the text `\n` in a string.
_BREAK = (
    rb"""(?:["'`]?[ \t]{0,4}[+.\\]?[ \t]*\r?\n[ \t]{0,64}(?:[#*>|]|//)?[ \t]{0,64}["'`]?"""
    rb"""|(?:\\r)?\\n)"""
)
# The same, for text that is read backwards.
_BREAK_BACKWARDS = (
    rb"""(?:["'`]?[ \t]{0,64}(?:[#*>|]|//)?[ \t]{0,64}\n\r?[ \t]*[+.\\]?[ \t]{0,4}["'`]?"""
    rb"""|n\\(?:r\\)?)"""
)
_MIN_LINE = 40  # A run continues only after a line of this length: a list of words does not


def _block_patterns(character: bytes, likely: str) -> Iterator[re.Pattern[bytes]]:
    """Return the patterns of a _BlockEncoding, given a pattern for one of its characters."""
    backwards = rb"(?!n\\)" + character  # the n of an escaped line break is not part of the run
    line = b"{%d}" % _MIN_LINE
    lines_before = _BREAK_BACKWARDS + b"(?:" + backwards + b")" + line[:-1] + b",}+"
    before = b"(?:" + backwards + b")*+(?:" + lines_before + b")*+"
    after = character + b"*+(?:(?<=" + character + line + b")" + _BREAK + character + b"++)*+"
    part = _BREAK + b"|(" + character + b"++)"
    return map(re.compile, (before, after, part, likely.encode()))


def _from_base64(text: bytes) -> bytes:
    whole = text[:-1] if len(text) % 4 == 1 else text
    return a2b_base64(whole.translate(_TO_STANDARD) + b"=" * (-len(whole) % 4))


def _from_hex(text: bytes) -> bytes:
    return unhexlify(text[: len(text) // 2 * 2])


_TO_STANDARD = bytes.maketrans(b"-_", b"+/")  # from the URL-safe alphabet
_BASE64 = _BlockEncoding(
    "base64", 4, 3, _from_base64, *_block_patterns(rb"[A-Za-z0-9+/_\-]", BASE64_TEXT)
)
_HEX = _BlockEncoding("hex", 2, 1, _from_hex, *_block_patterns(rb"[0-9A-Fa-f]", HEX_TEXT))


class _OffsetMap(NamedTuple):
    """Maps offsets of a text that was joined from parts to offsets of the text around them.

    inner, outer: where each part begins in the joined text, and in the text around it.
    """

    inner: Sequence[int]
    outer: Sequence[int]

    def outer_offset(self, offset: int) -> int:
        part = bisect_right(self.inner, offset) - 1
        return self.outer[part] + offset - self.inner[part]


class _EncodedRun(NamedTuple):
    """The encoded characters around a hit, without their line breaks.

    hit: the end of the hit in `text`.
    start, end: the span in the text around the run.
    """

    text: bytes
    hit: int
    offsets: _OffsetMap
    start: int
    end: int


def _run_around(encoding: _BlockEncoding, data: bytes, to: int, low: int, high: int) -> _EncodedRun:
    """Return the run around a hit that ends at `to`, within the offsets `low` and `high`."""
    before = encoding.before.match(data[low:to][::-1])
    after = encoding.after.match(data, to, high)
    start, end = to - (before.end() if before else 0), after.end() if after else to
    parts = [m.span(1) for m in encoding.part.finditer(data, start, end) if m[1]] or [(to, to)]
    sizes = accumulate((last - first for first, last in parts), initial=0)
    return _EncodedRun(
        text=b"".join(data[first:last] for first, last in parts),
        hit=sum(min(last, to) - first for first, last in parts if first < to),
        offsets=_OffsetMap(inner=list(sizes)[:-1], outer=[first for first, _ in parts]),
        start=start,
        end=end,
    )


class _ReadablePart(NamedTuple):
    """The text, or the gzip data, around a hit in a decoded run.

    raw: the run, decoded from its character `phase` on.
    start, end: the span of the part in `raw`.
    """

    raw: bytes
    phase: int
    start: int
    end: int


# Printable ASCII, a tab or a line break, or a UTF-8 sequence; and the same read backwards.
_CHARACTER = rb"[\t\n\r -~]|[\xc2-\xf4][\x80-\xbf]{1,3}"
_CHARACTER_BACKWARDS = rb"[\t\n\r -~]|[\x80-\xbf]{1,3}[\xc2-\xf4]"
_TEXT_AFTER = re.compile(rb"(?:%s)*+" % _CHARACTER)
_TEXT_BEFORE = re.compile(rb"(?:%s)*+" % _CHARACTER_BACKWARDS)


def _readable_parts(encoding: _BlockEncoding, run: _EncodedRun) -> Iterator[_ReadablePart]:
    """Return the readable parts around the hit.

    The start of a block in the run is unknown, so the run is decoded from each possible start.
    """
    for phase in range(min(encoding.characters, run.hit)):
        raw = encoding.decode(run.text[phase:])
        hit = run.hit - phase
        begin = hit * encoding.size // encoding.characters - len(GZIP)
        if hit % encoding.characters == 0 and raw.startswith(GZIP, max(begin, 0)):
            yield _ReadablePart(raw=raw, phase=phase, start=begin, end=len(raw))
            continue
        within = max(hit - 2, 0) * encoding.size // encoding.characters
        after, before = _TEXT_AFTER.match(raw, within), _TEXT_BEFORE.match(raw[:within][::-1])
        if after and before and after.end() - within + before.end() >= MIN_TEXT:
            start = within - before.end()
            yield _ReadablePart(raw=raw, phase=phase, start=start, end=after.end())


def _decode_blocks(
    encoding: _BlockEncoding, data: bytes, to: int, low: int, budget: Budget
) -> _DecodedRun | None:
    """Decode the text, or the gzip data, around a hit in base64 or hex that ends at `to`.

    A small window is decoded first, since most hits are in no text. It grows as the text does.
    """
    if not encoding.likely.search(data, max(low, to - _BLOCK_CONTEXT), to + _BLOCK_CONTEXT):
        return None
    reach = 4 * _BLOCK_MARGIN
    while True:
        lowest = max(low, to - min(reach, _BLOCK_BEFORE))
        highest = min(len(data), to + reach)
        run = _run_around(encoding, data, to, lowest, highest)
        parts = _readable_parts(encoding, run)
        part = max(parts, key=lambda each: each.end - each.start, default=None)
        if part is None:
            return None
        has_start = part.start > 0 or lowest == low or run.start > lowest + _BLOCK_MARGIN
        has_end = (
            part.end < len(part.raw) or highest == len(data) or run.end < highest - _BLOCK_MARGIN
        )
        if reach == _BLOCK_AFTER or ((has_start or reach >= _BLOCK_BEFORE) and has_end):
            break
        reach = min(reach * 16, _BLOCK_AFTER)
    if not budget.spend(len(part.raw)):
        return None

    def span(start: int, end: int) -> tuple[int, int]:
        """Map a span of the part, or of the gzip data, to `data`."""
        first = part.phase + (part.start + start) * encoding.characters // encoding.size
        last = part.phase - (-(part.start + end) * encoding.characters // encoding.size) - 1
        outer_offset = run.offsets.outer_offset
        return outer_offset(first), outer_offset(min(last, len(run.text) - 1)) + 1

    content = part.raw[part.start : part.end]
    if not content.startswith(GZIP):
        end = span(0, len(content))[1]
        return _DecodedRun(data=content, span=span, layers=(encoding.name,), end=end)
    budget.exceeded = budget.exceeded or not has_end
    text, size = _inflate(content, budget)
    whole = span(0, size)  # a value in gzip data has no span of its own
    layers = ("gzip", encoding.name)
    return _DecodedRun(data=text, span=lambda _start, _end: whole, layers=layers, end=whole[1])


def _inflate(content: bytes, budget: Budget) -> tuple[bytes, int]:
    """Decompress the gzip data at the start of `content`, and return its text and its size.

    The text is empty if the data is damaged, too large or not text.
    """
    engine = zlib.decompressobj(31)  # 31: gzip format with the largest window
    most = min(_MAX_INFLATED, max(budget.bytes, 1))
    try:
        text = engine.decompress(content, most)
    except zlib.error:
        return b"", len(GZIP)
    budget.exceeded = budget.exceeded or (len(text) == most and not engine.eof)
    is_text = b"\0" not in text[:_BINARY_HEAD]
    size = len(content) - len(engine.unused_data)
    return (text if budget.spend(len(text)) and is_text else b""), size


class _EscapeEncoding(NamedTuple):
    """An encoding that replaces single characters by several.

    before, after: match the run before a hit (backwards) and after it.
    escape: matches one replaced character, with its hexadecimal number in group 1.
    character: returns the character with a number.
    likely: matches near a hit if a secret may be there.
    """

    name: str
    before: re.Pattern[bytes]
    after: re.Pattern[bytes]
    escape: re.Pattern[bytes]
    character: Callable[[int], bytes]
    likely: re.Pattern[bytes]


_URL_CHARACTERS = re.compile(rb"[A-Za-z0-9._~!*();:@&=+$,/?#\[\]|%\-]*+")
_PERCENT = _EscapeEncoding(
    name=ENCODINGS[2],
    before=_URL_CHARACTERS,
    after=_URL_CHARACTERS,
    escape=re.compile(rb"%([0-9A-Fa-f]{2})"),  # %3D
    character=lambda number: bytes((number,)),
    likely=re.compile(PERCENT_TEXT.encode()),
)
_ESCAPES = _EscapeEncoding(
    name=ENCODINGS[3],
    before=re.compile(rb"""[^\n"'`]*+"""),
    after=re.compile(rb"""(?:\\[^\n]|[^\n"'`\\])*+"""),
    escape=re.compile(rb"\\{1,4}(?:u00|x|u\{0{0,4})([0-9A-Fa-f]{2})\}?"),  # \u003d \x3d \u{3d}
    character=lambda number: chr(number).encode(),
    likely=re.compile(ESCAPED_TEXT.encode()),
)


def _decode_escapes(
    encoding: _EscapeEncoding, data: bytes, to: int, low: int, budget: Budget
) -> _DecodedRun | None:
    """Decode the escapes in the run around a hit that ends at `to`."""
    if not encoding.likely.search(data, max(low, to - _NAME_CONTEXT), to + _LOGIN_CONTEXT):
        end = to + _NO_NEW_HIT
        return _DecodedRun(data=b"", span=lambda first, last: (first, last), layers=(), end=end)
    before = encoding.before.match(data[max(low, to - _ESCAPE_BEFORE) : to][::-1])
    after = encoding.after.match(data, to, to + _ESCAPE_AFTER)
    at = start = to - (before.end() if before else 0)
    end = after.end() if after else to
    out, inner, outer = bytearray(), [0], [start]
    for escape in encoding.escape.finditer(data, start, end):
        out += data[at : escape.start()]
        inner.append(len(out))
        out += encoding.character(int(escape[1], 16))
        inner.append(len(out))
        at = escape.end()
        outer += escape.span()
    out += data[at:end]
    if len(inner) == 1 or not budget.spend(len(out)):
        return None
    outer_offset = _OffsetMap(inner=inner, outer=outer).outer_offset
    return _DecodedRun(
        data=bytes(out),
        span=lambda first, last: (outer_offset(first), outer_offset(last)),
        layers=(encoding.name,),
        end=end,
    )


_DECODERS = (  # in the order of ENCODINGS
    partial(_decode_blocks, _BASE64),
    partial(_decode_blocks, _HEX),
    partial(_decode_escapes, _PERCENT),
    partial(_decode_escapes, _ESCAPES),
)
