"""Detect: what stands where a secret goes, and is known to be none."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

_WORDS = frozenset(
    "password passwort passwd pass pwd secret secrets changeme change_me changeit change-me"
    " replaceme replace_me replace-me test tests testing tester tested root user username example"
    " sample dummy fake placeholder foo bar baz foobar qux abc abcd abcde abcdef asdf todo tbd"
    " redacted removed hidden masked none null empty undefined default secretkey secret_key"
    " secret-key api_key apikey api-key token mytoken mysecret mypassword yourpassword yoursecret"
    " yourtoken string value text key pass123 pass1234 test123 test1234 test12345 test123456"
    " notsecret not-a-secret anonymous public".split()
)
_SHAPES = re.compile(
    r"(?i)x{3,}|\*{3,}|\.{3,}|-{3,}|_{3,}|#{3,}|(.)\1{3,}|0?1234?5?6?7?8?9?0?|(?:987)?654321"
    r"|(?:__|@@|%%|##|\*\*).+(?:__|@@|%%|##|\*\*)|<[^<>]*>|\[[^\[\]]*\]|\{[^{}]*\}"
    r"|(?:your|my|some|the|insert|enter|put|add|set|use|fill)[-_ ].*"
    r"|your[a-z]*(?:password|secret|token|key)s?"
    r"|(?:please[-_ ]?)?(?:change|replace|update)[-_ ]?(?:me|it|this)[-_ a-z]*[.!]?"
    r"|(?:example|sample|dummy|fake|placeholder|redacted|removed|replace[-_ ]with)[-_ ].*"
    r"|.*[-_ ](?:example|sample|placeholder|here|goes[-_ ]here)|.*\bexample\b.*|.*\.\.\.$"
    r"|.*(?:x{4}|[-_]x{3,}|\*{4})|[\w-]{2,12}[-_]"  # `sk_live_xxxx`, `sk_live_`
    r"|.*(?:x{6}|\*{6}).*"  # masked in its middle
)
_FEWEST = 6  # signs in order that are no chance
# In a value of a format: `ghp_xxxxxxxx…`, the keys of manuals.
_SAME_SIX = re.compile(rb"(.)\1{5}", re.DOTALL)
_OF_SAMPLES = re.compile(
    rb"example|placeholder|changeme|change[_-]me|redacted|dummy|sample|replace|insert|"
    rb"your[_-]|deadbeef|012345|123456|234567|abcdef|fedcba|654321|qwerty"
)
# In a value of a name: what it may be a part of.
_PLACEHOLDER = re.compile(
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
_DUMMIES = frozenset(
    "password passwort pass passwd pwd secret secrets supersecret topsecret letmein letmeinz hunter"
    " test testing tests tester admin administrator root user username guest demo welcome qwerty"
    " abc foo bar foobar changeit default newpassword oldpassword mypassword testpassword token"
    " testpass userpass password_confirm new_password old_password current-password".split()
)


def is_sample(value: bytes) -> bool:
    """Does a value that a machine should have made hold what only a sample does?"""
    return bool(_OF_SAMPLES.search(value.lower()) or _SAME_SIX.search(value))


def stands_for_one(value: str) -> bool:
    """Is it a plain placeholder, or a word that everyone knows from tests and manuals?"""
    plain = value.strip().lower()
    if "EXAMPLE" in value:  # as the manuals of AWS write into each of their keys
        return True
    return plain in _WORDS or bool(_SHAPES.fullmatch(plain)) or _counts_up(plain)


def _counts_up(value: str) -> bool:
    """Letters or digits in their order: `123-456-789`, `ijklmnop`."""
    signs = [ord(char) for char in value if char.isalnum()]
    steps = {after - before for before, after in pairwise(signs)}
    return len(signs) >= _FEWEST and steps == {1}


def is_dummy(value: str) -> bool:
    """A word that only tests and manuals use, however it is dressed up: `P@ssw0rd1`, `lètmein`."""
    plain = unicodedata.normalize("NFKD", value.encode("latin-1").decode(errors="replace"))
    letters = plain.encode("ascii", "ignore").decode().lower().rstrip("0123456789!.?_- ")
    return letters.translate(_LEET) in _DUMMIES


def is_placeholder(value: str) -> bool:
    """Does the value stand for one to be filled in, or for nothing?"""
    return bool(_PLACEHOLDER.search(value))
