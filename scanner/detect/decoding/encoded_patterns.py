"""Detect: prefilter patterns for secrets in encoded text.

In base64, `password` is one of three literals, depending on where it begins in a block of three
bytes. In hex it is one literal. So the prefilter searches the words of the rules also in their
encoded forms, and in the encoded forms of these. Literals cost the prefilter nothing; a pattern for
base64 in general would take half of its time. `decoder` decodes the text around a hit.
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

ENCODINGS = ("base64", "hex", "percent-encoding", "escapes")
"""What is decoded, in the order of the patterns."""

MIN_TEXT = 15
"""Bytes of the shortest text that is decoded: 20 characters of base64."""

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_TEXT = frozenset((*b"\t\n\r", *range(32, 127)))
_MIN_LITERAL = 4  # characters of base64, or bytes in hex: by chance once in 16 MB of base64
# Words beside a secret without a format of its own. Each is searched in three letter cases.
_WORDS = ("pass", "pwd", "secret", "token", "key", "cred", "auth", "://", "-----BEGIN ")
# Prefixes that are searched three encodings deep, as the words are. Each adds a hundred literals.
_PREFIXES = ("ghp_", "github_pat_", "glpat-", "AKIA", "sk_live_", "xoxb-", "AIza", "npm_")
GZIP = b"\x1f\x8b\x08"
# Match encoded text of the least length, or gzip data. The decoder requires them around a hit. The
# `re` matcher searches them instead of the literals, which are too many for it.
BASE64_TEXT = (
    "(?:[CDI-Za-f][ACDEFGHQSTUVWXgijklmnwyz0123][ABEFIJMNQRUVYZcdghklopstwx014589]"
    "[A-Za-z0-9+/_-]){4}|H4sI"
)
HEX_TEXT = "(?:[2-7][0-9A-Fa-f]|0[9AaDd]){12}|(?i:1f8b08)"
# Percent-encoding and escapes leave most letters as they are. What they replace are the characters
# between a name, or a login, and its secret. The decoder requires these patterns around a hit:
# `password%3D`, `token%22%3A`, `%3A%2F%2Fuser:pass%40`, `secret\u003d`, or some replaced letters.
_NAME = r"(?:pass|pwd|secret|token|key|cred|auth)[\w.\-]{0,20}"
# A replaced letter or digit, `%` or `\`. Quotes and brackets are too common to be a sign.
_LETTER = "(?:3[0-9]|[46][1-9a-f]|[57][0-9a]|25|5c)"
PERCENT_TEXT = (
    rf"(?i){_NAME}%(?:25)?(?:3d|22%(?:25)?3a)|(?:%{_LETTER}){{4}}"
    r"|%(?:25)?3a%(?:25)?2f%(?:25)?2f[\w.~!*%+\-]{3,99}?%(?:25)?40"
)
ESCAPED_TEXT = (
    rf"(?i){_NAME}\\{{1,4}}(?:u00|x)(?:2[27]|3[ad])|\\(?:u00|x)40"
    rf"|(?:\\u00{_LETTER}){{3}}|(?:\\x{_LETTER}){{3}}"
)
# What the prefilter searches: `%3d`, `%22%3a`, `%3a%2f%2f`, or four replaced characters; `\u003d`,
# `\x40`, or three replaced characters.
_PERCENT = "%(?:25)?3d|%(?:25)?22%(?:25)?3a|%(?:25)?3a%(?:25)?2f%(?:25)?2f|(?:%[2-7][0-9a-f]){4}"
_ESCAPES = r"(?:\\u00[2-7][0-9a-f]){3}|(?:\\x[2-7][0-9a-f]){3}|\\(?:u00|x)(?:2[27]|3[ad]|40)"


def patterns(rules: Iterable[Rule]) -> tuple[Pattern, ...]:
    """Return one pattern for each of ENCODINGS, which finds words of these rules in it."""
    words = {case(word).encode() for word in _WORDS for case in (str.lower, str.upper, str.title)}
    words |= {token.encode() for token in _PREFIXES}
    twice = _encoded(words)
    searched = _rule_words(rules) | words | twice | _encoded(twice) | _escaped(words)
    compressed = {GZIP, *_encoded((GZIP,))}
    return (
        *_block_patterns(searched, compressed),
        Pattern(_PERCENT, ignore_case=True, scope=CONTENT),
        Pattern(_ESCAPES, ignore_case=True, scope=CONTENT),
    )


def literal_patterns(rules: Iterable[Rule]) -> tuple[Pattern, ...]:
    """Return base64 and hex patterns for only the literals of these rules; () if there are none."""
    words = _rule_words(rules)
    return _block_patterns(words, ()) if words else ()


def _rule_words(rules: Iterable[Rule]) -> set[bytes]:
    return {word.encode() for rule in rules for word in _literals(rule) if len(word) > 2}


def _block_patterns(words: Iterable[bytes], starts: Iterable[bytes]) -> tuple[Pattern, Pattern]:
    """Return the base64 and the hex pattern of words anywhere in a text, and of starts of texts."""
    in_base64 = {each for word in words for at in range(3) for each in _in_base64(word, at)}
    in_base64 |= {each for word in starts for each in _in_base64(word, 0)}
    in_hex = {each.hex() for word in words for each in _longer(word)}
    in_hex |= {each.hex() for each in starts}
    return (
        Pattern(BASE64_TEXT, scope=CONTENT, literals=tuple(sorted(in_base64))),
        Pattern(HEX_TEXT, ignore_case=True, scope=CONTENT, literals=tuple(sorted(in_hex))),
    )


def _longer(word: bytes) -> Iterator[bytes]:
    """Return the word; if it is short, with each character that may stand beside it.

    The six hex digits of a word of three letters occur by chance in any long list of hashes.
    """
    if len(word) >= _MIN_LITERAL:
        yield word
    elif word.isalpha():
        yield from (word + sign.encode() for sign in "=:\"' _")
    elif word == b"://":
        yield from (letter.encode() + word for letter in ascii_lowercase)


def _literals(rule: Rule) -> Iterator[str]:
    """Return literals, one of which is in each match of the rule, in the case of the pattern.

    Rules on names need none, because _WORDS has the names. Structure rules do not apply to decoded
    text.
    """
    if rule.group or rule.named:
        return
    pattern = rule.pattern.replace("\\", "")
    for keyword in rule.keywords:
        shorter = (keyword[:length] for length in range(len(keyword), 2, -1))
        spelled = (set(re.findall(re.escape(each), pattern, re.IGNORECASE)) for each in shorter)
        yield from next(filter(None, spelled), (keyword,))
        if rule.ignore_case:
            yield from (keyword, keyword.upper())


def _encoded(words: Iterable[bytes]) -> set[bytes]:
    """Return the base64 (at each offset) and the hex of each word, as far as they are known."""
    in_base64 = (_known(_choices(word, at)) for word in words for at in range(3))
    return {*in_base64, *(word.hex().encode() for word in words)}


def _escaped(words: Iterable[bytes]) -> set[bytes]:
    """Return each word with all characters percent-encoded or escaped."""
    forms = ("%%%02x", "%%%02X", "\\x%02x", "\\u%04x")
    return {"".join(form % byte for byte in word).encode() for word in words for form in forms}


def _known(choices: Sequence[str]) -> bytes:
    return "".join(each for each in choices if len(each) == 1).encode()


def _in_base64(word: bytes, at: int) -> Iterator[str]:
    """Return what the word may be in base64 if it begins at byte `at` of a block of three.

    These are the characters that depend only on the word. If they are few, a character that also
    depends on the neighbouring byte is added, in each of its forms.
    """
    choices = _choices(word, at)
    known = [index for index, each in enumerate(choices) if len(each) == 1]
    low, high = known[0], known[-1] + 1
    if high - low < _MIN_LITERAL:
        before, after = choices[low - 1 : low], choices[high : high + 1]
        is_first = bool(before) and (not after or len(before[0]) <= len(after[0]))
        low, high = low - is_first, high + (not is_first)
    return map("".join, product(*choices[low:high]))


def _choices(word: bytes, at: int) -> list[str]:
    """Return the possible values of each base64 character that depends on the word."""
    known = [*[_TEXT] * at, *(frozenset((byte,)) for byte in word)]
    known += [_TEXT] * (-len(known) % 3)
    return [each for group in zip(*[iter(known)] * 3, strict=True) for each in _group(*group)]


@cache
def _group(a: frozenset[int], b: frozenset[int], c: frozenset[int]) -> tuple[str, ...]:
    """Return the possible values of the four characters of a block, given those of its bytes."""
    parts = (
        {x >> 2 for x in a},
        {x | y for x in {(x & 3) << 4 for x in a} for y in {y >> 4 for y in b}},
        {x | y for x in {(x & 15) << 2 for x in b} for y in {y >> 6 for y in c}},
        {x & 63 for x in c},
    )
    return tuple("".join(_ALPHABET[number] for number in sorted(part)) for part in parts)
