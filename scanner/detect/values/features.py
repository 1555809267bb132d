"""Detect: what can be seen of a value, its name and its place: what likelihood.py weighs.

Each is a short phrase that holds or does not, so that people can be told what was seen. None says
how much a value reads like a word: people take words for passwords.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from scanner.detect.values.assignments import holds_a_secret, is_translation, says_about, shannon
from scanner.detect.values.file_role import place_of
from scanner.detect.values.placeholders import is_dummy
from scanner.file_types import scope_of, suffix_of, suffixes


class Case(NamedTuple):
    """A value that may be a secret: the name beside it, the line before and after it, the path of
    its file, and by which check it was found. It holds plaintext."""

    name: str
    value: str
    before: str
    after: str
    path: str
    check: str


# Regular expressions are few here, since each costs a start of keywatch more than what it looks at.
_KINDS = (
    ("password", ("pass", "pwd", "contrase")),
    ("token", ("token", "bearer", "jwt")),
    ("secret", ("secret",)),
    ("key", ("key",)),
    ("authorization", ("auth", "login", "signature", "verifier")),
    ("credential", ("cred",)),
)
_WORDS_ALONE = frozenset(
    "password passwd pass pwd passphrase secret token key auth credential credentials".split()
)
_LENGTHS = (4, 6, 8, 10, 12, 16, 20, 24, 32, 40, 64, 128)
_LONGER = 999
_HEXADECIMAL = frozenset(string.hexdigits)
_BASE64 = frozenset(string.ascii_letters + string.digits + "+/_-")
_DIGITS = frozenset(string.digits)
_LETTERS_THEN_DIGITS = re.compile(r"[A-Za-z]+\d{1,4}")
_CAMEL = re.compile(r"[A-Za-z][a-z]+(?:[A-Z][a-z]+)+")
_FORMS = tuple(
    (f"value: {text}", re.compile(pattern, re.DOTALL))
    for text, pattern in (
        ("begins or ends with a bracket", r"[\[({<].*|.*[\])}>]"),
        ("a call", r"[A-Za-z_][\w.]*\(.*\)"),
        ("a version, date or number", r"v?\d+(?:[-.:/,T+]\d+)+Z?"),
        ("a UUID", r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"),
        ("ends with =", r".*="),
        ("marked to be replaced", r"(?:__|@@|%%?|##?|~~|!!).+(?:__|@@|%%?|##?|~~|!!)"),
    )
)
# The word for a password, where it is the text of a form.
_NAMES_IT = re.compile(
    r"passwor[dt]s?|passphrases?|palavra-passe|kennw\S{1,2}rt\w*|mots? de passe|contrase\S{1,3}as?"
    r"|clave|senhas?"
    r"|wachtwoord\w*|has\S{1,3}[oa]\b|l\S{1,3}senord\w*|salasana\w*|adgangskode\w*|jelsz\S{1,3}\w*"
    r"|hesl[oa]\b|parol[aey]?\b|\S{1,4}ifre\w*|passord\w*|lozink\w+|geslo|parole|credentials?"
)
# Words that sentences have and passphrases have not.
_OF_SENTENCES = frozenset(
    "a an the your you is are was be must should can cannot not no yes to of for in on at with by"
    " or and if please enter type again this that it has have been new old current confirm repeat"
    " minimum maximum least most characters chars digits letters must required todo set"
    " your my our de la le les un une votre du et ou el su la una los por con el o os as um uma sua"
    " do da das der die den ein eine ihr dein ist und oder zum zur bitte il lo gli un uno di che"
    " non het een uw je en of nie jest i w na som och att det ett din".split()
)
_TYPES = frozenset(
    "str string text byte bytes char varchar nvarchar object any int integer number float double"
    " bool boolean uuid array list map dict json void unit option optional nullable secretstr"
    " secretstring securestring passwordfield charfield textfield plain none null nil undefined"
    " true false yes no on off".split()
)
_STATES = frozenset(
    "required optional hidden visible disabled enabled readonly readwrite immutable mutable"
    " deprecated internal external private public protected inherit inherited auto automatic manual"
    " default custom static dynamic nonempty notempty unset missing unknown invalid valid empty"
    " encrypted hashed plaintext masked sensitive always never both active inactive pending".split()
)
_ALGORITHM = re.compile(
    r"(?:aes|des|3des|rc4|rsa|ecdsa|hmac|sha|hs|rs|es|ps|md|argon|bcrypt|scrypt|pbkdf|chacha"
    r"|ed25519|crypt|blowfish|twofish|basic|bearer|digest|oauth|jwt|opaque|scram|ldap|saml|ntlm)"
    r"(?:[-_]?(?:\d+|cbc|gcm|ctr|ecb|sha|hmac|poly\d+|id|i|d|auth|with))*"
)
_OF_TYPES = re.compile(r"[!?*&]|[\[(<].*[\])>]|^(?:std::|system\.|java\.lang\.|ns|core)")
_GENERIC = re.compile(r"[A-Za-z][\w.:]*<.*>[?!]?|[A-Za-z][\w.]*\[\]|[A-Za-z][\w:]*[*&]|NS[A-Z]\w+")
_RULE = re.compile(
    r"(?:^|[|,;\s])(?:min|max|required|confirmed|string|len|size|pattern|regex)[a-z_]{0,7}"
    r"(?:[:=(]\s*\d+\)?|[<>]=?\s*\d+|[|,]|$)|^\^|\{\d+,\d*\}|\(\?|\[[a-z]-[a-z]|\\[dwSs]"
)
_WORDS = (
    (
        "names a secret",
        "passw passphrase secret token apikey api_key api-key credential".split(),
    ),
    (
        "speaks of a test or an example",
        "test example sample dummy fake foo bar demo mock invalid wrong valid correct your some my-"
        " my_ new old default todo change here xxx".split(),
    ),
    ("counts up", "1234 2345 3456 abcd bcde aaaa 0000 1111".split()),
)
_SIGNS = tuple(
    (f"value: {text}", frozenset(signs))
    for text, signs in (
        ("holds a bracket or an operator", "()[]{}|<>"),
        ("holds punctuation of passwords", "!@#$%^&*?"),
        ("holds a slash", "/\\"),
        ("holds a comma or semicolon", ",;"),
    )
)
_HASHES = ("$1$", "$2", "$5$", "$6$", "$argon", "{ssha", "pbkdf2", "md5", "sha")
_DOCUMENT = frozenset(suffixes("markdown", "restructuredtext", "asciidoc", "text", "latex", "html"))
_QUOTES = frozenset("\"'`")
_COMMENTS = ("#", "//", "/*", "*", ";", "--", "<!--", "%", "REM")
_BESIDE = re.compile(
    r"(?i)(?:user|login|email|account|host|server|database|client_?id)\w{0,30}[\"']?\s*(?:[:=,]|=>)"
)
_BEFORE = (
    ("an arrow", ("=>", "->", "<-")),
    ("a comparison", ("==", "!=", "~")),
    ("an equals sign", ("=",)),
    ("a colon", (":",)),
    ("a parenthesis", ("(",)),
    ("a comma", (",",)),
    ("a bracket", ("[", "{", ">")),
)


def features(case: Case) -> Iterator[str]:
    """All that holds of a case."""
    kind, made, alone = _without_place(case.name, case.value)
    yield f"found by {case.check}"
    yield from alone
    yield from _of_path(case, kind, made)
    yield from _of_line(case)


@lru_cache(maxsize=2048)  # files repeat their settings, and repositories their files
def _without_place(name: str, value: str) -> tuple[str, str, tuple[str, ...]]:
    """What the name means, what the value is made of, and the features of the two."""
    kind, made = _kind(name.lower()), _made_of(value)
    both = f"name: {kind}, value: {made}"
    return kind, made, (both, *_of_name(name, kind), *_of_value(name.lower(), value, made))


def _kind(name: str) -> str:
    if name == "pw" or name.endswith(("_pw", "-pw", ".pw")):
        return "password"
    meant = (kind for kind, words in _KINDS if any(word in name for word in words))
    return next(meant, "other")


def _made_of(value: str) -> str:
    """What kinds of characters, in what order."""
    if not value.isascii():
        return "beyond ASCII" if _DIGITS.intersection(value) else "words beyond ASCII"
    if value.isalpha():
        return _of_letters(value)
    if value.isalnum():
        return _of_letters_and_digits(value)
    if any(char.isspace() for char in value):
        return "text with spaces" if _DIGITS.intersection(value) else "words with spaces"
    return _joined(value)


def _of_letters_and_digits(value: str) -> str:
    if value.isdigit():
        return "digits alone"
    if len(value) >= 8 and _HEXADECIMAL.issuperset(value) and not _is_mixed(value):
        return "hexadecimal"
    if _LETTERS_THEN_DIGITS.fullmatch(value):
        return "letters, then digits"
    return "letters and digits" if _is_mixed(value) else "letters of one case and digits"


def _of_letters(value: str) -> str:
    if value.islower():
        return "small letters alone"
    if value.isupper():
        return "capital letters alone"
    if value[1:].islower():
        return "a capitalised word"
    return "words in camel case" if _CAMEL.fullmatch(value) else "letters of both cases"


def _is_mixed(value: str) -> bool:
    return not (value.islower() or value.isupper())


def _joined(value: str) -> str:
    """What stands between the punctuation of a value."""
    parts = value.replace("-", "_").split("_")
    if all(map(str.isalpha, parts)):
        return "a name in capitals" if value.isupper() else "words joined by - or _"
    if all(map(str.isidentifier, value.replace("->", ".").replace("::", ".").split("."))):
        return "words joined by dots"
    if all(map(str.isalnum, value.replace(".", "_").replace("-", "_").split("_"))):
        return "words and numbers joined"
    if len(value) >= 8 and _BASE64.issuperset(value.rstrip("=")):
        return "base64"
    return "with punctuation"


def _of_name(name: str, kind: str) -> Iterator[str]:
    yield f"name: {kind}"
    if name.lower() in _WORDS_ALONE:
        yield f"name: the word alone, {kind}"
    if name.isupper():
        yield "name: in capitals"
    if "_" in name or "-" in name:
        yield "name: words joined"


def _of_value(name: str, value: str, made: str) -> Iterator[str]:
    length = next((most for most in _LENGTHS if len(value) <= most), _LONGER)
    yield f"value: {made}"
    yield f"value: at most {length} characters"
    yield f"value: {made}, at most {length} characters"
    yield f"entropy: {int(shannon(value.encode('latin-1', 'replace')) * 2) / 2}"
    yield f"characters: {int(len(set(value)) / max(len(value), 1) * 5) * 20} % of them differ"
    lower = value.lower()
    for text, words in _WORDS:
        if any(word in lower for word in words):
            yield f"value: {text}"
    yield from _of_words(value, lower)
    if not value.isalnum():
        yield from _of_signs(value)
    plain = lower.strip("-_ .:<>[]")
    if plain and (plain in name or name.strip("-_ ") in plain):
        yield "value: is or holds its own name"
    if is_dummy(value):
        yield "value: a word of tests and manuals"


def _of_words(value: str, lower: str) -> Iterator[str]:
    """Does it read as a text for people, a type, a state: words that have a use of their own?"""
    words = lower.replace("?", " ").replace(".", " ").replace(",", " ").replace(":", " ").split()
    if _NAMES_IT.search(lower):
        whole = _NAMES_IT.sub("", lower).strip(" :?.!*") == ""
        yield "value: the word for a password" if whole else "value: holds the word for a password"
    if len(words) > 1 and not _OF_SENTENCES.isdisjoint(words):
        yield "value: a sentence"
    if _is_type(value, lower):
        yield "value: a type"
    if lower in _STATES:
        yield "value: a state"
    if _ALGORITHM.fullmatch(lower):
        yield "value: an algorithm"
    if says_about(value):
        yield "value: says something about a secret"
    elif " " not in value and holds_a_secret(value):
        yield "value: the name of a secret"


def _is_type(value: str, lower: str) -> bool:
    parts = lower.strip("[]!").split("|")
    named = all(_OF_TYPES.sub("", part.strip()) in _TYPES for part in parts)
    return named or bool(_GENERIC.fullmatch(value))


def _of_signs(value: str) -> Iterator[str]:
    for text, signs in _SIGNS:
        if not signs.isdisjoint(value):
            yield text
    for text, pattern in _FORMS:
        if pattern.fullmatch(value):
            yield text
    if value.lower().startswith(_HASHES):
        yield "value: the hash of a password"
    if _RULE.search(value):
        yield "value: a rule for values"


def _of_path(case: Case, kind: str, made: str) -> Iterator[str]:
    path = case.path
    scope = "documents" if suffix_of(path) in _DOCUMENT else scope_of(path)
    place = place_of(path)
    written = "quoted" if case.before[-1:] in _QUOTES else "bare"
    yield f"file: {scope}"
    yield f"file: {scope}, {written}"
    yield f"file: {scope}, {written}, value: {made}"
    yield f"path: {place}"
    yield f"path: {place}, name: {kind}"
    yield f"path: {place}, value: {made}"
    if is_translation(path):
        yield "path: texts for people"


def _of_line(case: Case) -> Iterator[str]:
    before, after = case.before, case.after
    head = before.rstrip("\"'`rbuf@\\").rstrip()
    sign = next((text for text, signs in _BEFORE if head.endswith(signs)), "something else")
    yield f"before: {sign}"
    if before.lstrip().startswith(_COMMENTS):
        yield "line: a comment"
    if _BESIDE.search(before) or _BESIDE.search(after):
        yield "line: names a user or a server, too"
    quote = before[-1:] if before[-1:] in _QUOTES else ""
    yield f"after: {_after(after.removeprefix(quote))}"


def _after(rest: str) -> str:
    text = rest.strip()
    if not text:
        return "nothing"
    if text[0] in ",;":
        return "the end of a statement" if len(text) == 1 else "another item"
    if text[0] in ")]}":
        return "a closing bracket"
    return "a call or an operator" if text[0] in ".+%([?|&" else "more text"
