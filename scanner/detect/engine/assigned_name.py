"""Detect: find the name that a value is assigned to."""

from __future__ import annotations

import re

from scanner.detect.rules.model import Rule
from scanner.lazy_pattern import lazy

# Matches the text before a value, read backwards. For `api_key := "VALUE` it sees `" =: yek_ipa`
# and captures `yek_ipa`. Forwards, the engine would try each character as the start of a name.
# A bare word before a comma may be a value, so there the name must contain a word such as `token`.
_NAME_BACKWARDS = lazy(
    rb"""
    ["'`]{0,3} \\? [rbuf@$]{0,2} [ \t]{0,8}             # opening quotes and string prefix
    (?:
        (?: ={1,3}                                      # = == ===, or `name: type =`
            (?: [ \t]{0,4} [\w<>\[\]?.*]{1,30} [ \t]{0,2} : )?
          | >= | =:{1,3} | >- | -< | =\|\| | =\?{1,2} | ={1,2}[!+.]  # => := -> <- ||= ?= !=
          | : | \x9a\xbc\xef | \( | > | - (?=[ \t])       # : also in its wide form, ( > and ` - `
        )
        [ \t]{0,8} ["'`\])\\]{0,3}
        ([\w.\-\x80-\xff]{0,63}[A-Za-z_\x80-\xff])      # the name
      |
        , [ \t]{0,8} ["'`\])\\]{0,3}
        (?i: ( [a-z_.\-]{0,20}                          # the name, with key, token, secret, pass,
            (?: yek | nekot | terces | ssap | htua | laitnederc )     # auth or credential in it
            [a-z_.\-]{0,40} ) )
        (?! [\w.\-] )
    )
    """,
    re.VERBOSE,
)
# The bytes from 128 on are letters of other alphabets.
_IDENTIFIER = lazy(rb"[\w.\-\x80-\xff]*")
_IDENTIFIER_BYTE = [bool(re.match(rb"[\w.\-\x80-\xff]", bytes([i]))) for i in range(256)]


def name_of(rule: Rule, text: bytes, match: int, low: int, start: int) -> tuple[int, int]:
    """Return the span of the name that the value at `start` is assigned to; an empty span if none.

    A rule with `named` matched inside the name, at `match`. For any other rule the name is searched
    backwards from the value, down to the offset `low`.
    """
    if not rule.named:
        found = _NAME_BACKWARDS.match(text[low:start][::-1])
        begin, end = found.span(found.lastindex or 0) if found else (0, 0)
        return start - end, start - begin
    whole = _IDENTIFIER.match(text, match)
    while match > low and _IDENTIFIER_BYTE[text[match - 1]]:
        match -= 1
    return match, min(whole.end() if whole else start, match + 64, start)
