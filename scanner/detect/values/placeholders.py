"""Detect: recognise placeholders, samples and dummy values."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

from scanner.lazy_pattern import lazy

# Words that say that they stand for a value, or that there is none.
_PLACEHOLDER_WORDS = frozenset(
    "change_me change-me replaceme replace_me replace-me example sample placeholder todo tbd"
    " redacted removed hidden masked none null nil undef empty undefined string value text"
    " notsecret not-a-secret yourpassword yoursecret yourtoken".split()
)
# Words that are weak passwords, but no tokens or keys: nothing generates them.
_WEAK_WORDS = frozenset(
    "password passwort passwd pass pwd secret secrets changeme changeit"
    " test tests testing tester tested root user username"
    " dummy fake foo bar baz foobar qux abc abcd abcde abcdef asdf default secretkey secret_key"
    " secret-key api_key apikey api-key token mytoken mysecret mypassword"
    " key pass123 pass1234 test123 test1234 test12345 test123456 anonymous public".split()
)
# Manuals write these in capitals for a value that is to be filled in: `BY 'PASSWORD'`.
_CAPITAL_WORDS = frozenset("password passwd pass pwd secret token key user username value".split())
# The same for shapes: `1111`, `12345`, `654321`, `changeme!`.
_WEAK_SHAPE = lazy(
    r"(\d)\1{3,}|0?1234?5?6?7?8?9?0?|(?:987)?654321|change(?:me|it)[!\d]*|my[a-z]*\d*"
)
# A whole value. An example for each line: `xxxx`, `12345`; `__TOKEN__`, `<password>`; `your-key`;
# `yourpassword`; `please-change-me`; `example-key`; `key-here`; `sk_live_xxxx`, `sk_live_`;
# `abcxxxxxxdef`, which is masked in its middle.
_PLACEHOLDER_SHAPE = lazy(
    r"(?i)x{3,}|\*{3,}|\.{3,}|-{3,}|_{3,}|#{3,}|(.)\1{3,}|0?1234?5?6?7?8?9?0?|(?:987)?654321"
    r"|(?:__|@@|%%|##|\*\*).+(?:__|@@|%%|##|\*\*)|<[^<>]*>|\[[^\[\]]*\]|\{[^{}]*\}"
    r"|(?:your|my|some|the|insert|enter|put|add|set|use|fill)[-_ ].*"
    r"|your[a-z]*(?:password|secret|token|key)s?"
    r"|to[-_ ]?be[-_ ]?(?:modified|changed|replaced|set|defined|filled|generated|determined)"
    r"|(?:please[-_ ]?)?(?:change|replace|update)[-_ ]?(?:me|it|this)[-_ a-z]*[.!]?"
    r"|(?:example|sample|dummy|fake|placeholder|redacted|removed|replace[-_ ]with)[-_ ].*"
    r"|.*[-_ ](?:example|sample|placeholder|here|goes[-_ ]here)|.*\bexample\b.*|.*\.\.\.$"
    r"|.*(?:x{4}|[-_]x{3,}|\*{4})|[\w-]{2,12}[-_]"
    r"|.*(?:x{6}|\*{6}).*"
)
_MIN_SEQUENCE = 6  # fewer characters may be in order by chance
_LONG_SEQUENCE = 16  # nobody chooses such a one as a password
_MIN_RUN = 8  # characters in order before the order may begin again
# Words that only name a secret: `secret-access-token`, `my_api_key`.
_NAMES_ONLY = lazy(
    r"(?:(?:secret|access|refresh|bearer|auth|oauth|api|app|client|user|session|private|master|my|test"
    r"|some|the|id|token|key|password)[-_ ]?){2,}"
)
# In a value that has a format of its own: `ghp_xxxxxxxx…`, the example keys of manuals.
_SIX_EQUAL = lazy(rb"(.)\1{5}", re.DOTALL)
# In the lower case of such a value.
_SAMPLE_WORD = lazy(
    rb"example|placeholder|changeme|change[_-]me|redacted|dummy|sample|replace|insert|"
    rb"your[_-]|deadbeef|012345|123456|234567|abcdef|fedcba|654321|qwerty"
)
# In a value that only its name calls a secret. The first group must match the whole value; the rest
# may match a part of it.
_PLACEHOLDER = lazy(
    r"^(?:x{3,}|\*{3,}|\.{3,}|-{3,}|_{3,}|0{4,}|1234?5?6?7?8?9?0?|abc(?:123|def)?|foo|bar|baz|qux"
    r"|todo|tbd|none|null|nil|undefined|true|false|yes|no|on|off|required|optional|string|str|bytes"
    r"|int|integer|number|bool|boolean|object|any|unknown|void|auto|default|disabled|enabled|empty"
    r"|redacted|masked|removed|hidden|secret|token|password|passwd|pass|pwd|passphrase|key|user"
    r"|username|admin|root|test|testing|guest|value|text|hash|md5|sha\d*|basic|bearer|digest|plain"
    r"|ldap|oauth2?)$"
    r"|change[-_ ]?(?:me|it|this)|replace[-_ ]?(?:me|with|this)|place[-_ ]?holder|example|sample"
    r"|dummy|fake|your[-_ ]|my[-_ ]?(?:secret|password|token|key|pass)|insert[-_ ]"
    r"|fill[-_ ]?(?:me|in)|enter[-_ ]|not[-_ ]?(?:a[-_ ])?(?:real|set|used|secret)|s3cr3t$"
    r"|to[-_ ]be|xxxx|^\W*$|redacted|\.\.\.$",
    re.IGNORECASE,
)
_LEET = str.maketrans("@$013457", "asoleast")
_DUMMY_WORDS = frozenset(
    "password passwort pass passwd pwd secret secrets supersecret topsecret letmein letmeinz hunter"
    " test testing tests tester admin administrator root user username guest demo welcome qwerty"
    " abc foo bar foobar changeit default newpassword oldpassword mypassword testpassword token"
    " testpass userpass password_confirm new_password old_password current-password".split()
)


def is_sample(value: bytes) -> bool:
    """Does a value that should be random contain a word or a repetition of samples?"""
    return bool(_SAMPLE_WORD.search(value.lower()) or _SIX_EQUAL.search(value))


def is_known_placeholder(value: str, *, password: bool = False) -> bool:
    """Is the whole value a placeholder, a sequence, or a common word of tests and manuals?

    password: people choose the value, so such a word or a sequence of digits is a weak password.
    """
    plain = value.strip().lower()
    if "EXAMPLE" in value:  # the keys in the manuals of AWS contain it
        return True
    if plain in _PLACEHOLDER_WORDS or (value.isupper() and plain in _CAPITAL_WORDS):
        return True
    if plain in _WEAK_WORDS or _WEAK_SHAPE.fullmatch(plain):
        return not password
    inner = plain.strip("!-*#")
    if _PLACEHOLDER_SHAPE.fullmatch(plain) or (inner and _PLACEHOLDER_SHAPE.fullmatch(inner)):
        return True
    if _is_sequence(plain) and (not password or len(plain) >= _LONG_SEQUENCE):
        return True
    return not password and _NAMES_ONLY.fullmatch(plain) is not None


def _is_sequence(value: str) -> bool:
    """Are its letters and digits in order: `123-456-789`, `ijklmnop`, `abc…xyz0123456789`?"""
    codes = [ord(char) for char in value if char.isalnum()]
    breaks = sum(after - before != 1 for before, after in pairwise(codes))
    return len(codes) >= _MIN_SEQUENCE and breaks * _MIN_RUN <= len(codes) - _MIN_SEQUENCE


def is_dummy(value: str) -> bool:
    """Is it a common word of tests and manuals, also in a variant: `P@ssw0rd1`, `lètmein`?"""
    plain = unicodedata.normalize("NFKD", value.encode("latin-1").decode(errors="replace"))
    letters = plain.encode("ascii", "ignore").decode().lower().rstrip("0123456789!.?_- ")
    return letters.translate(_LEET) in _DUMMY_WORDS


def is_placeholder(value: str) -> bool:
    """Does the value contain a placeholder, or is it a word that means nothing or a type?"""
    return bool(_PLACEHOLDER.search(value))
