"""Detect: the name that a value is given to."""

from __future__ import annotations

import re

from scanner.detect.rules.model import Rule

# What stands before a value, read backwards from it: quotes, an operator (`=` with a type before
# it), the name. Forwards, each character would be tried as the name's first. A bare word before a
# comma may be a value; what says that a secret follows is a name.
_EMAN = re.compile(
    rb"""["'`]{0,3}\\?[rbuf@$]{0,2}[ \t]{0,8}"""
    rb"""(?:(?:={1,3}(?:[ \t]{0,4}[\w<>\[\]?.*]{1,30}[ \t]{0,2}:)?"""
    rb"""|>=|=:|>-|=\|\||=\?\?|={1,2}!|:|\(|>)[ \t]{0,8}["'`\])\\]{0,3}([\w.\-]{0,63}[A-Za-z_])"""
    rb"""|,[ \t]{0,8}["'`\])\\]{0,3}(?i:([a-z_.\-]{0,20}"""
    rb"""(?:yek|nekot|terces|ssap|htua|laitnederc)[a-z_.\-]{0,40}))(?![\w.\-]))"""
)
_IDENTIFIER = re.compile(rb"[\w.\-]*")
_IDENTIFIER_BYTE = [bool(re.match(rb"[\w.\-]", bytes([i]))) for i in range(256)]


def name_of(rule: Rule, text: bytes, match: int, low: int, start: int) -> tuple[int, int]:
    """The span of the identifier that the value at `start` is given to, an empty one for none.

    A rule with a name matched inside it; for any other it is looked for, not before `low`.
    """
    if not rule.named:
        found = _EMAN.match(text[low:start][::-1])
        begin, end = found.span(found.lastindex or 0) if found else (0, 0)
        return start - end, start - begin
    whole = _IDENTIFIER.match(text, match)
    while match > low and _IDENTIFIER_BYTE[text[match - 1]]:
        match -= 1
    return match, min(whole.end() if whole else start, match + 64)
