"""Detect: how text with a secret looks when it is encoded, as the one pass looks for it.

In base64 `password` is one of three literals, by where it begins in a group of three bytes, and in
hex it is one. So what rules look for as it stands is looked for encoded, too, and encoded again:
literals cost the pass nothing, where a pattern for base64 itself would take half of its time. At a
hit, decode.py looks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import product
from string import ascii_lowercase
from typing import TYPE_CHECKING

from scanner.detect.prefilter.matcher import CONTENT, Pattern

if TYPE_CHECKING:
    from scanner.detect.rules.model import Rule

KINDS = ("base64", "hex", "percent-encoding", "escapes")
"""What is decoded. The patterns come in this order."""

SHORTEST = 15
"""Bytes of the shortest text that is decoded: 20 characters of base64."""

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_TEXT = frozenset((*b"\t\n\r", *range(32, 127)))
_ENOUGH = 4  # characters of base64, bytes in hex: by chance the one comes once in 16 megabytes
# What stands beside a secret that has no format of its own; each in three cases.
_WORDS = ("pass", "pwd", "secret", "token", "key", "cred", "auth", "://", "-----BEGIN ")
# What is looked for three encodings deep, as those words are: each is a hundred literals more.
_TOKENS = ("ghp_", "github_pat_", "glpat-", "AKIA", "sk_live_", "xoxb-", "AIza", "npm_")
GZIP = b"\x1f\x8b\x08"
# As long as the shortest text that is decoded: what decode.py asks for around a hit, and what an
# engine looks for to which so many literals are dear.
BASE64_TEXT = (
    "(?:[CDI-Za-f][ACDEFGHQSTUVWXgijklmnwyz0123][ABEFIJMNQRUVYZcdghklopstwx014589]"
    "[A-Za-z0-9+/_-]){4}|H4sI"
)
HEX_TEXT = "(?:[2-7][0-9A-Fa-f]|0[9AaDd]){12}|(?i:1f8b08)"
# Letters mostly stay as they are: it is what stands between a name, or a login, and its secret that
# is written otherwise. As above: first what decode.py asks for around a hit.
_NAME = r"(?:pass|pwd|secret|token|key|cred|auth)[\w.\-]{0,20}"
# In hex a letter, a digit, or what begins the same writing again; quotes and brackets are common.
_LETTER = "(?:3[0-9]|[46][1-9a-f]|[57][0-9a]|25|5c)"
PERCENT_TEXT = (
    rf"(?i){_NAME}%(?:25)?(?:3d|22%(?:25)?3a)|(?:%{_LETTER}){{4}}"
    r"|%(?:25)?3a%(?:25)?2f%(?:25)?2f[\w.~!*%+\-]{3,99}?%(?:25)?40"
)
ESCAPED_TEXT = (
    rf"(?i){_NAME}\\{{1,4}}(?:u00|x)(?:2[27]|3[ad])|\\(?:u00|x)40"
    rf"|(?:\\u00{_LETTER}){{3}}|(?:\\x{_LETTER}){{3}}"
)
_PERCENT = "%(?:25)?3d|%(?:25)?22%(?:25)?3a|%(?:25)?3a%(?:25)?2f%(?:25)?2f|(?:%[2-7][0-9a-f]){4}"
_ESCAPES = r"(?:\\u00[2-7][0-9a-f]){3}|(?:\\x[2-7][0-9a-f]){3}|\\(?:u00|x)(?:2[27]|3[ad]|40)"


def patterns(rules: Iterable[Rule]) -> tuple[Pattern, ...]:
    """A pattern for each of KINDS: of text that holds something that a rule looks for."""
    words = {case(word).encode() for word in _WORDS for case in (str.lower, str.upper, str.title)}
    words |= {token.encode() for token in _TOKENS}
    again = _encoded(words)
    looked_for = _looked_for(rules) | words | again | _encoded(again) | _written(words)
    compressed = {GZIP, *_encoded((GZIP,))}
    return (
        *_of_literals(looked_for, compressed),
        Pattern(_PERCENT, ignore_case=True, scope=CONTENT),
        Pattern(_ESCAPES, ignore_case=True, scope=CONTENT),
    )


def literal_patterns(rules: Iterable[Rule]) -> tuple[Pattern, ...]:
    """Patterns for the first of KINDS, of what these rules look for alone; none for nothing."""
    looked_for = _looked_for(rules)
    return _of_literals(looked_for, ()) if looked_for else ()


def _looked_for(rules: Iterable[Rule]) -> set[bytes]:
    return {word.encode() for rule in rules for word in _literals(rule) if len(word) > 2}


def _of_literals(words: Iterable[bytes], beginnings: Iterable[bytes]) -> tuple[Pattern, Pattern]:
    """What the words are in base64 and in hex, wherever they stand in a text, and the beginnings of
    texts."""
    in_base64 = {each for word in words for at in range(3) for each in _in_base64(word, at)}
    in_base64 |= {each for word in beginnings for each in _in_base64(word, 0)}
    in_hex = {each.hex() for word in words for each in _long(word)}
    in_hex |= {each.hex() for each in beginnings}
    return (
        Pattern(BASE64_TEXT, scope=CONTENT, literals=tuple(sorted(in_base64))),
        Pattern(HEX_TEXT, ignore_case=True, scope=CONTENT, literals=tuple(sorted(in_hex))),
    )


def _long(word: bytes) -> Iterator[bytes]:
    """The word, with what stands beside it where it is short: hex has few digits, so that by chance
    six of them come in each long list of hashes."""
    if len(word) >= _ENOUGH:
        yield word
    elif word.isalpha():
        yield from (word + sign.encode() for sign in "=:\"' _")
    elif word == b"://":
        yield from (letter.encode() + word for letter in ascii_lowercase)


def _literals(rule: Rule) -> Iterator[str]:
    """What is in each match of a rule, as it is written there; nothing of a rule on names, which
    are among the words, and of one on structure."""
    if rule.group or rule.named:
        return
    pattern = rule.pattern.replace("\\", "")
    for keyword in rule.keywords:
        shorter = (keyword[:length] for length in range(len(keyword), 2, -1))
        written = (set(re.findall(re.escape(each), pattern, re.IGNORECASE)) for each in shorter)
        yield from next(filter(None, written), (keyword,))
        if rule.ignore_case:
            yield from (keyword, keyword.upper())


def _encoded(words: Iterable[bytes]) -> set[bytes]:
    """What of each word is known when it is encoded, wherever it stands in the text."""
    in_base64 = (_known(_choices(word, at)) for word in words for at in range(3))
    return {*in_base64, *(word.hex().encode() for word in words)}


def _written(words: Iterable[bytes]) -> set[bytes]:
    """Each word with all of its characters written as several."""
    forms = ("%%%02x", "%%%02X", "\\x%02x", "\\u%04x")
    return {"".join(form % byte for byte in word).encode() for word in words for form in forms}


def _known(choices: Sequence[str]) -> bytes:
    return "".join(each for each in choices if len(each) == 1).encode()


def _in_base64(word: bytes, at: int) -> Iterator[str]:
    """The word as byte `at` of a group of three and on: the characters that it gives alone; where
    they are few, with one that its neighbour in the text has a part in."""
    choices = _choices(word, at)
    known = [index for index, each in enumerate(choices) if len(each) == 1]
    low, high = known[0], known[-1] + 1
    if high - low < _ENOUGH:
        before, after = choices[low - 1 : low], choices[high : high + 1]
        is_first = bool(before) and (not after or len(before[0]) <= len(after[0]))
        low, high = low - is_first, high + (not is_first)
    return map("".join, product(*choices[low:high]))


def _choices(word: bytes, at: int) -> list[str]:
    """For each character of base64 that the word has a part in, what it may be."""
    known = [*[_TEXT] * at, *(frozenset((byte,)) for byte in word)]
    known += [_TEXT] * (-len(known) % 3)
    return [each for group in zip(*[iter(known)] * 3, strict=True) for each in _group(*group)]


@cache
def _group(a: frozenset[int], b: frozenset[int], c: frozenset[int]) -> tuple[str, ...]:
    """What the four characters may be that stand for three bytes, each one of these."""
    parts = (
        {x >> 2 for x in a},
        {x | y for x in {(x & 3) << 4 for x in a} for y in {y >> 4 for y in b}},
        {x | y for x in {(x & 15) << 2 for x in b} for y in {y >> 6 for y in c}},
        {x & 63 for x in c},
    )
    return tuple("".join(_ALPHABET[number] for number in sorted(part)) for part in parts)
