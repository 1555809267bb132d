"""Detect: text within text: what is in base64, hex, percent-encoding or escapes, and in gzip there.

The one pass says where (encodings.py). Around a hit the run is decoded, the same pass is made over
its text, and what that finds may be encoded again. All of it is bounded.
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
    ESCAPED_TEXT,
    GZIP,
    HEX_TEXT,
    KINDS,
    PERCENT_TEXT,
    SHORTEST,
)
from scanner.detect.prefilter.matcher import Hit

MOST_BYTES = 16 << 20
"""Decoded bytes of one file."""

_DEPTH = 4
_MOST_RUNS = 10_000  # that are looked at in one file
_MOST_INFLATED = 8 << 20  # bytes that one run in gzip may become
_BINARY_HEAD = 8192
_BEFORE, _AFTER = 64 << 10, 4 << 20  # characters of a run in base64 or hex
_NEAR = 40  # characters around a hit that tell whether text may be encoded there
_ROOM = 256  # for a line, and what stands between two
_NAME_WRITTEN, _LOGIN_WRITTEN = 36, 144  # characters before and after a hit that tell as much
_ALIKE = 30  # characters after one that told nothing, in which another tells nothing new
_BEFORE_WRITTEN, _AFTER_WRITTEN = 4096, 64 << 10

Span = Callable[[int, int], tuple[int, int]]
"""From a span of what was decoded to the span that stands for it in the text around."""

Look = Callable[[bytes], tuple[Sequence[Hit], Sequence[Hit]]]
"""The one pass over a text: the hits of rules, and those of KINDS."""


class DecodedText(NamedTuple):
    """Text that was decoded, and the hits of rules in it. `span` leads to the outermost text;
    `layers`: what it is in, the innermost first. It holds plaintext."""

    data: bytes
    hits: Sequence[Hit]
    span: Span
    layers: tuple[str, ...]

    def __repr__(self) -> str:
        return f"DecodedText({self.layers} {len(self.data)} bytes)"


class Budget:
    """What may still be decoded of one file, at all depths. `cut`: was there more?"""

    def __init__(self) -> None:
        self.bytes = MOST_BYTES
        self.runs = _MOST_RUNS
        self.cut = False

    def take(self, size: int) -> bool:
        """Pay for a run of so many bytes, if it can be paid for."""
        self.bytes -= size
        self.runs -= 1
        is_enough = self.bytes >= 0 and self.runs >= 0
        self.cut = self.cut or not is_enough
        return is_enough


class Decoder:
    """Finds the texts that are encoded in those of one file. `look` is the one pass."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._budget = Budget()

    @property
    def cut(self) -> bool:
        """Was there more than is decoded of one file?"""
        return self._budget.cut

    def decode(
        self,
        data: bytes,
        hits: Sequence[Hit],
        layers: tuple[str, ...] = (),
        outer: Span = lambda start, end: (start, end),
    ) -> Iterator[DecodedText]:
        """The texts with hits of rules that are encoded in `data`, at any depth; `hits` as `look`
        gives them for KINDS: (place in it, end offset). `data` itself was in `layers`."""
        if len(layers) >= _DEPTH:
            self._budget.cut = self._budget.cut or bool(hits)
            return
        for run in _runs(data, hits, self._budget):
            within, span = (*run.layers, *layers), partial(_through, run.span, outer)
            found, encoded = self._look(run.data)
            if found:
                yield DecodedText(run.data, found, span, within)
            yield from self.decode(run.data, encoded, within, span)


def _through(first: Span, then: Span, start: int, end: int) -> tuple[int, int]:
    return then(*first(start, end))


class _Run(NamedTuple):
    """An encoded run, decoded. `end`: up to where hits need no other one."""

    data: bytes
    span: Span
    layers: tuple[str, ...]
    end: int


def _runs(data: bytes, hits: Sequence[Hit], budget: Budget) -> Iterator[_Run]:
    """The runs around the hits, each once."""
    covered = [0] * len(KINDS)
    for kind, to in sorted(hits, key=lambda hit: hit[1]):
        if to > covered[kind] and budget.take(0):
            run = _DECODERS[kind](data, to, covered[kind], budget)
            if run:
                covered[kind] = run.end
                if run.data:
                    yield run


class _Code(NamedTuple):
    """An encoding in which `group` characters stand for `size` bytes. `before` matches a run
    backwards from a place in it, `after` forwards, over line breaks; `part` what there is of it in
    a line, in group 1, or a break; `near` some of it that may be text."""

    name: str
    group: int
    size: int
    decode: Callable[[bytes], bytes]
    before: re.Pattern[bytes]
    after: re.Pattern[bytes]
    part: re.Pattern[bytes]
    near: re.Pattern[bytes]


# Between the lines of a run: the line break, or what is written for one in a string, with what
# joins two string literals and opens a comment. Only full lines go on: words below each other do
# not.
_BREAK = (
    rb"""(?:["'`]?[ \t]{0,4}[+.\\]?[ \t]*\r?\n[ \t]{0,64}(?:[#*>|]|//)?[ \t]{0,64}["'`]?"""
    rb"""|(?:\\r)?\\n)"""
)
_KAERB = (
    rb"""(?:["'`]?[ \t]{0,64}(?:[#*>|]|//)?[ \t]{0,64}\n\r?[ \t]*[+.\\]?[ \t]{0,4}["'`]?"""
    rb"""|n\\(?:r\\)?)"""
)
_LINE = 40


def _code(one: bytes, near: str) -> Iterator[re.Pattern[bytes]]:
    """The patterns of a _Code: `one` is a character of it."""
    back = rb"(?!n\\)" + one  # the n of a written line break is none of the run
    full = b"{%d}" % _LINE
    before = b"(?:" + back + b")*+(?:" + _KAERB + b"(?:" + back + b")" + full[:-1] + b",}+)*+"
    after = one + b"*+(?:(?<=" + one + full + b")" + _BREAK + one + b"++)*+"
    parts = _BREAK + b"|(" + one + b"++)"
    return map(re.compile, (before, after, parts, near.encode()))


def _from_base64(text: bytes) -> bytes:
    whole = text[:-1] if len(text) % 4 == 1 else text
    return a2b_base64(whole.translate(_URL_SAFE) + b"=" * (-len(whole) % 4))


def _from_hex(text: bytes) -> bytes:
    return unhexlify(text[: len(text) // 2 * 2])


_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_BASE64 = _Code("base64", 4, 3, _from_base64, *_code(rb"[A-Za-z0-9+/_\-]", BASE64_TEXT))
_HEX = _Code("hex", 2, 1, _from_hex, *_code(rb"[0-9A-Fa-f]", HEX_TEXT))


class _Places(NamedTuple):
    """Where the parts of a text that was put together begin, in it and in the text around."""

    inner: Sequence[int]
    outer: Sequence[int]

    def of(self, index: int) -> int:
        part = bisect_right(self.inner, index) - 1
        return self.outer[part] + index - self.inner[part]


class _Line(NamedTuple):
    """The characters of a run without its line breaks. `at`: how many stand before the hit's end.
    `start` and `end` are in the text around it."""

    text: bytes
    at: int
    places: _Places
    start: int
    end: int


def _line(code: _Code, data: bytes, to: int, low: int, high: int) -> _Line:
    """The run around the end `to` of a hit, from `low` to `high` at most."""
    before = code.before.match(data[low:to][::-1])
    after = code.after.match(data, to, high)
    start, end = to - (before.end() if before else 0), after.end() if after else to
    parts = [m.span(1) for m in code.part.finditer(data, start, end) if m[1]] or [(to, to)]
    sizes = accumulate((last - first for first, last in parts), initial=0)
    return _Line(
        text=b"".join(data[first:last] for first, last in parts),
        at=sum(min(last, to) - first for first, last in parts if first < to),
        places=_Places(list(sizes)[:-1], [first for first, _ in parts]),
        start=start,
        end=end,
    )


class _Stretch(NamedTuple):
    """What a run decodes to, from its character `phase` on, and where in that the text or the gzip
    data begins and ends that a hit is in."""

    raw: bytes
    phase: int
    start: int
    end: int


_CHARACTER = rb"[\t\n\r -~]|[\xc2-\xf4][\x80-\xbf]{1,3}"
_RETCARAHC = rb"[\t\n\r -~]|[\x80-\xbf]{1,3}[\xc2-\xf4]"
_TEXT_AFTER = re.compile(rb"(?:%s)*+" % _CHARACTER)
_TEXT_BEFORE = re.compile(rb"(?:%s)*+" % _RETCARAHC)


def _stretches(code: _Code, line: _Line) -> Iterator[_Stretch]:
    """What the hit is in, for each character that a group of the run may begin with."""
    for phase in range(min(code.group, line.at)):
        raw = code.decode(line.text[phase:])
        known = line.at - phase
        begin = known * code.size // code.group - len(GZIP)
        if known % code.group == 0 and raw.startswith(GZIP, max(begin, 0)):
            yield _Stretch(raw, phase, begin, len(raw))
            continue
        within = max(known - 2, 0) * code.size // code.group
        after, before = _TEXT_AFTER.match(raw, within), _TEXT_BEFORE.match(raw[:within][::-1])
        if after and before and after.end() - within + before.end() >= SHORTEST:
            yield _Stretch(raw, phase, within - before.end(), after.end())


def _decoded(code: _Code, data: bytes, to: int, low: int, budget: Budget) -> _Run | None:
    """What is in base64 or hex around a hit that ends at `to`: the text there, or the one that is
    in gzip there. It is looked at from near first: most of what is met is none."""
    if not code.near.search(data, max(low, to - _NEAR), to + _NEAR):
        return None
    reach = 4 * _ROOM
    while True:
        lowest, highest = max(low, to - min(reach, _BEFORE)), min(len(data), to + reach)
        line = _line(code, data, to, lowest, highest)
        found = max(_stretches(code, line), key=lambda each: each.end - each.start, default=None)
        if found is None:
            return None
        begins = found.start > 0 or lowest == low or line.start > lowest + _ROOM
        ends = found.end < len(found.raw) or highest == len(data) or line.end < highest - _ROOM
        if reach == _AFTER or ((begins or reach >= _BEFORE) and ends):
            break
        reach = min(reach * 16, _AFTER)
    if not budget.take(len(found.raw)):
        return None

    def span(start: int, end: int) -> tuple[int, int]:
        """Of bytes from the stretch's start on; of all of it for gzip."""
        first = found.phase + (found.start + start) * code.group // code.size
        last = found.phase - (-(found.start + end) * code.group // code.size) - 1
        of = line.places.of
        return of(first), of(min(last, len(line.text) - 1)) + 1

    content = found.raw[found.start : found.end]
    if not content.startswith(GZIP):
        return _Run(content, span, (code.name,), span(0, len(content))[1])
    budget.cut = budget.cut or not ends
    text, size = _inflated(content, budget)
    everything = span(0, size)
    return _Run(text, lambda _start, _end: everything, ("gzip", code.name), everything[1])


def _inflated(content: bytes, budget: Budget) -> tuple[bytes, int]:
    """What gzip made the beginning of `content` of, up to the bounds, nothing where it is damaged
    or no text; and how many bytes that beginning has."""
    engine = zlib.decompressobj(31)
    most = min(_MOST_INFLATED, max(budget.bytes, 1))
    try:
        text = engine.decompress(content, most)
    except zlib.error:
        return b"", len(GZIP)
    budget.cut = budget.cut or (len(text) == most and not engine.eof)
    is_text = b"\0" not in text[:_BINARY_HEAD]
    size = len(content) - len(engine.unused_data)
    return (text if budget.take(len(text)) and is_text else b""), size


class _Writing(NamedTuple):
    """A way to write single characters as several. `before` matches a run backwards from a place in
    it, `after` forwards; `written` what stands for the `character` of the number in its group;
    `near` what may be a secret."""

    name: str
    before: re.Pattern[bytes]
    after: re.Pattern[bytes]
    written: re.Pattern[bytes]
    character: Callable[[int], bytes]
    near: re.Pattern[bytes]


_OF_URL = re.compile(rb"[A-Za-z0-9._~!*();:@&=+$,/?#\[\]|%\-]*+")
_PERCENT = _Writing(
    KINDS[2],
    _OF_URL,
    _OF_URL,
    re.compile(rb"%([0-9A-Fa-f]{2})"),
    lambda number: bytes((number,)),
    re.compile(PERCENT_TEXT.encode()),
)
_ESCAPES = _Writing(
    KINDS[3],
    re.compile(rb"""[^\n"'`]*+"""),
    re.compile(rb"""(?:\\[^\n]|[^\n"'`\\])*+"""),
    re.compile(rb"\\{1,4}(?:u00|x|u\{0{0,4})([0-9A-Fa-f]{2})\}?"),
    lambda number: chr(number).encode(),
    re.compile(ESCAPED_TEXT.encode()),
)


def _rewritten(writing: _Writing, data: bytes, to: int, low: int, budget: Budget) -> _Run | None:
    """The run around a hit that ends at `to`, with each character as itself."""
    if not writing.near.search(data, max(low, to - _NAME_WRITTEN), to + _LOGIN_WRITTEN):
        return _Run(b"", lambda first, last: (first, last), (), to + _ALIKE)
    before = writing.before.match(data[max(low, to - _BEFORE_WRITTEN) : to][::-1])
    after = writing.after.match(data, to, to + _AFTER_WRITTEN)
    at = start = to - (before.end() if before else 0)
    end = after.end() if after else to
    out, inner, outer = bytearray(), [0], [start]
    for m in writing.written.finditer(data, start, end):
        out += data[at : m.start()]
        inner.append(len(out))
        out += writing.character(int(m[1], 16))
        inner.append(len(out))
        at = m.end()
        outer += m.span()
    out += data[at:end]
    if len(inner) == 1 or not budget.take(len(out)):
        return None
    place = _Places(inner, outer).of
    return _Run(bytes(out), lambda first, last: (place(first), place(last)), (writing.name,), end)


_DECODERS = (
    partial(_decoded, _BASE64),
    partial(_decoded, _HEX),
    partial(_rewritten, _PERCENT),
    partial(_rewritten, _ESCAPES),
)
