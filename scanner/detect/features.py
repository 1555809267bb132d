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

from scanner.detect.assignments import is_dummy, is_translation, shannon
from scanner.detect.context import place_of
from scanner.detect.scopes import scope_of


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
_NUMBERS = re.compile(r"v?\d+(?:[-.:/,]\d+)+")
_LABEL = re.compile(
    r"(?:(?:your|new|old|current|confirm|enter|repeat|reset|change|forgot|show|hide|invalid|wrong"
    r"|mot de|das|le|la|el)[ _-]?)*(?:passwor[dt]s?|kennwort|passe|contrase\S{1,2}a|clave|senha"
    r"|wachtwoord|has\S{1,2}o|l\S{1,2}senord|salasana|adgangskode|jelsz\S{1,2}|heslo|parol\w?|sifre"
    r"|tokens?|secrets?|api ?keys?|credentials?|username|email)[ :?.!*]*(?:\(.*\)|is required"
    r"|required|again|field|input|label|hash|reset|vergessen\?)?"
)
_TYPES = frozenset(
    "str string text byte bytes char varchar nvarchar object any int integer number bool boolean"
    " uuid optional nullable required hidden secretstr secretstring securestring passwordfield"
    " charfield plain none null nil undefined true false bcrypt scrypt argon2 argon2id argon2i"
    " sha1 sha256 sha384 sha512 md5 hmac rsa basic bearer digest oauth oauth2 jwt opaque".split()
)
_OF_TYPES = re.compile(r"[!?]|[\[(<].*[\])>]")
_RULE = re.compile(
    r"(?:\||^)(?:min|max|required|confirmed|string|length)(?:[:=]\d+)?(?:[|,]|$)"
    r"|^\^|\{\d+,\d*\}|\(\?"
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
_DOCUMENT = frozenset("md markdown rst adoc txt html htm tex".split())
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
        return "beyond ASCII"
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
    if _LABEL.fullmatch(lower):
        yield "value: a label of a form"
    if _OF_TYPES.sub("", lower) in _TYPES:
        yield "value: a type"
    if not value.isalnum():
        yield from _of_signs(value)
    plain = lower.strip("-_ .:<>[]")
    if plain and (plain in name or name.strip("-_ ") in plain):
        yield "value: is or holds its own name"
    if is_dummy(value):
        yield "value: a word of tests and manuals"


def _of_signs(value: str) -> Iterator[str]:
    for text, signs in _SIGNS:
        if not signs.isdisjoint(value):
            yield text
    if value[:1] in "[({<" or value[-1:] in "])}>":
        yield "value: begins or ends with a bracket"
    if _NUMBERS.fullmatch(value):
        yield "value: a version, date or number"
    if (
        len(value) == 36
        and value.count("-") == 4
        and _HEXADECIMAL.issuperset(value.replace("-", ""))
    ):
        yield "value: a UUID"
    if value.endswith("="):
        yield "value: ends with ="
    if value.lower().startswith(_HASHES):
        yield "value: the hash of a password"
    if _RULE.search(value):
        yield "value: a rule for values"


def _of_path(case: Case, kind: str, made: str) -> Iterator[str]:
    path = case.path
    scope = "documents" if _suffix(path) in _DOCUMENT else scope_of(path)
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


def _suffix(path: str) -> str:
    return path.rpartition(".")[2].lower() if "." in path.rpartition("/")[2] else ""
