"""Detect: what can be seen of a value, its name and its place: what likelihood.py weighs.

Each is a short phrase that holds or does not, so that people can be told what was seen. None says
how much a value reads like a word: people take words for passwords.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from scanner.detect.assignments import is_dummy, is_translation, shannon
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


_KINDS = (
    ("password", re.compile(r"(?i)pass(?!_?key)|pwd|(?:^|[_\-.])pw|contrase|[a-z]pw$")),
    ("token", re.compile(r"(?i)token|bearer|jwt|\bpat$")),
    ("secret", re.compile(r"(?i)secret")),
    ("key", re.compile(r"(?i)key")),
    ("authorization", re.compile(r"(?i)auth|login|signature|verifier")),
    ("credential", re.compile(r"(?i)cred")),
)
_BARE_NAME = re.compile(
    r"(?i)(?:password|passwd|pass|pwd|passphrase|secret|token|key|auth|credentials?)$"
)
# The first that matches says what a value is made of.
_CLASSES = (
    ("digits alone", re.compile(r"\d+$")),
    ("small letters alone", re.compile(r"[a-z]+$")),
    ("capital letters alone", re.compile(r"[A-Z]+$")),
    ("a capitalised word", re.compile(r"[A-Z][a-z]+$")),
    ("letters of both cases", re.compile(r"[A-Za-z]+$")),
    ("hexadecimal", re.compile(r"(?:[0-9a-f]{8,}|[0-9A-F]{8,})$")),
    ("letters, then digits", re.compile(r"[A-Za-z]+\d{1,4}[!@#$.]?$")),
    ("small letters and digits", re.compile(r"[a-z0-9]+$")),
    ("capital letters and digits", re.compile(r"[A-Z0-9]+$")),
    ("letters and digits", re.compile(r"[A-Za-z0-9]+$")),
    ("a name in capitals", re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$")),
    ("words joined by - or _", re.compile(r"[A-Za-z]+(?:[-_][A-Za-z]+)+$")),
    ("words joined by dots", re.compile(r"[A-Za-z_]\w*(?:(?:\.|::?|->)[A-Za-z_]\w*)+[?!]?$")),
    ("words and numbers joined", re.compile(r"[A-Za-z0-9]+(?:[-_.][A-Za-z0-9]+)+$")),
    ("base64", re.compile(r"[A-Za-z0-9+/_\-]{8,}={0,2}$")),
    ("words with spaces", re.compile(r"[^\d\n]*[A-Za-z,.] [^\d\n]*$")),
    ("text with spaces", re.compile(r"(?s).*\s")),
    ("beyond ASCII", re.compile(r"(?s).*[^\x00-\x7f]")),
)
_PUNCTUATED = "with punctuation"
_LENGTHS = (4, 6, 8, 10, 12, 16, 20, 24, 32, 40, 64, 128)
_LONGER = 999
_LABEL = (
    r"(?i)(?:(?:your|new|old|current|confirm|enter|repeat|reset|change|forgot|show|hide|invalid|wrong"
    r"|mot de|das|le|la|el)[ _-]?)*(?:passwor[dt]s?|kennwort|passe|contrase\S{1,2}a|clave|senha"
    r"|wachtwoord|has\S{1,2}o|l\S{1,2}senord|salasana|adgangskode|jelsz\S{1,2}|heslo|parol\w?|sifre"
    r"|tokens?|secrets?|api ?keys?|credentials?|username|email)[ :?.!*]*(?:\(.*\)|is required"
    r"|required|again|field|input|label|hash|reset|vergessen\?)?$"
)
_TYPE = (
    r"(?i)(?:str|string|text|bytes?|char|varchar|nvarchar|object|any|int|integer|number|bool|boolean"
    r"|uuid|optional|nullable|required|hidden|secretstr|secretstring|securestring|passwordfield"
    r"|charfield|plain|none|null|nil|undefined|true|false|bcrypt|scrypt|argon2\w*|sha\d+|md5|hmac|rsa"
    r"|basic|bearer|digest|oauth2?|jwt|opaque)(?:[!?]|\[.*\]|\(.*\)|<.*>)?$"
)
_RULE = (
    r".*(?:\||^)(?:min|max|required|confirmed|string|length)(?:[:=]\d+)?(?:[|,]|$)"
    r"|\^|.*\{\d+,\d*\}|.*\(\?"
)
_OF_TESTS = (
    r"(?is).*(?:test|example|sample|dummy|fake|foo|bar|demo|mock|invalid|wrong|valid|correct|your"
    r"|some|my[-_]|new|old|default|todo|change|here|x{3})"
)
_FLAGS = tuple(
    (f"value: {text}", re.compile(pattern))
    for text, pattern in (
        ("begins or ends with a bracket", r"(?s)[\[({<]|.*[\])}>]$"),
        ("holds a bracket or an operator", r"(?s).*(?:[()\[\]{}|]|&&|=>|->|::|<|>)"),
        ("holds punctuation of passwords", r"(?s).*[!@#$%^&*?]"),
        ("holds a slash", r"(?s).*[/\\]"),
        ("holds a comma or semicolon", r"(?s).*[,;]"),
        ("an identifier with a call or index", r"[\w.]+[(\[]"),
        ("a version, date or number", r"v?\d+(?:[-.:/,]\d+)+$"),
        ("a UUID", r"(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$"),
        ("ends with =", r"(?s).*=$"),
        ("the hash of a password", r"(?i)\$\d\w?\$|\$argon|\{SSHA|pbkdf2|md5|sha\d"),
        ("camelCase", r"[a-z]+(?:[A-Z][a-z]+)+$"),
        ("CamelCase", r"[A-Z][a-z]+(?:[A-Z][a-z]+)+$"),
        ("names a secret", r"(?is).*(?:passw|passphrase|secret|token|api.?key|credential)"),
        ("speaks of a test or an example", _OF_TESTS),
        ("a label of a form", _LABEL),
        ("a type", _TYPE),
        ("a rule for values", _RULE),
        ("counts up", r"(?is).*(?:1234|2345|3456|abcd|bcde|aaaa|0000|1111)"),
    )
)
_TEST = re.compile(
    r"(?i)(?:^|[/_.\-])(?:tests?|specs?|testing|testdata|fixtures?|mocks?|stubs?|cassettes?|e2e)"
    r"(?:[/_.\-]|$)|(?:Tests?|Spec)\.\w+$"
)
_EXAMPLE = re.compile(
    r"(?i)(?:^|[/_.\-])(?:examples?|samples?|demos?|docs?|tutorials?|templates?|guides?|readme)"
    r"(?:[/_.\-]|$)"
)
_VENDORED = re.compile(
    r"(?i)(?:^|/)(?:vendor|node_modules|third_?party|bower_components|dist|site-packages|gems)/"
    r"|\.min\."
)
_DOCUMENT = frozenset("md markdown rst adoc txt html htm tex".split())
_QUOTES = frozenset("\"'`")
_COMMENT = re.compile(r"\s*(?:#|//|/?\*|;|--|<!--|%|REM\b)")
_BESIDE = re.compile(
    r"(?i)(?:user|login|email|account|host|server|database|client_?id)\w{0,30}[\"']?\s*(?:[:=,]|=>)"
)
_SIGNS = (
    ("an arrow", re.compile(r"(?:=>|->)\s*$")),
    ("a comparison", re.compile(r"(?:==|!=|~)\s*$")),
    ("an equals sign", re.compile(r"=\s*$")),
    ("a colon", re.compile(r":\s*$")),
    ("a parenthesis", re.compile(r"\(\s*$")),
    ("a comma", re.compile(r",\s*$")),
    ("a bracket", re.compile(r"[\[{>]\s*$")),
)


def features(case: Case) -> Iterator[str]:
    """All that holds of a case."""
    kind = next((kind for kind, pattern in _KINDS if pattern.search(case.name)), "other")
    made = next((text for text, pattern in _CLASSES if pattern.match(case.value)), _PUNCTUATED)
    yield f"found by {case.check}"
    yield from _of_name(case.name, kind)
    yield from _of_value(case, made)
    yield f"name: {kind}, value: {made}"
    yield from _of_path(case, kind, made)
    yield from _of_line(case)


def _of_name(name: str, kind: str) -> Iterator[str]:
    yield f"name: {kind}"
    if _BARE_NAME.match(name):
        yield f"name: the word alone, {kind}"
    if name.isupper():
        yield "name: in capitals"
    if "_" in name or "-" in name:
        yield "name: words joined"


def _of_value(case: Case, made: str) -> Iterator[str]:
    value, name = case.value, case.name.lower()
    length = next((most for most in _LENGTHS if len(value) <= most), _LONGER)
    yield f"value: {made}"
    yield f"value: at most {length} characters"
    yield f"value: {made}, at most {length} characters"
    yield f"entropy: {int(shannon(value.encode('latin-1', 'replace')) * 2) / 2}"
    yield f"characters: {int(len(set(value)) / max(len(value), 1) * 5) * 20} % of them differ"
    for text, pattern in _FLAGS:
        if pattern.match(value):
            yield text
    plain = value.lower().strip("-_ .:<>[]")
    if plain and (plain in name or name.strip("-_ ") in plain):
        yield "value: is or holds its own name"
    if is_dummy(value):
        yield "value: a word of tests and manuals"


def _of_path(case: Case, kind: str, made: str) -> Iterator[str]:
    path = case.path
    place = "test" if _TEST.search(path) else "example" if _EXAMPLE.search(path) else "other"
    scope = "documents" if _suffix(path) in _DOCUMENT else scope_of(path)
    written = "quoted" if case.before[-1:] in _QUOTES else "bare"
    yield f"file: {scope}"
    yield f"file: {scope}, {written}"
    yield f"file: {scope}, {written}, value: {made}"
    yield f"path: {place}"
    yield f"path: {place}, name: {kind}"
    yield f"path: {place}, value: {made}"
    if _VENDORED.search(path):
        yield "path: vendored"
    if is_translation(path):
        yield "path: texts for people"


def _of_line(case: Case) -> Iterator[str]:
    before, after = case.before, case.after
    head = before.rstrip("\"'`rbuf@\\")
    sign = next((text for text, pattern in _SIGNS if pattern.search(head)), "something else")
    yield f"before: {sign}"
    if _COMMENT.match(before):
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
