"""Detect: what a sensitive name of a configuration file holds, judged by name and value.

In code, what stands right of `password =` must look like a secret. In configuration the place says
so: any literal is one, unless its shape says that it is something else (a name, a path, a number).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from scanner.detect.values.assignments import (
    holds_a_secret,
    is_foreign_text,
    is_literal,
    is_measure,
    is_name,
    says_about,
    shannon,
    words_of,
)
from scanner.detect.values.placeholders import is_dummy, is_placeholder
from scanner.detect.values.templates import Judged, Verdict, judge, may_refer
from scanner.model import Confidence, Severity

if TYPE_CHECKING:
    from scanner.detect.engine.candidate import Candidate

# Names that only configuration uses, beside those that mean a secret everywhere.
_MORE = re.compile(
    r"(?i)(?:^|[_\-.:/@])(?:requirepass|masterauth|(?:bind|root|user|admin|db)?pw|psk|_?auth|pat|passwort"
    r"|sas|sasl|hmac|secret_?key_?base|(?:session|shared|pre_?shared|hmac|license|service|storage|auth"
    r"|ssh|client|cookie|deploy|crypt|cipher|aes|jwt|fernet|webhook|app|consumer|identity|signature"
    r"|subscription|host|primary|secondary)_?key(?:_?data)?|contrase[nñ]a)$"
)
# First words of names that say whether, or where, there is a secret.
_WHETHER = re.compile(
    r"^(?i:(?:proxy|fastcgi|uwsgi|scgi|grpc)_pass$|existing|use|enable|enabled|has|is|no|allow|require|required|show|hide|with|disable|skip"
    r"|update|change|reset|confirm|forgot|load|generate|create|auto|randomize|min|max|validate|num"
    r"|total|mount|expose|automount|forbid|default"
    r"|rotate|refresh)(?:[_\-.]|$|(?=[A-Z][a-z]))"
)
_KEY_OF = re.compile(
    r"(?:[Pp]assword|[Ss]ecret|[Tt]oken|[Uu]ser(?:[Nn]ame)?|[Cc]redentials?)[-_]?Key$"
)
_IS_PASSWORD = re.compile(
    r"(?i)pass|pwd|(?:^|[_\-.])p(?:w|sk)$|[a-z]pw$|requirepass|masterauth|secret_?key_?base"
)
_VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
_NO_VALUE = re.compile(
    r"(?i)^(?:true|false|yes|no|on|off|null|none|enabled?|disabled?|required|optional|always|never|auto|on_create"
    r"|absent|present|omit|ldap|files|sss|compat|systemd|winbind|nis"
    r"|utf-?(?:8|16|32)(?:-?[bl]e)?|us-ascii|ascii|latin-?1|iso-8859-\d{1,2})$"
)
_NUMBER = re.compile(r"^[+-]?\d[\d_.,:]*\s?(?:[smhdw]|ms|min|[KMG]i?B?|%)?$")
_ELSEWHERE = re.compile(
    r"^(?:~?/|\.{1,2}/|[A-Za-z]:\\|[\w.-]+:/|(?:rule|role):|--?\w+ "
    r"|[\w.-]+(?:/[\w.-]+){2,}\s|[\w.-]+/[\w.-]+@\d|\.[\w-]+\.[\w.-]+$)"
    r"|\.(?:pem|key|crt|cert|json|ya?ml|txt|conf|jks|p12|pfx|pub"
    r"|sh|env|gpg|asc|html?|js|py|log|pl|rb|php|so|exe|jar|xml|ini|cfg|properties|db|sock|service)$"
)
_RELATIVE = re.compile(r"^[\w.-]+/[\w./-]+$")
_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.\-]*:(?://|$)")
_UUID = re.compile(r"(?i)^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$")
_WORDS = re.compile(r"^[A-Za-z]+(?:[-_.:, ](?:[A-Za-z]+|v?\d{1,9}))*$")
_TOKEN = re.compile(r"^[0-9A-Za-z+/_.~\-]+={0,2}$")
_TYPES = re.compile(
    r"(?i)^(?:string|str|number|bool|boolean|int|integer|object|map|list|any|bytes|char|text|varchar.*|secret|bearer"
    r"|basic|digest|opaque|kubernetes\.io/[\w.-]+|(?:rs|hs|es|ps)\d{3}|aes\S*|rsa\S*|ed25519|sha\d+|md5|scram-\S*"
    r"|plain|oauth2?|jwt|token|api[_-]?key|header|cookie|query|ldap|saml|oidc|approle|kubernetes|userpass|cert"
    r"|iam|gcp|aws|azure|github|native|htpasswd|trust|peer|ident)$"
)
_PUBLIC = re.compile(
    r"^(?:ssh-(?:rsa|ed25519|dss)|ecdsa-sha2-\S+|-----BEGIN (?:PUBLIC KEY|CERTIFICATE)|age1|pk_)"
)
_HALF = re.compile(rb"\$\w+\}")
_COMMENT = re.compile(rb"(?<![ \t])[ \t]+(?:#|//|;)[^\n]*$")
_PASSING = {Verdict.EMPTY, Verdict.REFERENCE, Verdict.SAFE_DEFAULT, Verdict.PLACEHOLDER}
_CLOSING = {quote: re.compile(rb"(?<!\\)" + quote) for quote in (b'"', b"'", b"`")}
_EXPRESSION = re.compile(rb"\{\{[^{}\n]*\}\}|<%[^<\n]*?%>")
# Names that hold a secret where their value is a random one.
_VAGUE = re.compile(
    r"(?i)[a-z0-9_\-.]key$|^(?:login|sonar\.login|seed|salt|pin|pepper|key\d?|auth|pass|result)$"
)
_NO_KEY = re.compile(
    r"(?i)public|pub_?key|apt|gpg|pgp|keyring|repo|cache|hash|partition|sort|primary|foreign|index|group|routing|object|s3|idempot|lookup"
    r"|translation|i18n|feature|config|registry|unique|dedup|image|fingerprint|finger|gpg_?key|site"
    r"|topology|label|annotation|search|item|row|map|json|data|event|message|sitekey|publishable|client"
    r"|websocket"
)
_BEFORE_KEY = re.compile(r"(?i)^.*(?=key|signature|verifier|salt|seed|nonce)")
_OF_KEY = re.compile(r"(?i)jwt|crypt|auth|sign|secret|session|cookie|api|token|hmac|sso|saml")
_BESIDE_IT = frozenset(
    ("name", "namespace", "id", "type", "kind", "path", "version", "description")
)
_PATTERN = re.compile(r"\(\?[=!:<]|^\^.*\$$")
_LONG_HEX = re.compile(r"(?:[0-9a-f]{2}){16,}|(?:[0-9A-F]{2}){16,}")
_LONGEST_KEY = 256
_QUOTES = (b'"', b"'", b"`")
_MIXED = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*\d)(?!.*(?:[a-z]{6}|[A-Z]{6})).{20}")
_HOLDER = re.compile(
    r"(?i)(?:^|[_\-a-z])(?:api_?keys?|tokens|secrets|passwords|credentials|oauth)$"
)


class Flaw(NamedTuple):
    """What is wrong with a value: where in it, how sure, and less severe than its rule says?"""

    verdict: Verdict
    start: int
    end: int
    confidence: Confidence
    severity: Severity | None = None


@lru_cache(maxsize=1024)  # a repository has few names for its settings, and many settings
def is_sensitive(name: str) -> bool:
    """Does a setting of this name hold a secret?"""
    last = re.split(r"[/:]", name)[-1] if "/" in name else name
    if _WHETHER.match(last) or name.startswith("checksum/"):
        return False
    return holds_a_secret(last) or bool(_MORE.search(last))


def is_vague(name: str, keys: Sequence[str]) -> bool:
    """May a setting hold a secret, by its own name or by a key above it?"""
    if _VAGUE.search(name) and not _NO_KEY.search(name):
        return True
    if name.lower() == "key":
        return any(_OF_KEY.search(key) for key in keys[:-1])
    return name not in _BESIDE_IT and any(_HOLDER.search(key) for key in keys[:-1])


def vague_key(candidate: Candidate) -> Confidence | None:
    """A check: a random value under a name that may mean a secret."""
    name, value = candidate.name.decode("latin-1"), candidate.value.decode("latin-1")
    from_key_on = words_of(_BEFORE_KEY.sub("", name, count=1))
    if not name or _NO_KEY.search(name) or any(map(says_about, from_key_on)):
        return None
    if not is_literal(candidate) or not _is_quoted(candidate):
        return None  # the next item of a list, an expression
    made = is_random(value) or _LONG_HEX.fullmatch(value) or _MIXED.match(value)
    return Confidence.MEDIUM if made and not is_name(value) else None


def _is_quoted(candidate: Candidate) -> bool:
    after = candidate.at + len(candidate.value)
    return len(candidate.value) <= _LONGEST_KEY and candidate.line[after : after + 1] in _QUOTES


def configured(candidate: Candidate) -> Confidence | None:
    """A check: may this line of a configuration file hold a value that is not templated?"""
    name = candidate.name.decode("latin-1")
    value = trimmed(candidate.value, candidate.line[: candidate.at]).decode("latin-1")
    return _confidence(name, value)


@lru_cache(maxsize=1024)
def _confidence(name: str, value: str) -> Confidence | None:
    sensitive = is_sensitive(name)
    vague = not sensitive and is_vague(name, ())
    found = flaw(name, value, sensitive=sensitive, vague=vague)
    return found.confidence if found else None


def trimmed(value: bytes, before: bytes) -> bytes:
    """The value at the end of a line, without closing quote, comment, comma or bracket."""
    closing = _CLOSING.get(before[-1:])
    if closing:
        inner = _EXPRESSION.sub(lambda m: b"x" * len(m[0]), value)
        end = closing.search(inner)
        return value[: end.start()] if end else value
    value = _COMMENT.sub(b"", value).rstrip(b" \t\r,;")
    if _HALF.fullmatch(value) and b"{" not in before:
        return value  # `$VAR}`
    return value if b"{" in value else value.rstrip(b"]})")


def flaw(
    name: str, value: str, *, sensitive: bool, vague: bool = False, example: bool = False
) -> Flaw | None:
    """What keeps the value of a setting from being properly templated; None for nothing.

    `sensitive`: the name holds a secret. `vague`: it may, then a random literal counts. For another
    name only the defaults of variables that do count. `example`: the file shows what to fill in,
    so a placeholder is what belongs there.
    """
    if not (sensitive or vague or may_refer(value)):
        return None  # so say most settings, and at once
    judged = judge(value, broken=sensitive)
    verdict, text = judged.verdict, value[judged.start : judged.end]
    if verdict is Verdict.LITERAL_DEFAULT:
        holder = judged.variable if is_sensitive(judged.variable) else name
        if not sensitive and holder == name:
            return None
        return _of_text(judged, holder, text, example=example)
    if vague and not sensitive and verdict is Verdict.LITERAL and is_random(text):
        return Flaw(verdict, judged.start, judged.end, Confidence.MEDIUM)
    if not sensitive or verdict in _PASSING:
        return None
    whole = Flaw(verdict, judged.start, judged.end, Confidence.MEDIUM)
    return _of_text(judged, name, text, example=example) if verdict is Verdict.LITERAL else whole


def _of_text(judged: Judged, name: str, text: str, *, example: bool) -> Flaw | None:
    confidence = strength(name, text)
    if confidence is None:
        return None
    low = is_placeholder(text) or is_dummy(text)
    if low and example:
        return None
    return Flaw(
        judged.verdict,
        judged.start,
        judged.end,
        Confidence.LOW if low and judged.verdict is Verdict.LITERAL else confidence,
        Severity.LOW if low else None,
    )


def strength(name: str, value: str) -> Confidence | None:
    """Can the literal of a sensitive setting be its secret, and how surely? None for no."""
    value = value.strip()
    password = bool(_IS_PASSWORD.search(name))
    if _is_no_secret(value) or (not password and (_is_no_token(value) or len(value) < 6)):
        return None
    if _VARIABLE.fullmatch(value) and not _VARIABLE.fullmatch(name):
        return None  # the name of a variable
    in_words = _WORDS.match(value) is not None
    if in_words and _is_name_of_one(name, value, password=password):
        return None
    long = len(value) > 15 and not in_words
    sure = long and shannon(value.encode("latin-1", "replace")) > 3.5
    return Confidence.HIGH if sure else Confidence.MEDIUM


def _is_name_of_one(name: str, value: str, *, password: bool) -> bool:
    """Words that say where in a store the secret is, as `existingSecret` of charts has them."""
    joined = not value.isalnum()
    if _KEY_OF.search(name):
        return joined or len(value) < 20
    return joined and not password and not is_placeholder(value)


def is_words(value: str) -> bool:
    """Words with nothing else, joined or not, of any alphabet."""
    return _WORDS.match(value) is not None or not value.isascii()


def _is_no_secret(value: str) -> bool:
    """A switch, a place, an address, a public key, words for people."""
    if len(value) < 3 or (value.isdigit() and len(value) < 4) or _PUBLIC.match(value):
        return True
    if is_measure(value) or is_foreign_text(value) or _PATTERN.search(value):
        return True
    is_switch = _NO_VALUE.match(value) is not None
    return is_switch or _is_place(value) or _is_prose(value) or _is_address(value)


def _is_place(value: str) -> bool:
    """A path, as base64 with a slash in it is none."""
    relative = _RELATIVE.match(value) and not is_random(value)
    return bool(relative or _ELSEWHERE.search(value))


def is_random(value: str) -> bool:
    """Could only a machine have made it? Then a vague name is enough for a secret."""
    if len(value) < 16 or not _TOKEN.match(value) or _UUID.match(value):
        return False
    if not re.search(r"[A-Za-z]", value):
        return False
    return shannon(value.encode("latin-1", "replace")) > 3.2 and len(re.findall(r"\d", value)) > 1


def _is_address(value: str) -> bool:
    return bool(_URL.match(value)) and "@" not in value


def _is_no_token(value: str) -> bool:
    """A number, a type: what only a password may be."""
    return bool(_NUMBER.match(value) or _UUID.match(value) or _TYPES.match(value))


def _is_prose(value: str) -> bool:
    """Words for people."""
    words = value.split()
    return len(words) > 3 and sum(word.isalpha() for word in words) * 2 > len(words)
