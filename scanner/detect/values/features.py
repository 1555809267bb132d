"""Detect: describe a value, its name and its surroundings by the features that the model weighs.

A feature is a short phrase, so that `keywatch explain` can print it. No feature measures how much a
value resembles a word, since people use words as passwords.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from scanner.detect.values.assignments import (
    FOREIGN_NAMES,
    is_translation,
    names_a_secret,
    names_metadata,
    reads_as_identifier,
    shannon,
)
from scanner.detect.values.file_role import role_of
from scanner.file_types import scope_of, suffix_of, suffixes
from scanner.lazy_pattern import lazy


class Case(NamedTuple):
    """A value that may be a secret. It holds plaintext.

    name: the name that it is assigned to.
    before, after: the text of the line around it.
    path: the file.
    check: the name of the check that accepted it.
    """

    name: str
    value: str
    before: str
    after: str
    path: str
    check: str


# Most features use string methods, since compiling more patterns would slow down each start.
_NAME_KINDS = (
    ("password", ("pass", "pwd", "kennwort", *FOREIGN_NAMES)),
    ("token", ("token", "bearer", "jwt")),
    ("secret", ("secret",)),
    ("key", ("key",)),
    ("authorization", ("auth", "login", "signature", "verifier")),
    ("credential", ("cred",)),
)
_SECRET_WORDS = frozenset(
    "password passwd pass pwd passphrase secret token key auth credential credentials".split()
)
_LENGTHS = (4, 6, 8, 10, 12, 16, 20, 24, 32, 40, 64, 128)
_OVER_LENGTHS = 999  # stands for any greater length
_HEXADECIMAL = frozenset(string.hexdigits)
_BASE64 = frozenset(string.ascii_letters + string.digits + "+/_-")
_LONG_NAME = 12  # characters
_DIGITS = frozenset(string.digits)
_LETTERS_THEN_DIGITS = lazy(r"[A-Za-z]+\d{1,4}")
_CAMEL = lazy(r"[A-Za-z][a-z]+(?:[A-Z][a-z]+)+")
_SHAPES = tuple(
    (f"value: {text}", lazy(pattern, re.DOTALL))
    for text, pattern in (
        ("begins or ends with a bracket", r"[\[({<].*|.*[\])}>]"),
        ("a call", r"[A-Za-z_][\w.]*\(.*\)"),
        ("a version, date or number", r"v?\d+(?:[-.:/,T+]\d+)+Z?"),
        ("a selector or a hidden file", r"[#.][A-Za-z][\w-]*"),
        ("a name in a namespace", r"\w+(?:::\w+)+"),
        ("contains a call", r"[A-Za-z_][\w.]*\.\w+\(.*"),
        ("a UUID", r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"),
        ("ends with =", r".*="),
        ("marked to be replaced", r"(?:__|@@|%%?|##?|~~|!!).+(?:__|@@|%%?|##?|~~|!!)"),
    )
)
# The word for a password in many languages, as it is used in labels of forms.
_PASSWORD_IN_LANGUAGES = lazy(
    r"passwor[dt]s?|passphrases?|palavra-passe|kennw\S{1,2}rt\w*|mots? de passe|contrase\S{1,3}as?"
    r"|clave|senhas?"
    r"|wachtwoord\w*|has\S{1,3}[oa]\b|l\S{1,3}senord\w*|salasana\w*|adgangskode\w*|jelsz\S{1,3}\w*"
    r"|hesl[oa]\b|parol[aey]?\b|\S{1,4}ifre\w*|passord\w*|lozink\w+|geslo|parole|credentials?"
)
# Words that sentences use and passphrases rarely do.
_SENTENCE_WORDS = frozenset(
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
    " true false yes no on off bytea blob bytebuffer stringvalue".split()
)
_STATES = frozenset(
    "required optional hidden visible disabled enabled readonly writeonly readwrite immutable"
    " mutable deprecated internal external private public protected inherit inherited auto"
    " automatic manual default custom static dynamic nonempty notempty unset missing unknown"
    " invalid valid empty encrypted hashed plaintext masked sensitive always"
    " never both active inactive pending".split()
)
# `aes-256-gcm`, `hmac_sha`, `bcrypt`, `rs256`.
_ALGORITHM = lazy(
    r"(?:aes|des|3des|rc4|rsa|ecdsa|hmac|sha|hs|rs|es|ps|md|argon|bcrypt|scrypt|pbkdf|chacha"
    r"|ed25519|crypt|blowfish|twofish|basic|bearer|digest|oauth|jwt|opaque|scram|ldap|saml|ntlm)"
    r"(?:[-_]?(?:\d+|cbc|gcm|ctr|ecb|sha|hmac|poly\d+|id|i|d|auth|with))*"
)
# The parts of a type around its name: `?`, `[int]`, `std::`.
_TYPE_DECORATION = lazy(r"[!?*&]|[\[(<].*[\])>]|^(?:std::|system\.|java\.lang\.|ns|core)")
# `List<String>`, `string[]`, `char*`, `NSString`.
_GENERIC_TYPE = lazy(r"[A-Za-z][\w.:]*<.*>[?!]?|[A-Za-z][\w.]*\[\]|[A-Za-z][\w:]*[*&]|NS[A-Z]\w+")
# `required|min:8`, `len(12)`, `^[a-z]+$`, `.{8,}`.
_VALIDATION_RULE = lazy(
    r"(?:^|[|,;\s])(?:min|max|required|confirmed|string|len|size|pattern|regex)[a-z_]{0,7}"
    r"(?:[:=(]\s*\d+\)?|[<>]=?\s*\d+|[|,]|$)|^\^|\{\d+,\d*\}|\(\?|\[[a-z]-[a-z]|\\[dwSs]"
)
_SECRET_WORDS_IN_VALUE = "passw passphrase secret token apikey api_key api-key credential".split()
# Words without digits or punctuation: an identifier or a text. `Password123!` is neither.
_WORDS_ONLY = lazy(r"[^\W\d_]+(?:[-_.:/ ']+[^\W\d_]+)*[ :?.!*]*")
_WORD_GROUPS = (
    (
        "mentions a test or an example",
        "test example sample dummy fake foo bar demo mock invalid wrong valid correct your some my-"
        " my_ new old default todo change here xxx".split(),
    ),
    ("is a sequence", "1234 2345 3456 abcd bcde aaaa 0000 1111".split()),
)
_CHARACTER_GROUPS = tuple(
    (f"value: {text}", frozenset(signs))
    for text, signs in (
        ("contains a bracket or an operator", "()[]{}|<>"),
        ("contains punctuation used in passwords", "!@#$%^&*?"),
        ("contains a slash", "/\\"),
        ("contains a comma or semicolon", ",;"),
    )
)
_HASH_PREFIXES = ("$1$", "$2", "$5$", "$6$", "$argon", "{ssha", "pbkdf2", "md5", "sha")
_DOCUMENT_SUFFIXES = frozenset(
    suffixes("markdown", "restructuredtext", "asciidoc", "text", "latex", "html")
)
_QUOTES = frozenset("\"'`")
_COMMENT_STARTS = ("#", "//", "/*", "*", ";", "--", "<!--", "%", "REM")
# `user: bob`, `"host": "db1"`, `client_id=1`.
_USER_OR_SERVER = lazy(
    r"(?i)(?:user|login|email|account|host|server|database|client_?id)\w{0,30}[\"']?\s*(?:[:=,]|=>)"
)
_SIGNS_BEFORE = (
    ("an arrow", ("=>", "->", "<-")),
    ("a comparison", ("==", "!=", "~")),
    ("an equals sign", ("=",)),
    ("a colon", (":",)),
    ("a parenthesis", ("(",)),
    ("a comma", (",",)),
    ("a bracket", ("[", "{", ">")),
)


def features(case: Case) -> Iterator[str]:
    """Yield the features of a case."""
    kind, composition, own_features = _of_name_and_value(case.name, case.value)
    yield f"found by {case.check}"
    yield from own_features
    yield from _path_features(case, kind, composition)
    yield from _line_features(case)


@lru_cache(maxsize=2048)  # repositories repeat files and settings
def _of_name_and_value(name: str, value: str) -> tuple[str, str, tuple[str, ...]]:
    """Return the kind of the name, the composition of the value, and the features of both."""
    kind, composition = _name_kind(name.lower()), _composition(value)
    both = f"name: {kind}, value: {composition}"
    return (
        kind,
        composition,
        (both, *_name_features(name, kind), *_value_features(name.lower(), value, composition)),
    )


def _name_kind(name: str) -> str:
    if name == "pw" or name.endswith(("_pw", "-pw", ".pw")):
        return "password"
    meant = (kind for kind, words in _NAME_KINDS if any(word in name for word in words))
    return next(meant, "other")


def _composition(value: str) -> str:
    """Describe which kinds of characters the value consists of, and in which order."""
    if not value.isascii():
        return (
            "with non-ASCII characters"
            if _DIGITS.intersection(value)
            else "words with non-ASCII characters"
        )
    if value.isalpha():
        return _letters_composition(value)
    if value.isalnum():
        return _alphanumeric_composition(value)
    if any(char.isspace() for char in value):
        return "text with spaces" if _DIGITS.intersection(value) else "words with spaces"
    return _punctuated_composition(value)


def _alphanumeric_composition(value: str) -> str:
    if value.isdigit():
        return "digits only"
    if len(value) >= 8 and _HEXADECIMAL.issuperset(value) and not _is_mixed_case(value):
        return "hexadecimal"
    if _LETTERS_THEN_DIGITS.fullmatch(value):
        return "letters, then digits"
    return "letters and digits" if _is_mixed_case(value) else "single-case letters and digits"


def _letters_composition(value: str) -> str:
    if value.islower():
        return "lowercase letters"
    if value.isupper():
        return "uppercase letters"
    if value[1:].islower():
        return "a capitalised word"
    return "words in camel case" if _CAMEL.fullmatch(value) else "mixed-case letters"


def _is_mixed_case(value: str) -> bool:
    return not (value.islower() or value.isupper())


def _punctuated_composition(value: str) -> str:
    """Describe the parts between the punctuation of a value."""
    parts = value.replace("-", "_").split("_")
    if all(map(str.isalpha, parts)):
        return "an uppercase name" if value.isupper() else "words joined by - or _"
    if all(map(str.isidentifier, value.replace("->", ".").replace("::", ".").split("."))):
        return "words joined by dots"
    if all(map(str.isalnum, value.replace(".", "_").replace("-", "_").split("_"))):
        return "words and numbers joined"
    if len(value) >= 8 and _BASE64.issuperset(value.rstrip("=")):
        return "base64"
    return "with punctuation"


def _name_features(name: str, kind: str) -> Iterator[str]:
    yield f"name: {kind}"
    if name.lower() in _SECRET_WORDS:
        yield f"name: only the word, {kind}"
    if name.isupper():
        yield "name: uppercase"
    if "_" in name or "-" in name:
        yield "name: words joined"


def _value_features(name: str, value: str, composition: str) -> Iterator[str]:
    length = next((most for most in _LENGTHS if len(value) <= most), _OVER_LENGTHS)
    yield f"value: {composition}"
    yield f"value: at most {length} characters"
    yield f"value: {composition}, at most {length} characters"
    yield f"entropy: {int(shannon(value.encode('latin-1', 'replace')) * 2) / 2}"
    yield f"characters: {int(len(set(value)) / max(len(value), 1) * 5) * 20} % of them differ"
    lower = value.lower()
    in_words = _WORDS_ONLY.fullmatch(value) is not None or not value.isascii()
    in_words = in_words or (value[-1:].isalpha() and _is_identifier(value))
    for text, words in _WORD_GROUPS:
        if any(word in lower for word in words):
            yield f"value: {text}" if in_words else f"value: {text}, with other characters"
    yield from _word_features(value, lower)
    if in_words:
        yield from _naming_features(name, value, lower)
    if not value.isalnum():
        yield from _punctuation_features(value)


def _is_identifier(value: str) -> bool:
    """Is it an identifier of several words: `V1SecretVolumeSource`?"""
    return len(value) > _LONG_NAME and value.isidentifier() and reads_as_identifier(value)


def _naming_features(name: str, value: str, lower: str) -> Iterator[str]:
    """Yield one feature if the value is the word for a password, or the name of a secret."""
    plain = lower.strip("-_ .:<>[]")
    if plain and (plain in name or name.strip("-_ ") in plain):
        yield "value: is or contains its own name"
    if _PASSWORD_IN_LANGUAGES.search(lower):
        whole = _PASSWORD_IN_LANGUAGES.sub("", lower).strip(" :?.!*") == ""
        if whole and value.isascii() and value.islower():
            yield "value: the word for a password, in lower case"
        elif whole:
            yield "value: the word for a password"
        else:
            yield f"value: contains the word for a password, {_word_form(value)}"
    elif " " not in value and names_a_secret(value):
        yield f"value: the name of a secret, {_word_form(value)}"
    elif any(word in lower for word in _SECRET_WORDS_IN_VALUE):
        yield f"value: names a secret, {_word_form(value)}"


def _word_form(value: str) -> str:
    return "one word" if value.isalpha() and value[1:].islower() else "several words"


def _word_features(value: str, lower: str) -> Iterator[str]:
    """Yield the features of a label, a sentence, a type, a state, an algorithm or a name."""
    words = lower.replace("?", " ").replace(".", " ").replace(",", " ").replace(":", " ").split()
    if len(words) > 1 and not _SENTENCE_WORDS.isdisjoint(words):
        yield "value: a sentence"
    if _is_type(value, lower):
        yield "value: a type"
    if lower in _STATES:
        yield "value: a state"
    if _ALGORITHM.fullmatch(lower):
        yield "value: an algorithm"
    if names_metadata(value):
        yield "value: describes a secret"


def _is_type(value: str, lower: str) -> bool:
    parts = lower.strip("[]!").split("|")
    named = all(_TYPE_DECORATION.sub("", part.strip()) in _TYPES for part in parts)
    return named or bool(_GENERIC_TYPE.fullmatch(value))


def _punctuation_features(value: str) -> Iterator[str]:
    for text, signs in _CHARACTER_GROUPS:
        if not signs.isdisjoint(value):
            yield text
    for text, pattern in _SHAPES:
        if pattern.fullmatch(value):
            yield text
    if value.lower().startswith(_HASH_PREFIXES):
        yield "value: the hash of a password"
    if _VALIDATION_RULE.search(value):
        yield "value: a validation rule"


def _path_features(case: Case, kind: str, composition: str) -> Iterator[str]:
    path = case.path
    scope = "documents" if suffix_of(path) in _DOCUMENT_SUFFIXES else scope_of(path)
    role = role_of(path)
    written = "quoted" if case.before[-1:] in _QUOTES else "bare"
    yield f"file: {scope}"
    yield f"file: {scope}, {written}"
    yield f"file: {scope}, {written}, value: {composition}"
    yield f"path: {role}"
    yield f"path: {role}, name: {kind}"
    yield f"path: {role}, value: {composition}"
    if is_translation(path):
        yield "path: translations"


def _line_features(case: Case) -> Iterator[str]:
    before, after = case.before, case.after
    head = before.rstrip("\"'`rbuf@\\").rstrip()
    sign = next((text for text, signs in _SIGNS_BEFORE if head.endswith(signs)), "something else")
    yield f"before: {sign}"
    if before.lstrip().startswith(_COMMENT_STARTS):
        yield "line: a comment"
    if _USER_OR_SERVER.search(before) or _USER_OR_SERVER.search(after):
        yield "line: also names a user or a server"
    quote = before[-1:] if before[-1:] in _QUOTES else ""
    yield f"after: {_text_after(after.removeprefix(quote))}"


def _text_after(rest: str) -> str:
    text = rest.strip()
    if not text:
        return "nothing"
    if text[0] in ",;":
        return "the end of a statement" if len(text) == 1 else "another item"
    if text[0] in ")]}":
        return "a closing bracket"
    return "a call or an operator" if text[0] in ".+%([?|&" else "more text"
